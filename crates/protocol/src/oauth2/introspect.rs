//! Whether a token still works, as its authorization server says (RFC 7662).
//!
//! Asking spends nothing. Must never take anything but a plain yes or no for one: whoever reads a no takes a token for
//! dead, and whoever reads a yes sends it once more.

use bytes::Bytes;
use claviger_catalog::OAuth2;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::{
    ProtocolError,
    build::Draft,
    oauth2::{Client, client_auth},
    secret::Secret,
};

/// The request that asks of a refresh token (RFC 7662 §2.1). The client authenticates as at the token endpoint.
///
/// # Errors
/// When it can't be built from what is known.
pub fn request(
    oauth2: &OAuth2,
    url: &str,
    client: &Client<'_>,
    refresh_token: &Secret,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("introspection endpoint", url);
    draft.set("token", refresh_token.expose());
    draft.set("token_type_hint", "refresh_token");
    client_auth::add(oauth2, client, &mut draft)?;
    draft.finish()
}

/// Reads its answer (RFC 7662 §2.2): whether the token is active. `None` where that is not said: for any other status
/// than 200, and for whatever is not a JSON object with a boolean `active`.
pub fn read(status: StatusCode, body: &[u8]) -> Option<bool> {
    if status != StatusCode::OK {
        return None;
    }
    serde_json::from_slice::<Value>(body).ok()?.get("active")?.as_bool()
}

#[cfg(test)]
mod tests {
    use claviger_catalog::ClientAuth;

    use super::*;
    use crate::oauth2::testing::{client, provider, shown};

    const URL: &str = "https://acme.example/introspect";

    fn made(lines: &str, auth: ClientAuth) -> String {
        let (secret, token) = (Secret::new("s3c"), Secret::new("RT"));
        shown(&request(&provider(lines), URL, &client(&secret, auth), &token).expect("a request"))
    }

    /// RFC 7662 §2.1.
    #[test]
    fn the_refresh_token_is_asked_of_by_the_client() {
        let asked = "token=RT&token_type_hint=refresh_token";
        for (auth, expected) in [
            (ClientAuth::Body, format!("POST {URL}\n\n{asked}&client_id=cid&client_secret=s3c")),
            (ClientAuth::Basic, format!("POST {URL}\nauthorization: Basic Y2lkOnMzYw==\n\n{asked}")),
            (ClientAuth::None, format!("POST {URL}\n\n{asked}&client_id=cid")),
        ] {
            assert_eq!(made("", auth), expected);
        }
    }

    #[test]
    fn nothing_is_asked_of_an_address_that_is_none() {
        let (secret, token) = (Secret::new("s3c"), Secret::new("RT"));
        let client = client(&secret, ClientAuth::Body);
        for url in ["", "/introspect", "https://{host}/introspect", "https://acme.example/#x"] {
            assert!(request(&provider(""), url, &client, &token).is_err(), "{url}");
        }
    }

    /// RFC 7662 §2.2: `active` is required, and a boolean.
    #[test]
    fn only_a_plain_yes_or_no_is_one() {
        for (status, body, said) in [
            (200, r#"{"active":true}"#, Some(true)),
            (200, r#"{"active":true,"exp":1,"scope":"a b"}"#, Some(true)),
            (200, r#"{"active":false}"#, Some(false)),
            (200, r#"{"active":false,"error":"x"}"#, Some(false)),
            (200, r#"{"active":"true"}"#, None),
            (200, r#"{"active":1}"#, None),
            (200, r#"{"active":null}"#, None),
            (200, r#"{"token":{"active":true}}"#, None),
            (200, "{}", None),
            (200, "[]", None),
            (200, "true", None),
            (200, "", None),
            (200, "<html>", None),
            (204, "", None),
            (302, r#"{"active":true}"#, None),
            (400, r#"{"active":false}"#, None),
            (401, r#"{"active":false,"error":"invalid_client"}"#, None),
            (404, r#"{"active":false}"#, None),
            (503, r#"{"active":false}"#, None),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(read(status, body.as_bytes()), said, "{status} {body}");
        }
    }
}
