//! The assertion that a token is asked for with, as a provider's file wants it (RFC 7523 §2.1).
//!
//! Its audience is what the file says, or the server that was asked; where the endpoints come from an issuer's metadata
//! it is that issuer whatever the file says, for metadata may name the endpoints of somebody else. Where they were
//! entered by hand nobody has looked whether the issuer beside them is theirs: then it is the endpoint itself.

use std::collections::BTreeMap;

use claviger_catalog::{Alg, Audience, EndpointSource, OAuth2, template};

use super::{Claims, KeyFault, SigningKey, by_key};
use crate::{ProtocolError, secret::Secret};

/// A key, how it signs, and what the server calls it.
pub struct Signer {
    /// The key.
    pub key: SigningKey,
    /// How it signs.
    pub alg: Alg,
    /// Its name; empty for none.
    pub kid: String,
}

/// What an assertion is made of, besides the provider's file.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The integration's client id.
    pub client_id: Option<&'a str>,
    /// The issuer of the server, where it is known.
    pub issuer: Option<&'a str>,
    /// Its token endpoint: where the request goes.
    pub token_url: &'a str,
    /// What was typed in, by name.
    pub typed: &'a BTreeMap<String, Secret>,
    /// The scopes to ask for.
    pub scopes: &'a [String],
    /// An id that no other assertion has.
    pub id: &'a str,
    /// Now, in milliseconds since 1970.
    pub now: i64,
}

/// Why there is no assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmade {
    /// The private key that was typed in.
    Key(KeyFault),
    /// Nothing says who makes it: the client has no id.
    Nobody,
    /// Anything else.
    Protocol(ProtocolError),
}

/// The signer whose private key was typed in; `None` where the integration's own is to sign.
///
/// # Errors
/// [`Unmade::Key`]
pub fn typed(oauth2: &OAuth2, asked: &Asked<'_>) -> Result<Option<Signer>, Unmade> {
    let Some(table) = &oauth2.assertion else { return Ok(None) };
    let Some(name) = &table.key else { return Ok(None) };
    let pem = asked.typed.get(name).ok_or(Unmade::Key(KeyFault::NoPem))?;
    let key = SigningKey::read(pem).map_err(Unmade::Key)?;
    let alg = table.alg.unwrap_or_else(|| key.usual());
    if !key.fits(alg) {
        return Err(Unmade::Key(KeyFault::NotFor(alg)));
    }
    let kid = table.kid.as_deref().map(|text| filled(text, asked)).unwrap_or_default();
    Ok(Some(Signer { key, alg, kid }))
}

/// The assertion, signed.
///
/// # Errors
/// [`Unmade`]
pub fn make(oauth2: &OAuth2, asked: &Asked<'_>, signer: &Signer) -> Result<Secret, Unmade> {
    let missing = || Unmade::Protocol(ProtocolError::Missing("oauth2.assertion".to_owned()));
    let table = oauth2.assertion.as_ref().ok_or_else(missing)?;
    let (issuer, subject) = (filled(&table.issuer, asked), filled(&table.subject, asked));
    if issuer.is_empty() {
        return Err(Unmade::Nobody);
    }
    let server = server(oauth2, asked.issuer, asked.token_url);
    let audience = match &table.audience {
        _ if oauth2.endpoints.source == EndpointSource::Issuer => server,
        Audience::Issuer => server,
        Audience::TokenEndpoint => asked.token_url,
        Audience::Text(text) => text,
    };
    let scope = asked.scopes.join(&oauth2.scopes.separator);
    let more = table.claims.iter().map(|(name, text)| (name.clone(), filled(text, asked))).collect();
    let claims = Claims {
        issuer: &issuer,
        subject: &subject,
        audience,
        id: asked.id,
        now: asked.now,
        lifetime: table.lifetime,
        scope: table.scope.then_some(scope.as_str()),
        more: &more,
    };
    by_key(&signer.key, signer.alg, Some(&signer.kid), &claims).map_err(Unmade::Protocol)
}

/// For whom what is signed is that goes to this URL, unless a file says otherwise: the issuer that was found, or that the
/// file names; where the endpoints were entered by hand, the URL itself.
pub fn server<'a>(oauth2: &OAuth2, issuer: Option<&'a str>, url: &'a str) -> &'a str {
    match oauth2.endpoints.source {
        EndpointSource::File | EndpointSource::Issuer => issuer.unwrap_or(url),
        EndpointSource::Integration => url,
    }
}

/// A text with what is known; what nobody gave leaves it empty.
fn filled(text: &str, asked: &Asked<'_>) -> String {
    let known = |name: &str| match name {
        "client_id" => asked.client_id,
        name => asked.typed.get(name).map(Secret::expose),
    };
    template::fill(text, known).unwrap_or_default()
}

#[cfg(test)]
mod tests;
