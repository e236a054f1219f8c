//! ID tokens: who signed in at an OpenID provider, in its own signed word (OpenID Connect Core §3.1.3.7).
//!
//! Looked at where one came along, the scope `openid` was asked for, and the provider's issuer is known and says where its
//! keys are. One that is wrong ends the flow: then the tokens beside it are not what was asked for. Where it can't be
//! checked – the keys can't be had now, or it is signed with a shared secret or encrypted – the account is asked for as at
//! any other provider, and nothing may rest on what the token says.

use claviger_protocol::{
    id_token::{self, Expected, IdTokenError},
    oauth2::{Tokens, authorize},
};
use serde_json::Value;

use super::{discovery, issuer_keys};
use crate::{
    broker::Broker,
    domain::{flow::Endpoints, integration::Integration},
    error::{Error, ProviderFault, Result},
    secret::Secret,
    vault::hash,
};

/// The scope that asks for an ID token (OpenID Connect Core §3.1.2.1).
const OPENID: &str = "openid";

/// Whether an ID token is asked for, of an issuer that is known.
pub(super) fn is_asked_for(at: &Endpoints) -> bool {
    at.issuer.is_some() && at.scopes.iter().any(|scope| scope == OPENID)
}

/// The nonce that goes to the provider with this state, and what is kept of it.
pub(super) fn nonce(state: &Secret) -> (String, String) {
    let nonce = authorize::nonce(state);
    let kept = hash::token(&nonce);
    (nonce, kept)
}

/// What there is of an ID token.
pub(super) enum Said {
    /// None came along, or none was asked for.
    Nothing,
    /// There is one that can't be checked.
    Unchecked,
    /// The claims of one that holds.
    Claims(Value),
}

/// What the ID token says that came with these tokens.
///
/// # Errors
/// `Provider` when it is not what was asked for.
pub(super) async fn claims(
    broker: &Broker,
    integration: &Integration,
    at: &Endpoints,
    tokens: &Tokens,
) -> Result<Said> {
    let (Some(token), Some(issuer), Some(client_id)) =
        (&tokens.id_token, &at.issuer, integration.client_id.as_deref())
    else {
        return Ok(Said::Nothing);
    };
    if !is_asked_for(at) {
        return Ok(Said::Nothing);
    }
    match checked(broker, at, issuer, client_id, token).await {
        Ok(Some(claims)) => Ok(Said::Claims(claims)),
        Ok(None) => Ok(Said::Unchecked),
        Err(Unchecked::Wrong(error @ IdTokenError::Unchecked)) => {
            tracing::warn!(integration = %integration.id, %issuer, %error, "an ID token could not be checked");
            Ok(Said::Unchecked)
        }
        Err(Unchecked::Wrong(error)) => {
            tracing::warn!(integration = %integration.id, %issuer, %error, "an ID token does not hold");
            let fault = ProviderFault::Unreadable;
            Err(Error::Provider { fault, message: error.to_string() })
        }
        Err(Unchecked::Away(error)) => {
            tracing::warn!(integration = %integration.id, %issuer, %error, "an ID token could not be checked");
            Ok(Said::Unchecked)
        }
    }
}

/// Why an ID token was not checked to its end.
enum Unchecked {
    /// It is not what was asked for.
    Wrong(IdTokenError),
    /// What it is checked with can't be had.
    Away(Error),
}

async fn checked(
    broker: &Broker,
    at: &Endpoints,
    issuer: &str,
    client_id: &str,
    token: &Secret,
) -> std::result::Result<Option<Value>, Unchecked> {
    let metadata = discovery::metadata(broker, issuer).await.map_err(Unchecked::Away)?;
    let Some(url) = &metadata.jwks_uri else { return Ok(None) };
    let expected = Expected {
        issuer,
        client_id,
        nonce_hash: at.nonce_hash.as_deref(),
        algorithms: metadata.id_token_algorithms.as_deref(),
        now: broker.clock.now().0,
    };
    let keys = issuer_keys::known(broker, url).await.map_err(Unchecked::Away)?;
    let claims = match id_token::verify(token, &keys, &expected) {
        Err(IdTokenError::UnknownKey) => {
            let keys = issuer_keys::anew(broker, url).await.map_err(Unchecked::Away)?;
            id_token::verify(token, &keys, &expected)
        }
        told => told,
    };
    claims.map(Some).map_err(Unchecked::Wrong)
}
