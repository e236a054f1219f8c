//! Verify: whether a token that nobody here has used works, by asking the provider.
//!
//! First the calls that the provider's file names, then the call for the account's identity. The provider's words
//! go on without the token, should it have repeated it.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::{
    keys,
    oauth2::Tokens,
    text,
    verify::{self, Verdict},
};

use super::{call, endpoints, who};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, ProviderFault, Result},
};

/// How a refusal begins; what the provider answered follows.
pub(super) const REFUSED: &str = "The provider does not accept it";

/// Whether the provider's file names calls for this.
pub(super) fn has_calls(provider: &Provider) -> bool {
    provider.verify.as_ref().is_some_and(|verify| !verify.calls.is_empty())
}

/// Asks whether a credential that is in use is still taken; where the provider's file names no calls, it is.
///
/// # Errors
/// As [`by_calls`].
pub(crate) async fn still(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    tokens: &Tokens,
) -> Result<()> {
    tells(broker, integration, provider, inputs, tokens).await.map(drop)
}

/// The same, and says whether any of the calls told it.
///
/// # Errors
/// As [`by_calls`].
pub(crate) async fn tells(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    tokens: &Tokens,
) -> Result<bool> {
    let filled = endpoints::filled(provider, inputs)?;
    by_calls(broker, integration, &filled, inputs, tokens).await
}

/// Makes the provider's calls until one tells. `Ok(false)` when none did. `provider` is filled.
///
/// # Errors
/// `Invalid` naming `access_token` when the provider refuses it; `Provider` when it can't say now.
pub(super) async fn by_calls(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    tokens: &Tokens,
) -> Result<bool> {
    let Some(calls) = &provider.verify else { return Ok(false) };
    let api = who::api(integration, provider, inputs);
    let requests = verify::requests(calls, &api, tokens)
        .map_err(|e| Error::internal(format!("verify calls of {}: {e}", provider.key)))?;
    for request in requests {
        let answer = call::fetch(broker, integration, provider, tokens, request).await?;
        let status = answer.status();
        match verify::read(calls, status, answer.body()) {
            Verdict::Works => return Ok(true),
            Verdict::Refused => return Err(refused(status, words(answer.body(), tokens).as_deref())),
            Verdict::AskNext => {}
            Verdict::Unknown => return Err(unclear(status)),
        }
    }
    Ok(false)
}

/// The provider answered this status, in these words, to a call with the token.
pub(super) fn refused(status: http::StatusCode, words: Option<&str>) -> Error {
    let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
    let message = format!("{REFUSED}: it answered {}{words}", status.as_u16());
    Error::invalid("access_token", message)
}

/// What a provider's answer says went wrong, where it says it in JSON; never the token.
pub(super) fn words(body: &[u8], tokens: &Tokens) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let said = ["/error_description", "/error/message", "/message", "/error"];
    let said = said.iter().find_map(|path| value.pointer(path)?.as_str())?;
    let secrets = keys::spellings(tokens);
    let hidden = text::without(said, &secrets.iter().chain(&tokens.refresh_token).collect::<Vec<_>>());
    text::clean(&hidden)
}

/// The provider answered something that tells nothing.
pub(super) fn unclear(status: http::StatusCode) -> Error {
    let message = format!("the provider answered {} when the token was to be verified", status.as_u16());
    let fault = if status.is_server_error() || status == 429 {
        ProviderFault::Unreachable
    } else {
        ProviderFault::Unreadable
    };
    Error::Provider { fault, message }
}
