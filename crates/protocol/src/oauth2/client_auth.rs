//! Client authentication at the token and revocation endpoints (RFC 6749 §2.3.1, RFC 7523 §2.2).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::OAuth2;
use http::header;

use crate::{
    ProtocolError,
    assertion::CLIENT_ASSERTION,
    build::{self, Draft},
    oauth2::{Client, ClientAuth},
};

/// Adds the client's id and secret to a request, under the standard names. A file's other names are given
/// later.
pub(super) fn add(oauth2: &OAuth2, client: &Client<'_>, draft: &mut Draft<'_>) -> Result<(), ProtocolError> {
    match (client.auth, client.secret) {
        (ClientAuth::Basic, Some(secret)) => {
            let part = |text: &str| {
                if oauth2.basic_encode {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
                } else {
                    text.to_owned()
                }
            };
            let (id, secret) = (part(client.id), part(secret.expose()));
            let known = [("client_id", Some(id.as_str())), ("client_secret", Some(secret.as_str()))];
            let user = build::fill(&oauth2.basic_format, &known)?;
            let value = format!("Basic {}", BASE64_STANDARD.encode(user));
            draft.headers.push((header::AUTHORIZATION.to_string(), value));
        }
        (ClientAuth::Body, Some(secret)) => {
            draft.set("client_id", client.id);
            draft.set("client_secret", secret.expose());
        }
        (ClientAuth::PrivateKeyJwt | ClientAuth::ClientSecretJwt, _) => {
            let assertion = client.assertion.filter(|assertion| !assertion.is_empty());
            let missing = || ProtocolError::Missing("the client assertion".to_owned());
            draft.set("client_id", client.id);
            draft.set("client_assertion_type", CLIENT_ASSERTION);
            draft.set("client_assertion", assertion.ok_or_else(missing)?.expose());
        }
        (ClientAuth::None | ClientAuth::Tls, _) | (_, None) => draft.set("client_id", client.id),
    }
    Ok(())
}
