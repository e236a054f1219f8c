//! Brought: what a callback says, in whichever protocol the provider speaks.
//!
//! The state tells the flow; nothing else is read before that flow is taken. Must never take an answer to another
//! request than the flow's, nor from another issuer than the one that was asked.

use std::collections::BTreeMap;

use claviger_catalog::{Auth, OAuth2, Provider};
use claviger_protocol::oauth2::callback::{self, Answer};

use super::{endpoints, grant::Grant, oauth1, start};
use crate::{
    broker::Broker,
    domain::flow::Flow,
    error::{Error, Result},
    secret::Secret,
};

/// The state, under whatever name a provider of the catalog gives it.
pub(super) fn state_of(broker: &Broker, query: &str) -> Result<Secret> {
    let mut names: Vec<&str> = vec!["state"];
    let all: Vec<_> = broker.catalog.iter().collect();
    names.extend(
        all.iter().filter_map(|p| endpoints::oauth2(p).ok()).map(|o| o.callback.state_param.as_str()),
    );
    names.dedup();
    let mut first = None;
    for name in names {
        match callback::state(name, query) {
            Ok(state) => return Ok(state),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let why = first.map_or_else(String::new, |e| e.to_string());
    Err(Error::invalid("state", why))
}

/// Our part of a state: a caller's own stands behind the first `:`, which none of ours has.
pub(super) fn ours(state: &str) -> &str {
    state.split_once(':').map_or(state, |(ours, _)| ours)
}

/// What a callback brought.
pub(super) enum Brought {
    /// What tokens are given for.
    Grant(Grant),
    /// Access was not granted.
    Refused {
        /// OAuth's name for it.
        error: String,
        /// The provider's words.
        said: Option<String>,
    },
}

/// Reads the callback as the provider's protocol has it.
///
/// # Errors
/// `Invalid` when it is neither a consent nor a refusal of what this flow asked for.
pub(super) fn read(broker: &Broker, query: &str, flow: &Flow, provider: &Provider) -> Result<Brought> {
    let state = state_of(broker, query)?;
    match &provider.auth {
        Auth::OAuth1(_) => {
            let kept = start::kept(broker, flow)?;
            let kept = kept.ok_or_else(|| Error::internal("a flow kept no temporary credentials"))?;
            Ok(match oauth1::brought(query, &kept)? {
                oauth1::Brought::Verifier(code) => {
                    Brought::Grant(Grant { code, saved: BTreeMap::new(), state })
                }
                oauth1::Brought::Refused(problem) => {
                    Brought::Refused { error: "access_denied".to_owned(), said: Some(problem) }
                }
            })
        }
        Auth::OAuth2(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => {
            by_code(query, flow, endpoints::oauth2(provider)?, state)
        }
    }
}

/// The same with OAuth 2, after the issuer is found to be the one that was asked (RFC 9207).
fn by_code(query: &str, flow: &Flow, oauth2: &OAuth2, state: Secret) -> Result<Brought> {
    let answer = callback::read(oauth2, query).map_err(|e| Error::invalid("callback", e.to_string()))?;
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a started flow has no endpoints"))?;
    let (Answer::Code { iss, .. } | Answer::Error { iss, .. }) = &answer;
    callback::check_iss(at.issuer.as_deref(), at.iss_required, iss.as_deref())
        .map_err(|e| Error::invalid("iss", e.to_string()))?;
    Ok(match answer {
        Answer::Error { error, description, .. } => {
            let error = if is_oauth_error(&error) { error } else { "server_error".to_owned() };
            Brought::Refused { error, said: description }
        }
        Answer::Code { code, saved, .. } => Brought::Grant(Grant { code, saved, state }),
    })
}

/// RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6.
fn is_oauth_error(name: &str) -> bool {
    matches!(
        name,
        "invalid_request"
            | "unauthorized_client"
            | "access_denied"
            | "unsupported_response_type"
            | "invalid_scope"
            | "server_error"
            | "temporarily_unavailable"
            | "interaction_required"
            | "login_required"
            | "account_selection_required"
            | "consent_required"
    )
}
