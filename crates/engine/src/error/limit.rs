//! Which limit stood in the way, so that whoever meets one knows whose it is and what would change it.

use std::fmt;

/// A limit. Its text is for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Calls of one connection in a time: the setting `proxy_rate_limit`.
    Calls,
    /// Calls of one connection at the same time: the setting `proxy_connection_calls`.
    ConnectionCalls,
    /// Calls to one host of a provider at the same time: the setting `proxy_provider_calls`.
    ProviderCalls,
    /// The time in which more of a request's body has to come: the setting `client_body_timeout`.
    Body,
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
            Self::ConnectionCalls => "too many calls at once with this connection (proxy_connection_calls)",
            Self::ProviderCalls => "too many calls at once to this provider (proxy_provider_calls)",
            Self::Body => "the request's body stalled (client_body_timeout)",
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
