//! Which limit stood in the way, so that whoever meets one knows whose it is and what would change it.

use std::fmt;

/// A limit. Its text is for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Calls of one connection in a time: the setting `proxy_rate_limit`.
    Calls,
    /// The provider's own: it said that it takes no calls at present, and until when.
    Provider,
    /// Authorizations that one address, or one workspace, may begin.
    Flows,
    /// How often credentials may be tried.
    Tries,
    /// Tries to sign in.
    SignIns,
    /// How many may wait for a connect request's end.
    Listeners,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "too many requests with this connection (proxy_rate_limit)",
            Self::Provider => {
                "the provider's own limit: it said to wait, and was not asked again. Retry-After says until when"
            }
            Self::Flows => "too many authorizations begun",
            Self::Tries => "too many tries of a credential",
            Self::SignIns => "too many tries to sign in",
            Self::Listeners => "too many wait for the end of a connect request",
        })
    }
}
