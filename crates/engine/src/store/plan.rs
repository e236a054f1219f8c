//! Plans: PostgreSQL keeps each statement as it was first prepared on a connection, and refuses it once the table has
//! another column.
//!
//! So it is while a newer program brings the schema up to date beside this one. What was prepared goes with its
//! connection: when one refuses, all that are as old are given up as they are next wanted.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::line::Line;
use crate::error::Error;

/// What PostgreSQL says of a plan that fits no more (its code, `0A000`, says other things as well).
const SAID: &str = "cached plan must not change result type";

/// What is known of a server's connections.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// Since when they are as the schema is now.
    since: Mutex<Option<Instant>>,
    /// Whether they can be believed to be there.
    pub line: Line,
}

impl Plans {
    /// Whether a connection of this age has plans from before the schema changed.
    pub(super) fn outdated(&self, age: Duration) -> bool {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() <= age)
    }

    /// Reads an error: where it says that a plan fits no more, every connection that is there is outdated. `true` where
    /// another connection may do.
    pub(super) fn hear(&self, error: &Error) -> bool {
        if self.line.hear(error) {
            return true;
        }
        let Error::Internal(told) = error else { return false };
        if !told.to_string().contains(SAID) {
            return false;
        }
        tracing::info!("the schema changed: connections to the database are made anew");
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        true
    }
}
