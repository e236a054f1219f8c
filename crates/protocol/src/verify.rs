//! Whether a credential works, by the calls that a provider file's `[verify]` names.

use bytes::Bytes;
use claviger_catalog::Verify;
use http::{Request, StatusCode};

use crate::{ProtocolError, call, oauth2::Tokens};

/// What one call's status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The credential works.
    Works,
    /// The provider refuses it.
    Refused,
    /// This call says nothing about it (another plan, another host): ask the next.
    AskNext,
    /// The provider is not able to say now.
    Unknown,
}

/// The calls, in order.
///
/// # Errors
/// When one can't be built from what is known.
pub fn requests(
    verify: &Verify,
    base_url: Option<&str>,
    tokens: &Tokens,
) -> Result<Vec<Request<Bytes>>, ProtocolError> {
    verify.calls.iter().map(|one| call::request(one, base_url, tokens)).collect()
}

/// Reads one call's status.
pub fn read(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..300 => Verdict::Works,
        401 => Verdict::Refused,
        403 | 404 => Verdict::AskNext,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_verdict() {
        for (status, verdict) in
            [(204, Verdict::Works), (401, Verdict::Refused), (404, Verdict::AskNext), (503, Verdict::Unknown)]
        {
            assert_eq!(read(StatusCode::from_u16(status).expect("a status")), verdict, "{status}");
        }
    }
}
