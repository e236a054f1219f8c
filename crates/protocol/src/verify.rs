//! Whether a credential works, by the calls that a provider file's `[verify]` names.

use bytes::Bytes;
use claviger_catalog::Verify;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::{ProtocolError, call, json, oauth2::Tokens};

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

/// Reads one call's answer: its status, and where the file has a rule for errors inside a success, its body.
pub fn read(verify: &Verify, status: StatusCode, body: &[u8]) -> Verdict {
    if status.is_success() && verify.error.path.is_some() {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let code = json::text(&value, &verify.error.code);
        return match json::fails(&verify.error, &value) {
            false if value.is_object() => Verdict::Works,
            true if code.is_some_and(|code| verify.error.invalid_grant.contains(&code)) => Verdict::Refused,
            _ => Verdict::Unknown,
        };
    }
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

    fn verify(error: &str) -> Verify {
        toml::from_str(&format!("calls = []\n{error}")).expect("a table")
    }

    #[test]
    fn a_status_is_a_verdict() {
        let verify = verify("");
        for (status, verdict) in
            [(204, Verdict::Works), (401, Verdict::Refused), (404, Verdict::AskNext), (503, Verdict::Unknown)]
        {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(read(&verify, status, b""), verdict, "{status}");
        }
    }

    /// Quirk 27: a refusal with status 200.
    #[test]
    fn a_success_may_hold_an_error() {
        let verify =
            verify("error = { path = \"ok\", is = [\"false\"], invalid_grant = [\"invalid_auth\"] }");
        let read = |status: u16, body: &str| {
            super::read(&verify, StatusCode::from_u16(status).expect("a status"), body.as_bytes())
        };
        assert_eq!(read(200, r#"{"ok":true,"user_id":"U1"}"#), Verdict::Works);
        assert_eq!(read(200, r#"{"ok":false,"error":"invalid_auth"}"#), Verdict::Refused);
        assert_eq!(read(200, r#"{"ok":false,"error":"internal_error"}"#), Verdict::Unknown);
        assert_eq!(read(200, "<html>"), Verdict::Unknown);
        assert_eq!(read(401, r#"{"ok":true}"#), Verdict::Refused);
    }
}
