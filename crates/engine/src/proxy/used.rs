//! Used: when connections were last used, noted off the caller's path and at most once a minute for each.
//!
//! It goes with the sums of calls: what asked a provider has used its connection. A note that is lost is made
//! up for by the next call.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::audit::Actor,
    error::Result,
    id::{ConnectionId, WorkspaceId},
    store::Store,
    time::Millis,
};

/// How long a note stands before a newer one is made, in milliseconds.
const EVERY: i64 = 60_000;
/// The most connections of which this process remembers its note.
const MOST: usize = 100_000;

/// Connections that asked their provider, and when last.
type Used = BTreeMap<ConnectionId, (WorkspaceId, Millis)>;

/// What this process noted lately.
#[derive(Default)]
pub(super) struct Noted(HashMap<ConnectionId, Millis>);

impl Noted {
    /// Those connections whose note is older than a minute, in the order of their ids: so that two processes that note
    /// the same ones never wait for each other.
    fn due(&self, used: Used) -> Used {
        let is_due = |id: &ConnectionId, at: Millis| {
            self.0.get(id).is_none_or(|before| at.0 >= before.0.saturating_add(EVERY))
        };
        used.into_iter().filter(|(id, (_, at))| is_due(id, *at)).collect()
    }

    fn remember(&mut self, due: Used) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.extend(due.into_iter().map(|(id, (_, at))| (id, at)));
    }
}

/// Notes which connections were used.
pub(super) async fn note(store: &Store, used: Used, noted: &mut Noted) -> Result<()> {
    let due = noted.due(used);
    let Some(now) = due.values().map(|(_, at)| *at).max() else { return Ok(()) };
    let mut conn = store.begin(Actor::System, now).await?;
    for (id, (workspace, at)) in &due {
        conn.note_used(workspace, id, *at).await?;
    }
    conn.commit().await?;
    noted.remember(due);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_noted_once_a_minute() {
        let (one, other) = (ConnectionId::new(), ConnectionId::new());
        let mut noted = Noted::default();
        let mut due = |used: &[(&ConnectionId, i64)]| {
            let workspace = WorkspaceId::from_row("ws_1".to_owned());
            let used =
                used.iter().map(|(id, at)| ((*id).clone(), (workspace.clone(), Millis(*at)))).collect();
            let due = noted.due(used);
            let at: Vec<_> = due.iter().map(|(id, (_, at))| (id.clone(), at.0)).collect();
            noted.remember(due);
            at
        };
        assert_eq!(due(&[(&one, 9)]), [(one.clone(), 9)]);
        assert_eq!(due(&[(&one, 9 + EVERY - 1)]), []);
        assert_eq!(due(&[(&one, 9 + EVERY), (&other, 1)]), [(one, 9 + EVERY), (other, 1)]);
    }
}
