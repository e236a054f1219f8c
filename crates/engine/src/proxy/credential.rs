//! Phase 4: a token that is good for the call, and a second one when the provider does not take the first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    broker::Broker,
    error::{Error, Result},
    id::ConnectionId,
    refresh::{self, Subject, Usable},
    time::Millis,
};

/// How many connections are remembered; beyond it the one remembered first is forgotten.
const MOST: usize = 10_000;
/// For how long a 401 in spite of a refresh says that refreshing does not help. Not for ever: a token may
/// really end without anybody having said when.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Tokens that were refused although a refresh had just made them: such a 401 speaks of the call, not of the
/// token, and another refresh would only spend another refresh token. In memory, of this process.
#[derive(Debug, Default)]
pub struct Refused(Mutex<Remembered>);

/// The version and the time by connection, and the connections in the order they came.
#[derive(Debug, Default)]
struct Remembered {
    by_connection: HashMap<ConnectionId, (i64, Millis)>,
    order: VecDeque<ConnectionId>,
}

impl Refused {
    /// Remembers that this version of the connection's credential came of a refresh and was refused.
    pub(super) fn remember(&self, connection: &ConnectionId, version: i64, now: Millis) {
        self.remember_at_most(MOST, connection, version, now);
    }

    fn remember_at_most(&self, most: usize, connection: &ConnectionId, version: i64, now: Millis) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.by_connection.insert(connection.clone(), (version, now)).is_some();
        if !known {
            remembered.order.push_back(connection.clone());
        }
        if remembered.order.len() > most
            && let Some(first) = remembered.order.pop_front()
        {
            remembered.by_connection.remove(&first);
        }
    }

    /// Whether a refresh is known not to help against a 401 on this version.
    fn knows(&self, connection: &ConnectionId, version: i64, now: Millis) -> bool {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered
            .by_connection
            .get(connection)
            .is_some_and(|(refused, at)| *refused == version && now.since(*at) < REMEMBERED)
    }
}

/// A token good for now, refreshed first when it is about to expire.
///
/// # Errors
/// `NeedsReauth` when there is none and none can be had; `Provider` when the provider can't be asked.
pub(super) async fn usable(broker: &Arc<Broker>, subject: &Subject) -> Result<Usable> {
    refresh::fresh(broker, subject).await
}

/// The provider answered 401: a newer token to resend with, or `None` to hand the 401 back, also where a refresh
/// is known not to help.
///
/// # Errors
/// `NeedsReauth` when the provider refused to refresh. Anything else that goes wrong is logged, and the 401
/// stands: it is the better answer.
pub(super) async fn after_401(
    broker: &Arc<Broker>,
    subject: &Subject,
    used: &Usable,
) -> Result<Option<Usable>> {
    if broker.refused.knows(&subject.connection.id, used.version, broker.clock.now()) {
        return Ok(None);
    }
    match refresh::rejected(broker, subject, used).await {
        Err(error @ Error::NeedsReauth { .. }) => Err(error),
        Err(error) => {
            tracing::warn!(connection = %subject.connection.id, error = ?error, "no refresh after a 401");
            Ok(None)
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_remembered_for_a_while_and_no_other() {
        let (refused, one, other) = (Refused::default(), ConnectionId::new(), ConnectionId::new());
        let at = Millis(1_000);
        refused.remember(&one, 2, at);
        assert!(refused.knows(&one, 2, at));
        assert!(!refused.knows(&one, 1, at) && !refused.knows(&one, 3, at) && !refused.knows(&other, 2, at));
        let late = at.plus(REMEMBERED);
        assert!(
            refused.knows(&one, 2, late.minus(Duration::from_millis(1))) && !refused.knows(&one, 2, late)
        );
        refused.remember(&one, 3, at);
        assert!(refused.knows(&one, 3, at) && !refused.knows(&one, 2, at));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let refused = Refused::default();
        let ids: Vec<_> = (0..5).map(|_| ConnectionId::new()).collect();
        for id in &ids {
            refused.remember_at_most(3, id, 1, Millis(0));
            refused.remember_at_most(3, id, 2, Millis(0));
        }
        let known: Vec<_> = ids.iter().map(|id| refused.knows(id, 2, Millis(0))).collect();
        assert_eq!(known, [false, false, true, true, true]);
        let remembered = refused.0.lock().unwrap();
        assert_eq!((remembered.by_connection.len(), remembered.order.len()), (3, 3));
    }
}
