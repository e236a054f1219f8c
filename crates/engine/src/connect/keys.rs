//! Keys: a credential that somebody typed in becomes a token set, once its provider has taken it.
//!
//! Nothing is written here, and nothing of what was typed is ever repeated: [`super::record`] writes. Which fields
//! there are and what they may look like is the provider file's.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Keys, Provider};
use claviger_protocol::{identity, keys, oauth2::Tokens, text};
use http::StatusCode;

use super::{
    endpoints, verify,
    who::{self, Told},
};
use crate::{
    broker::Broker,
    domain::{connection::Account, integration::Integration},
    error::{Error, Result},
    secret::Secret,
};

/// A credential that its provider takes: what came of it is what comes of a code.
pub(super) use super::exchange::Exchanged as Accepted;

/// The fields of a provider whose credential is typed in.
///
/// # Errors
/// `Conflict` for one that is authorized in a browser instead.
pub(super) fn of(provider: &Provider) -> Result<&Keys> {
    let message = || format!("{} takes no key: it is authorized in a browser", provider.name);
    provider.keys().ok_or_else(|| Error::Conflict { message: message() })
}

/// What is wrong with the values given, by field; empty when nothing is. The provider is not asked.
pub(super) fn wrong(keys: &Keys, given: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = keys.clone();
    // One error at a time is told: the field at fault is left out, and the others are looked at.
    while let Err(error) = keys::checked(&left, given) {
        left.fields.retain(|field| field.key != error.field);
        found.insert(error.field, error.message);
    }
    found
}

/// How a field is named in errors: fields that a file names itself have one name together.
pub(super) fn named(field: &str) -> &'static str {
    let known = ["api_key", "username", "password", "token", "client_id", "client_secret"];
    known.into_iter().find(|known| *known == field).unwrap_or("connection_parameters")
}

/// Makes a token set of what was typed in, and has the provider say whether it takes it, where its file names a call
/// for that. `inputs` are checked already, and complete.
///
/// # Errors
/// `Invalid` naming `api_key`, `username`, `password`, `token` or `connection_parameters`: what is wrong with it, or that the provider refuses
/// it, which is said at the first secret of them; `Provider` when it can't say now.
pub(super) async fn accept(
    broker: &Broker,
    integration: &Integration,
    provider: &Arc<Provider>,
    mut inputs: BTreeMap<String, String>,
    given: &BTreeMap<String, Secret>,
) -> Result<Accepted> {
    let of = of(provider)?;
    let tokens = keys::tokens(of, given).map_err(|e| Error::invalid(named(&e.field), e.message))?;
    let secret = of.fields.iter().find(|field| field.secret).map_or("api_key", |field| named(&field.key));
    inputs.extend(keys::plain(of, given));
    let found = ask(broker, integration, provider, &inputs, &tokens).await;
    let found = found.map_err(|error| at(error, secret, &tokens))?;
    inputs.extend(found.saved);
    let account = Account { id: found.id, name: found.name, email: found.email };
    Ok(Accepted { tokens, account, inputs })
}

/// Asks the provider by the calls of its file, then by that for the account's identity. Where neither tells, the
/// credential is taken: a key that may do little may well be refused by them.
async fn ask(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    tokens: &Tokens,
) -> Result<identity::Account> {
    let filled = endpoints::filled(provider, inputs)?;
    let works = verify::by_calls(broker, integration, &filled, inputs, tokens).await?;
    let told = who::ask(broker, integration, &filled, inputs, None, tokens).await;
    if works {
        return Ok(who::or_unknown(&filled, told));
    }
    match told? {
        Told::Status(status, words) if status == StatusCode::UNAUTHORIZED => {
            Err(verify::refused(status, words.as_deref()))
        }
        Told::Status(status, _) if !matches!(status.as_u16(), 403 | 404) => Err(verify::unclear(status)),
        told => Ok(who::or_unknown(&filled, Ok(told))),
    }
}

/// A refusal, said at the field that it is about, and without what was typed, should the provider have repeated it.
fn at(error: Error, field: &'static str, tokens: &Tokens) -> Error {
    let spellings = keys::spellings(tokens);
    let hidden = |message: &str| text::without(message, &spellings.iter().collect::<Vec<_>>());
    match error {
        Error::Invalid { field: "access_token", message } => Error::invalid(field, hidden(&message)),
        Error::Provider { fault, message } => Error::Provider { fault, message: hidden(&message) },
        other => other,
    }
}
