//! Keys: a connection without a browser's way to the provider: what somebody typed in becomes a token set, once its
//! provider has taken it; or nobody has to type anything, and the integration's own client gets the token.
//!
//! Nothing is written here, and nothing of what was typed is ever repeated: [`super::record`] writes. Which fields
//! there are and what they may look like is the provider file's.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{CertificateOf, KeyField, Keys, Kind, Provider};
use claviger_protocol::{
    identity,
    keys::{self, Amiss},
    oauth2::{TokenError, TokenErrorKind, Tokens},
    text,
};
use http::StatusCode;

use super::{
    ask::Fault,
    certificate, endpoints, exchange, issue, renew, verify,
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
    provider.keys().ok_or_else(|| no_key(provider))
}

fn no_key(provider: &Provider) -> Error {
    Error::Conflict { message: format!("{} takes no key: it is authorized in a browser", provider.name) }
}

/// What is wrong with the values given, by field; empty when nothing is. The provider is not asked.
pub(crate) fn wrong(keys: &Keys, given: &BTreeMap<String, Secret>) -> BTreeMap<String, Fault> {
    let mut found = BTreeMap::new();
    let mut left = keys.clone();
    // One error at a time is told: the field at fault is left out, and the others are looked at.
    while let Err(error) = keys::checked(&left, given) {
        let field = left.fields.iter().find(|field| field.key == error.field);
        let example = field.and_then(|field| field.label.placeholder.clone());
        left.fields.retain(|field| field.key != error.field);
        let fault = match error.amiss {
            Amiss::Missing => Fault::Missing,
            Amiss::NotListed => Fault::NotListed,
            Amiss::Unlike => Fault::Unlike { example },
            Amiss::Other => Fault::Said(error.message),
        };
        found.insert(error.field, fault);
    }
    found
}

/// A key that was pasted comes with the white space around it; a password may begin or end with some.
pub(crate) fn trimmed(typed: &BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let one = |(key, value): (&String, &Secret)| match key.as_str() {
        "password" => (key.clone(), value.clone()),
        _ => (key.clone(), Secret::new(value.expose().trim())),
    };
    typed.iter().map(one).collect()
}

/// How a field is named in errors: fields that a file names itself have one name together.
pub(super) fn named(field: &str) -> &'static str {
    let known = ["api_key", "username", "password", "token", "client_id", "client_secret"];
    known.into_iter().find(|known| *known == field).unwrap_or("connection_parameters")
}

/// Whether a connection at this provider is made at once, without anybody being asked for anything but its inputs.
pub(super) fn at_once(provider: &Provider) -> bool {
    match provider.kind() {
        Kind::ClientCredentials | Kind::WorkspaceToken => true,
        Kind::OAuth2Code | Kind::OAuth1 | Kind::DeviceCode | Kind::Typed => false,
    }
}

/// Makes a token set of what was given, and has the provider say whether it takes it: by the token that it gives to a
/// client, and where its file names a call for that. Nothing is given where nothing has to be ([`at_once`]). `inputs`
/// are checked already, and complete.
///
/// # Errors
/// `Invalid` naming `api_key`, `username`, `password`, `token`, `client_id`, `client_secret` or `connection_parameters`:
/// what is wrong with it, or that the provider refuses it, which is said at the first secret of them; `Conflict` where
/// the integration's own client is refused, and where a browser has to go to the provider; `Provider` when it can't say
/// now.
pub(super) async fn accept(
    broker: &Broker,
    integration: &Integration,
    provider: &Arc<Provider>,
    inputs: BTreeMap<String, String>,
    given: &BTreeMap<String, Secret>,
) -> Result<Accepted> {
    if let Some((field, message)) = certificate::wrong(provider, given, broker.clock.now()) {
        return Err(Error::invalid(named(&field), format!("{field}: {message}")));
    }
    match provider.kind() {
        Kind::Typed => typed(broker, integration, provider, inputs, given).await,
        Kind::ClientCredentials => fetched(broker, integration, provider, inputs, BTreeMap::new()).await,
        // Whose the token will be is known when there is a connection.
        Kind::WorkspaceToken => Ok(Accepted { tokens: issue::none(), account: Account::default(), inputs }),
        Kind::OAuth2Code | Kind::OAuth1 | Kind::DeviceCode => Err(no_key(provider)),
    }
}

