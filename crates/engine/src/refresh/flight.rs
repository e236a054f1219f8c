//! Flights: one refresh of a connection at a time in this process.
//!
//! Whoever comes second waits for the first, and is given what the first one got or how it failed: a queue of callers
//! neither asks the database nor a failing provider one by one. Whoever has the turn may still stand in `line`; who really
//! does something about the connection has it [`Flights::alone`]. Among processes a lease does the same: `claim`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

use super::{Usable, line::Line};
use crate::{
    error::{Error, ProviderFault, Result},
    id::ConnectionId,
};

/// How long an end stands for those who waited behind it.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// A gate for each connection that somebody stands at.
type Gates<T> = Mutex<HashMap<ConnectionId, Weak<Gate<T>>>>;

/// The refreshes under way.
#[derive(Default)]
pub struct Flights {
    gates: Gates<Option<Left>>,
    alone: Gates<()>,
    /// Those that are to begin.
    pub(super) line: Line,
}

/// How the last flight of a connection ended.
pub struct Left {
    seen: i64,
    at: Instant,
    how: How,
}

/// What can be said again.
enum How {
    Renewed(Usable),
    Failed(ProviderFault, String),
    Over(String),
    /// The database had no connection free.
    Busy,
    /// By our own fault: the database failed.
    Ours(String),
}

/// A connection in one's own hands, in this process; it lasts until it is dropped.
pub(crate) struct Alone {
    _gate: OwnedMutexGuard<()>,
}

/// A connection's turn; it lasts until it is dropped.
pub(crate) struct Turn(OwnedMutexGuard<Option<Left>>);

impl Flights {
    /// Waits for the connection's turn among those who want it refreshed.
    pub(super) async fn board(&self, connection: &ConnectionId) -> Turn {
        let gate = gate(&self.gates, connection);
        Turn(gate.lock_owned().await)
    }

    /// Waits until nothing is done about the connection, and keeps it so. Not for those who only stand in line.
    pub(crate) async fn alone(&self, connection: &ConnectionId) -> Alone {
        Alone { _gate: gate(&self.alone, connection).lock_owned().await }
    }
}

/// The connection's gate, made where nobody stands at it.
fn gate<T: Default>(gates: &Gates<T>, connection: &ConnectionId) -> Arc<Gate<T>> {
    let mut gates = gates.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(gate) = gates.get(connection).and_then(Weak::upgrade) {
        return gate;
    }
    // Now and then, when as many may be gone as are to come.
    if gates.len() == gates.capacity() {
        gates.retain(|_, gate| gate.strong_count() > 0);
    }
    let gate = Arc::new(Gate::new(T::default()));
    gates.insert(connection.clone(), Arc::downgrade(&gate));
    gate
}

impl Turn {
    /// What became of a flight that just ended for the same version of the credential.
    pub(super) fn left(&self, seen: i64) -> Option<Result<Usable>> {
        let left = self.0.as_ref().filter(|left| left.seen == seen && left.at.elapsed() < SHARED_FOR)?;
        Some(match &left.how {
            How::Renewed(usable) => Ok(usable.clone()),
            How::Failed(fault, message) => Err(Error::Provider { fault: *fault, message: message.clone() }),
            How::Over(message) => Err(Error::NeedsReauth { message: message.clone() }),
            How::Busy => Err(Error::busy()),
            How::Ours(why) => Err(Error::internal(format!("the refresh that was waited for failed: {why}"))),
        })
    }

    /// Leaves to those who wait how it ended, our own failures too: a queue that asks a failing database one by one waits
    /// for its whole patience each.
    pub(super) fn leave(&mut self, seen: i64, done: &Result<Usable>) {
        let how = match done {
            Ok(usable) => How::Renewed(usable.clone()),
            Err(Error::Provider { fault, message }) => How::Failed(*fault, message.clone()),
            Err(Error::NeedsReauth { message }) => How::Over(message.clone()),
            Err(error) if error.is_busy() => How::Busy,
            Err(Error::Internal(error)) => How::Ours(format!("{error:#}")),
            Err(_) => {
                *self.0 = None;
                return;
            }
        };
        *self.0 = Some(Left { seen, at: Instant::now(), how });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{refresh::Usable, secret::Secret, time::Millis};

    fn usable(version: i64) -> Usable {
        let tokens = claviger_protocol::oauth2::Tokens::of(Secret::new("a"), "Bearer");
        let (tokens, obtained_at) = (Arc::new(tokens), Millis(0));
        Usable { tokens, version, obtained_at, unproven: false, previous: false }
    }

    #[tokio::test]
    async fn how_a_flight_ended_is_shared_with_who_waits_and_only_for_the_same_version() {
        let (flights, id) = (Flights::default(), ConnectionId::new());
        let mut first = flights.board(&id).await;
        assert!(first.left(1).is_none());
        let mut waiting = Box::pin(flights.board(&id));
        assert!(futures_util::poll!(&mut waiting).is_pending(), "the second waits");
        first.leave(1, &Err(Error::Provider { fault: ProviderFault::TimedOut, message: "slow".into() }));
        drop(first);
        let mut second = waiting.await;
        assert!(second.left(2).is_none());
        let Some(Err(Error::Provider { fault, message })) = second.left(1) else { panic!("it is shared") };
        assert_eq!((fault, message.as_str()), (ProviderFault::TimedOut, "slow"));
        second.leave(1, &Err(Error::internal("ours")));
        assert!(
            matches!(second.left(1), Some(Err(Error::Internal(_)))),
            "nor is a failing database asked in turn"
        );
        assert!(second.left(1).unwrap().is_err_and(|error| !error.is_busy()));
        second.leave(1, &Err(Error::busy()));
        assert!(second.left(1).unwrap().is_err_and(|error| error.is_busy()), "who waited may try again, too");
        second.leave(1, &Err(Error::NotFound { what: "connection" }));
        assert!(second.left(1).is_none());
        second.leave(1, &Err(Error::NeedsReauth { message: "no".into() }));
        assert!(matches!(second.left(1), Some(Err(Error::NeedsReauth { .. }))));
        second.leave(1, &Ok(usable(2)));
        assert!(matches!(second.left(1), Some(Ok(newer)) if newer.version == 2));
        drop(second);
        assert!(flights.board(&id).await.left(1).is_none(), "nobody waited: the next one asks again");
    }
}
