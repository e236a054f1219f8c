//! Why an exchange failed, and whether the provider can have seen any of it.

use std::{error::Error as StdError, fmt};

use crate::error::{Error, ProviderFault};

/// A failed exchange. Its message never holds a secret, a header or a URL's path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How it failed.
    pub kind: FailureKind,
    /// Whether no byte of the request left, so that any method may be tried again.
    pub nothing_sent: bool,
    /// What happened, for the log and the caller.
    pub message: String,
}

/// How an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The policy refuses an address of the name, or plain http to it.
    Blocked,
    /// The name does not resolve.
    Resolve,
    /// No address could be connected to.
    Connect,
    /// The TLS handshake failed: a wrong certificate, most often.
    Tls,
    /// Some step took longer than its timeout.
    TimedOut,
    /// The answer was larger than the caller takes.
    TooLarge,
    /// Not a URL that anything could be sent to.
    BadUrl,
    /// The connection broke, or the other side does not speak HTTP.
    Broken,
}

impl Failure {
    /// A failure before any byte of the request left.
    pub(super) fn unsent(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, nothing_sent: true, message: message.into() }
    }

    /// A failure after which the provider may have acted on the request.
    pub(super) fn sent(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, nothing_sent: false, message: message.into() }
    }

    pub(super) fn timed_out(message: &str) -> Self {
        Self::sent(FailureKind::TimedOut, message)
    }

    pub(super) fn too_large(cap: usize) -> Self {
        Self::sent(FailureKind::TooLarge, format!("the answer is larger than {cap} bytes"))
    }

    /// An answer that stopped before its end without any error.
    pub(super) fn cut() -> Self {
        Self::sent(FailureKind::Broken, "the answer stopped before its end")
    }

    /// Reads why a request got no answer over a connection that was had: our own failure, when there is one inside.
    pub(super) fn from_exchange(error: &(dyn StdError + 'static)) -> Self {
        match find(error) {
            Some(own) => own.clone(),
            None if protocol_error(error).is_some_and(is_unprocessed) => {
                Self::unsent(FailureKind::Broken, innermost(error))
            }
            None => Self::sent(FailureKind::Broken, innermost(error)),
        }
    }

    /// Reads what went wrong while an answer's body streamed.
    pub(super) fn from_body(error: &(dyn StdError + 'static)) -> Self {
        match find(error) {
            Some(own) => own.clone(),
            None => Self::sent(FailureKind::Broken, innermost(error)),
        }
    }
}

fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Failure> {
    chain(error).find_map(|error| error.downcast_ref::<Failure>())
}

/// Whether the other side asks for HTTP/1.1 instead.
pub(super) fn wants_http1(error: &(dyn StdError + 'static)) -> bool {
    protocol_error(error).is_some_and(asks_for_http1)
}

fn asks_for_http1(error: &h2::Error) -> bool {
    error.is_remote() && error.reason() == Some(h2::Reason::HTTP_1_1_REQUIRED)
}

/// Whether an error of HTTP/2 says that nobody has looked at the request, so that it may be sent again whatever it does:
/// it was refused, it came behind the last one that a closing connection takes (RFC 9113 §8.7), or it is to come in HTTP/1.1.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // Of a connection that closes, only the requests behind the last one fail with this.
    error.is_remote() && (refused || error.is_go_away() || asks_for_http1(error))
}

fn protocol_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a h2::Error> {
    chain(error).find_map(|error| error.downcast_ref::<h2::Error>())
}

/// The last error of the chain: the outer ones only say that a request failed. One of HTTP/2 without what the other side wrote
/// beside its code: nobody knows what that repeats.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    if let Some(reason) = protocol_error(error).and_then(h2::Error::reason) {
        return format!("HTTP/2: {}", reason.description());
    }
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message, .. } = failure;
        match kind {
            FailureKind::Blocked | FailureKind::BadUrl => Self::TargetNotAllowed { message },
            FailureKind::TimedOut => Self::Provider { fault: ProviderFault::TimedOut, message },
            FailureKind::TooLarge => Self::Provider { fault: ProviderFault::Unreadable, message },
            FailureKind::Resolve | FailureKind::Connect | FailureKind::Tls | FailureKind::Broken => {
                Self::Provider { fault: ProviderFault::Unreachable, message }
            }
        }
    }
}
