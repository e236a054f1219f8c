//! Flights: one refresh of a connection at a time in this process.
//!
//! Whoever comes second waits for the first and then looks again; it never asks the provider a second time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::id::ConnectionId;

/// The refreshes under way.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<ConnectionId, Weak<Turn<()>>>>);

impl Flights {
    /// Waits for the connection's turn; it lasts until the guard is dropped.
    pub(super) async fn board(&self, connection: &ConnectionId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            flights.retain(|_, turn| turn.strong_count() > 0);
            match flights.get(connection).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(Turn::new(()));
                    flights.insert(connection.clone(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }
}
