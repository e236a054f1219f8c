//! Steps: what somebody typed in is exchanged for a token, in the one or two requests of the provider's file; for the first
//! token as well as for each that takes its place.
//!
//! It talks to the provider and writes nothing. Must never go on to the second request before the first is understood, nor
//! repeat what was typed.

use std::collections::BTreeMap;

use claviger_catalog::{CertificateAt, Provider};
use claviger_protocol::{
    ProtocolError,
    oauth2::{TokenError, Tokens},
    steps::{self, Saved},
};

use super::{ANSWER_CAP, certificate, endpoints};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
    secret::Secret,
};

/// Makes the requests with what is `held` of typed values. The outer error is ours or the network's, the inner one the
/// provider's, without what was sent to it.
///
/// # Errors
/// `Invalid` naming `connection_parameters` for a value that can't be sent where the file puts it.
pub(super) async fn run(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let way = certificate::way(broker, integration, provider, &held.typed, CertificateAt::Token).await?;
    let way = way.as_ref().unwrap_or(&broker.outbound);
    let (mut inputs, mut before) = (inputs.clone(), Saved::default());
    let count = provider.steps().map_or(0, |steps| steps.request.len());
    for i in 0..count {
        // Filled anew for each: its URL may name what the one before told.
        let filled = endpoints::filled(provider, &inputs)?;
        let steps = filled.steps().ok_or_else(|| Error::internal("a provider lost its steps"))?;
        let known = filled.values(&inputs).map_err(|e| Error::invalid("inputs", e.to_string()))?;
        let typed = typed(provider, held);
        let value = |name: &str| {
            let secret = before.secret.get(name).or_else(|| typed.get(name).copied());
            secret.map(Secret::expose).or_else(|| known.get(name).map(String::as_str))
        };
        let request = steps::request(&steps.request[i], value).map_err(|e| unbuilt(integration, &e))?;
        let answer = way.fetch(request, ANSWER_CAP).await?;
        let (status, now) = (answer.status(), broker.clock.now().0);
        let (headers, body) = (answer.headers(), answer.body());
        if i + 1 == count {
            let got = steps::last(steps, before.clone(), held.typed.clone(), status, headers, body, now);
            return Ok(got.map_err(|error| hiding(error, held, &before)));
        }
        match steps::between(steps, &steps.request[i], status, headers, body, now) {
            Ok(saved) => {
                inputs.extend(saved.open.clone());
                before.extend(saved);
            }
            Err(error) => return Ok(Err(hiding(error, held, &before))),
        }
    }
    Err(Error::internal(format!("{} has no steps", provider.key)))
}

/// What of the held values was typed in: what an earlier run took out of an answer is not sent again.
fn typed<'a>(provider: &Provider, held: &'a Tokens) -> BTreeMap<&'a str, &'a Secret> {
    let own = provider.keys().into_iter().flat_map(claviger_catalog::Keys::values).map(|value| value.name);
    own.filter_map(|name| held.typed.get_key_value(name))
        .map(|(name, value)| (name.as_str(), value))
        .collect()
}

fn hiding(error: TokenError, held: &Tokens, before: &Saved) -> TokenError {
    error.hiding(&held.typed.values().chain(before.secret.values()).collect::<Vec<_>>())
}

fn unbuilt(integration: &Integration, error: &ProtocolError) -> Error {
    match error {
        ProtocolError::Header(_) | ProtocolError::Unreadable(_) => {
            Error::invalid("connection_parameters", "Holds a character that can't be sent")
        }
        _ => Error::internal(format!("a step of {}: {error}", integration.id)),
    }
}
