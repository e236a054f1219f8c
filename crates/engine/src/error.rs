//! The one error of the engine. Each door renders it in its own shape; nothing else decides a status.
//!
//! What a caller may read is in the fields named `message` and `code`; what only the log may read is in
//! [`Error::Internal`]. No variant ever carries a secret.

use std::time::Duration;

mod limit;

pub use self::limit::Limit;

/// What every engine verb answers with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such thing in this workspace: a foreign id answers just like one that never existed.
    #[error("{what} not found")]
    NotFound {
        /// The noun, for the caller: `connection`, `integration`.
        what: &'static str,
    },
    /// The caller's input is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The parameter or field at fault.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// It contradicts what is there: a key already taken, a version that moved.
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
    },
    /// The caller showed no credential, or one that does not hold.
    #[error("{message}")]
    Unauthenticated {
        /// What was missing.
        message: String,
    },
    /// The caller is known but may not do this.
    #[error("{message}")]
    Denied {
        /// What is not allowed.
        message: String,
    },
    /// Over a limit.
    #[error("{limit}")]
    Limited {
        /// Which.
        limit: Limit,
        /// When to try again.
        retry_after: Duration,
    },
    /// The target of a proxied call is not one that this credential may be sent to.
    #[error("{message}")]
    TargetNotAllowed {
        /// Which part of the target, and why.
        message: String,
    },
    /// The provider, or the way to it, failed.
    #[error("provider: {message}")]
    Provider {
        /// How it failed.
        fault: ProviderFault,
        /// What happened, without secrets.
        message: String,
    },
    /// The connection needs its owner to authorize again.
    #[error("{message}")]
    NeedsReauth {
        /// Why, in the provider's words where it gave any.
        message: String,
    },
    /// Not offered, or not yet.
    #[error("{message}")]
    NotSupported {
        /// What is not offered.
        message: String,
    },
    /// Our own fault. The text goes to the log, never to a caller.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// What [`Error::Internal`] holds where the database had no connection left in time, or can't be reached: the same request
/// may be answered a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("database: no connection was free in time, or it can't be reached")]
struct Busy;

/// How long whoever met [`Busy`] should wait.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// How a provider failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderFault {
    /// It could not be reached: name, address, TCP or TLS.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It answered with an OAuth error.
    Refused,
    /// It answered with something that is no answer at all.
    Unreadable,
}

impl ProviderFault {
    const ALL: [Self; 4] = [Self::Unreachable, Self::TimedOut, Self::Refused, Self::Unreadable];

    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }

    /// Reads what [`ProviderFault::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == text)
    }
}

impl Error {
    /// An internal error of ours with a text for the log.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(anyhow::anyhow!(message.into()))
    }

    /// Whether the same request may be answered a little later, though nothing is wrong with it nor known to be wrong with
    /// us: the database had no connection for it in time.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Internal(why) if why.is::<Busy>())
    }

    /// When to try again, where that can be said, in whole seconds for a `Retry-After` (RFC 9110 §10.2.3).
    pub fn retry_after(&self) -> Option<u64> {
        let wait = match self {
            // Whoever stalled knows best when to go on.
            Self::Limited { limit: Limit::Body, .. } => return None,
            Self::Limited { retry_after, .. } => *retry_after,
            _ if self.is_busy() => BUSY_FOR,
            _ => return None,
        };
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }

    /// The database has no connection left, or can't be reached.
    pub fn busy() -> Self {
        Self::Internal(Busy.into())
    }

    /// A wrong input, naming the field.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_try_again_is_told_when() {
        let limited =
            |millis| Error::Limited { limit: Limit::Calls, retry_after: Duration::from_millis(millis) };
        assert_eq!([0, 1000, 1001].map(|millis| limited(millis).retry_after()), [Some(1), Some(1), Some(2)]);
        assert!(Error::busy().is_busy() && Error::busy().retry_after().is_some());
        let other = Error::internal("something else");
        assert!(!other.is_busy() && other.retry_after().is_none());
    }
}
