//! Flights: one refresh of a connection at a time in this process.
//!
//! Whoever comes second waits for the first and then looks again. A newer token is shared through the store; a
//! failure is shared here, for a moment, so that a queue of callers does not ask a failing provider one by one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Gate, OwnedMutexGuard};

use crate::{
    error::{Error, ProviderFault},
    id::ConnectionId,
};

/// How long a failure stands for those who waited behind it.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// The refreshes under way.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<ConnectionId, Weak<Gate<Option<Failed>>>>>);

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
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}
