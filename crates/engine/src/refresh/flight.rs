//! Flights: one refresh of a connection at a time in this process.
//!
//! Whoever comes second waits for the first and then looks again. A newer token is shared through the store; a
//! failure is shared here, for a moment, so that a queue of callers does not ask a failing provider one by one. A grant
//! whose token can't be exchanged is left alone for a while: each try may cost its refresh token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

use crate::{
    error::{Error, ProviderFault},
    id::ConnectionId,
    time::Millis,
};

/// How long a failure stands for those who waited behind it.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// How long a grant is left alone whose token could not be exchanged.
const REST: Duration = Duration::from_secs(30);
/// The most grants that are known to be left alone.
const MOST: usize = 4096;

/// The refreshes under way.
#[derive(Default)]
pub struct Flights {
    gates: Mutex<HashMap<ConnectionId, Weak<Gate<Option<Failed>>>>>,
    resting: Mutex<HashMap<ConnectionId, Rest>>,
}

/// What could not be exchanged, and until when that is not tried again.
struct Rest {
    version: i64,
    until: Millis,
    fault: ProviderFault,
    message: String,
}

/// How the last flight of a connection failed.
pub struct Failed {
    seen: i64,
    at: Instant,
    fault: ProviderFault,
    message: String,
}

/// A connection's turn; it lasts until it is dropped.
pub(crate) struct Turn(OwnedMutexGuard<Option<Failed>>);

impl Flights {
    /// Waits for the connection's turn.
    pub(crate) async fn board(&self, connection: &ConnectionId) -> Turn {
        let gate = {
            let mut flights = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            flights.retain(|_, gate| gate.strong_count() > 0);
            match flights.get(connection).and_then(Weak::upgrade) {
                Some(gate) => gate,
                None => {
                    let gate = Arc::new(Gate::new(None));
                    flights.insert(connection.clone(), Arc::downgrade(&gate));
                    gate
                }
            }
        };
        Turn(gate.lock_owned().await)
    }

    /// Why this version of a credential is left alone, where it is.
    pub(super) fn rests(&self, connection: &ConnectionId, version: i64, now: Millis) -> Option<Error> {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = resting.get(connection).filter(|rest| rest.version == version && now < rest.until)?;
        Some(Error::Provider { fault: rest.fault, message: rest.message.clone() })
    }

    /// Leaves this version of a credential alone for a while. Of too many all are forgotten: they are only tried sooner.
    pub(super) fn rest(&self, connection: &ConnectionId, version: i64, error: &Error, now: Millis) {
        let Error::Provider { fault, message } = error else { return };
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.len() >= MOST {
            resting.retain(|_, rest| now < rest.until);
        }
        if resting.len() >= MOST {
            resting.clear();
        }
        let rest = Rest { version, until: now.plus(REST), fault: *fault, message: message.clone() };
        resting.insert(connection.clone(), rest);
    }
}

impl Turn {
    /// The failure of a flight that just ended for the same version of the credential.
    pub(super) fn failed(&self, seen: i64) -> Option<Error> {
        let failed = self.0.as_ref().filter(|f| f.seen == seen && f.at.elapsed() < SHARED_FOR)?;
        Some(Error::Provider { fault: failed.fault, message: failed.message.clone() })
    }

    /// Leaves a failure to those who wait.
    pub(super) fn leave(&mut self, seen: i64, error: &Error) {
        if let Error::Provider { fault, message } = error {
            *self.0 = Some(Failed { seen, at: Instant::now(), fault: *fault, message: message.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_is_shared_with_who_waits_and_only_for_the_same_version() {
        let (flights, id) = (Flights::default(), ConnectionId::new());
        let mut first = flights.board(&id).await;
        assert!(first.failed(1).is_none());
        let mut waiting = Box::pin(flights.board(&id));
        assert!(futures_util::poll!(&mut waiting).is_pending(), "the second waits");
        first.leave(1, &Error::Provider { fault: ProviderFault::TimedOut, message: "slow".into() });
        drop(first);
        let second = waiting.await;
        assert!(second.failed(2).is_none());
        let Some(Error::Provider { fault, message }) = second.failed(1) else { panic!("it is shared") };
        assert_eq!((fault, message.as_str()), (ProviderFault::TimedOut, "slow"));
        drop(second);
        assert!(flights.board(&id).await.failed(1).is_none(), "nobody waited: the next one asks again");
    }

    #[test]
    fn a_version_rests_for_a_while_and_no_more_do_than_can_be_kept() {
        let (flights, id) = (Flights::default(), ConnectionId::new());
        let error = Error::Provider { fault: ProviderFault::Refused, message: "no".into() };
        flights.rest(&id, 2, &Error::internal("ours"), Millis(0));
        assert!(flights.rests(&id, 2, Millis(0)).is_none(), "what is ours is tried again");
        flights.rest(&id, 2, &error, Millis(0));
        assert!(flights.rests(&id, 1, Millis(0)).is_none() && flights.rests(&id, 3, Millis(0)).is_none());
        assert!(flights.rests(&ConnectionId::new(), 2, Millis(0)).is_none());
        let Some(Error::Provider { fault, message }) = flights.rests(&id, 2, Millis(29_999)) else {
            panic!("it rests");
        };
        assert_eq!((fault, message.as_str()), (ProviderFault::Refused, "no"));
        assert!(flights.rests(&id, 2, Millis(30_000)).is_none());
        for _ in 0..2 * MOST {
            flights.rest(&ConnectionId::new(), 1, &error, Millis(1));
            assert!(flights.resting.lock().unwrap().len() <= MOST);
        }
    }
}