/// What somebody typed in.
async fn typed(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    mut inputs: BTreeMap<String, String>,
    given: &BTreeMap<String, Secret>,
) -> Result<Accepted> {
    let of = of(provider)?;
    let wrong = |error: keys::KeyError| match named(&error.field) {
        "connection_parameters" => Error::invalid("connection_parameters", error.to_string()),
        field => Error::invalid(field, error.message),
    };
    let given = keys::checked(of, given).map_err(wrong)?;
    inputs.extend(keys::plain(of, &given));
    if of.kind.fetches() {
        return fetched(broker, integration, provider, inputs, given).await;
    }
    let tokens = keys::credential(of, &given).map_err(wrong)?;
    let found = ask(broker, integration, provider, &inputs, &tokens).await;
    let found = found.map_err(|error| at(error, secret(provider), &tokens))?;
    Ok(accepted(tokens, found, inputs))
}

/// A token that the provider gives to a client for its own credentials (RFC 6749 §4.4): to the one that was typed in, or
/// to the integration's.
async fn fetched(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    mut inputs: BTreeMap<String, String>,
    client: BTreeMap<String, Secret>,
) -> Result<Accepted> {
    let held = Tokens { typed: client, ..Tokens::of(Secret::new(String::new()), "Bearer") };
    let given = renew::fetch(broker, integration, provider, &inputs, &held, None).await?;
    let tokens = given.map_err(|error| blame(error, integration, provider, &held))?;
    inputs.extend(tokens.saved.clone());
    let filled = endpoints::filled(provider, &inputs)?;
    let works = verify::by_calls(broker, integration, &filled, &inputs, &tokens).await;
    works.map_err(|error| at(error, secret(provider), &tokens))?;
    let told = who::ask(broker, integration, &filled, &inputs, None, &tokens).await;
    let found = who::or_unknown(&filled, told);
    Ok(accepted(tokens, found, inputs))
}

fn accepted(tokens: Tokens, found: identity::Account, mut inputs: BTreeMap<String, String>) -> Accepted {
    inputs.extend(found.saved);
    let account = Account { id: found.id, name: found.name, email: found.email };
    Accepted { tokens, account, inputs }
}

/// Whether something secret comes of a field.
pub(super) fn is_secret(field: &KeyField) -> bool {
    field.values().any(|value| value.secret)
}

/// The field at which a refusal is said: the first secret one.
fn secret(provider: &Provider) -> &'static str {
    let fields = provider.keys().map(|keys| keys.fields.as_slice()).unwrap_or_default();
    fields.iter().find(|field| is_secret(field)).map_or("api_key", |field| named(&field.key))
}

/// A token endpoint's refusal of a client: whoever typed it in can help it, or else whoever set the integration up.
fn blame(error: TokenError, integration: &Integration, provider: &Provider, held: &Tokens) -> Error {
    let error = error.hiding(&keys::spellings(held).iter().collect::<Vec<_>>());
    let typed = provider.keys().is_some() && !is_ours(&error, integration, provider);
    match (error.kind, typed) {
        (TokenErrorKind::Oauth, true) => {
            Error::invalid(secret(provider), format!("The provider does not accept it: {}", error.words()))
        }
        (TokenErrorKind::Oauth, false) => Error::Conflict {
            message: format!("{}: check the client and the scopes of `{}`", error.words(), integration.key),
        },
        _ => exchange::refusal(error, &[]),
    }
}

/// Whether a token endpoint refuses the integration's own client, where something else was typed in.
pub(crate) fn is_ours(error: &TokenError, integration: &Integration, provider: &Provider) -> bool {
    let grant = provider.keys().is_some_and(|keys| keys.kind == claviger_catalog::KeyKind::Grant);
    // With a certificate that was typed in, the client is whoever typed it.
    let certified = provider.certificate.as_ref().is_some_and(|table| table.of == CertificateOf::Connection);
    grant && !certified && integration.client_id.is_some() && error.code.as_deref() == Some("invalid_client")
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
