//! Line: whether PostgreSQL's connections can be believed to be there.
//!
//! A server that is restarted, or that a standby takes the place of, ends all at once; a cut line ends none, and nothing
//! comes through any more. So after one such failure each connection is asked before it is used and when it comes back,
//! until a while went by without another.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::fault::SILENT;
use crate::error::Error;

/// For how long after a failure every connection is asked.
const SHAKEN_FOR: Duration = Duration::from_secs(60);
/// What PostgreSQL says to those that it ends: by an administrator, after a crash, while it starts or stops (class 57P).
const ENDED: &str = "(code 57P0";

/// When a connection last failed as such.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Option<Instant>>);

impl Line {
    /// Whether connections are to be asked whether they are there.
    pub(super) fn is_shaken(&self) -> bool {
        self.is_shaken_at(Instant::now())
    }

    fn is_shaken_at(&self, now: Instant) -> bool {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| now.duration_since(at) < SHAKEN_FOR)
    }

    /// Reads an error; `true` where the connection is gone and another one may do.
    pub(super) fn hear(&self, error: &Error) -> bool {
        let Error::Internal(told) = error else { return false };
        let text = told.to_string();
        let broke = matches!(told.downcast_ref(), Some(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)));
        let gone = broke || text.contains(ENDED);
        if gone || text.contains(SILENT) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_connection_has_all_of_them_asked_for_a_while() {
        let broken = || {
            let error = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
            Error::Internal(anyhow::Error::new(error).context("database"))
        };
        let ended = || Error::internal("database: terminating connection (code 57P01)");
        let silent = || Error::internal(format!("database: {SILENT} 20s"));
        for (error, another) in [(broken(), true), (ended(), true), (silent(), false)] {
            let line = Line::default();
            assert!(!line.is_shaken());
            let before = Instant::now();
            assert_eq!((line.hear(&error), line.is_shaken()), (another, true), "{error:?}");
            assert!(line.is_shaken_at(before + SHAKEN_FOR - Duration::from_millis(1)));
            assert!(!line.is_shaken_at(Instant::now() + SHAKEN_FOR));
        }
        for other in [
            Error::internal("database: cannot execute UPDATE in a read-only transaction (code 25006)"),
            Error::Conflict { message: "it already exists".into() },
        ] {
            let line = Line::default();
            assert!(!line.hear(&other) && !line.is_shaken(), "{other:?}");
        }
    }
}
