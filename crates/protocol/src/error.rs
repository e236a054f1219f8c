//! Why a request could not be built. Names what is wrong, never a value.

/// A request that could not be built, or stored tokens that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The named URL is not one that can be called, or still has placeholders.
    #[error("the {0} is not a usable URL")]
    Url(&'static str),
    /// Something the request needs was not given.
    #[error("{0} is missing")]
    Missing(String),
    /// The named parameter is the protocol's own and can't be set from outside.
    #[error("the parameter `{0}` can't be set")]
    Forbidden(String),
    /// The named header can't be sent as it is.
    #[error("the header `{0}` can't be sent")]
    Header(String),
    /// The named thing could not be read.
    #[error("{0} could not be read")]
    Unreadable(&'static str),
}
