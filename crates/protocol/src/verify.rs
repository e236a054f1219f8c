//! Whether a credential works, by the calls that a provider file's `[verify]` names.

use bytes::Bytes;
use claviger_catalog::{Api, Verify};
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

/// The calls, in order, each with the credential where calls of `api` carry it. `api` is the filled provider's, with
/// the base URL that holds for this connection.
///
/// # Errors
/// When one can't be built from what is known.
pub fn requests(verify: &Verify, api: &Api, tokens: &Tokens) -> Result<Vec<Request<Bytes>>, ProtocolError> {
    verify.calls.iter().map(|one| call::request(one, api, tokens)).collect()
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
        other if verify.refused.contains(&other) => Verdict::Refused,
        401 => Verdict::Refused,
        403 | 404 => Verdict::AskNext,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oauth2::testing::{shown, tokens},
        secret::Secret,
    };

    fn verify(error: &str) -> Verify {
        toml::from_str(&format!("calls = []\n{error}")).expect("a table")
    }

    /// A credential is shown where the API's calls carry it, unless the call says where itself.
    #[test]
    fn calls_carry_the_credential_as_the_api_does() {
        let made = |place: &str, call: &str| {
            let api = format!("base_url = \"https://api.example/v1\"\n{place}");
            let api: Api = toml::from_str(&api).expect("an api");
            let verify = toml::from_str(&format!("calls = [{{ {call} }}]")).expect("a table");
            let requests = requests(&verify, &api, &tokens("u:p", None)).expect("requests");
            requests.iter().map(shown).collect::<Vec<_>>().join("\n")
        };
        let me = "url = \"/me\"";
        let basic = "place = { format = \"Basic {token}\", base64 = \"{token}\" }";
        let header = "place = { header = \"X-Key\", format = \"{token}\" }";
        let query = "place.query = \"key\"";
        for (place, call, expected) in [
            ("", me, "GET https://api.example/v1/me\nauthorization: Bearer u:p"),
            (basic, me, "GET https://api.example/v1/me\nauthorization: Basic dTpw"),
            (header, me, "GET https://api.example/v1/me\nx-key: u:p"),
            (query, me, "GET https://api.example/v1/me?key=u%3Ap"),
            (
                query,
                "url = \"https://other.example/me?a=1\", params = { b = \"2\" }",
                "GET https://other.example/me?a=1&b=2&key=u%3Ap",
            ),
            (
                query,
                "url = \"/me\", params = { key = \"{token}!\" }",
                "GET https://api.example/v1/me?key=u%3Ap%21",
            ),
            (
                header,
                "url = \"/me\", headers = { x-key = \"k {token}\" }",
                "GET https://api.example/v1/me\nx-key: k u:p",
            ),
            (
                header,
                "url = \"/me\", headers = { Authorization = \"Key {token}\" }",
                "GET https://api.example/v1/me\nauthorization: Key u:p",
            ),
        ] {
            assert_eq!(made(place, call), expected, "{place}");
        }
    }

    /// Where headers or parameters of all calls carry the credential, those of a check do; what else they have stays out.
    #[test]
    fn calls_carry_fields_as_the_api_does() {
        let api: Api = toml::from_str(
            "base_url = \"https://api.example\"\nheaders = { X-Key = \"{key}\", X-Version = \"3\", X-App = \"{app}\" }\n\
             query = { t = \"{token}\" }\nplace.format = \"\"",
        )
        .expect("an api");
        let typed = [("key", "k"), ("app", "a")].map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let held = Tokens { typed: typed.into(), ..tokens("tok", None) };
        let made = |call: &str| {
            let verify = toml::from_str(&format!("calls = [{{ {call} }}]")).expect("a table");
            shown(&requests(&verify, &api, &held).expect("requests")[0])
        };
        assert_eq!(made("url = \"/me\""), "GET https://api.example/me?t=tok\nx-app: a\nx-key: k");
        assert_eq!(
            made("url = \"/me\", params = { t = \"own\", k = \"{key}\" }, headers = { x-key = \"own\" }"),
            "GET https://api.example/me?k=k&t=own\nx-key: own\nx-app: a"
        );
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

    /// Where 403 is said of the key itself.
    #[test]
    fn another_status_may_refuse() {
        let verify = verify("refused = [403]");
        for (status, verdict) in [(200, Verdict::Works), (403, Verdict::Refused), (404, Verdict::AskNext)] {
            assert_eq!(
                read(&verify, StatusCode::from_u16(status).expect("a status"), b""),
                verdict,
                "{status}"
            );
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
