//! Certificate: which client certificate the requests of a connection show, and to whom (RFC 8705 §2).
//!
//! The provider's file says whose it is: the integration's, which whoever configures it gave, or the connection's, which
//! was typed in. It is a credential as any other, so it goes to the authorization server and to the hosts that calls may
//! go to, nowhere else. Must never ask the store where no certificate is wanted: every call comes by here.

use std::collections::BTreeMap;

use claviger_catalog::{Certificate, CertificateAt, CertificateOf, ClientAuth, Provider};

use crate::{
    broker::Broker,
    domain::{
        client_key::{ClientKey, Purpose},
        integration::Integration,
    },
    error::{Error, Result},
    outbound::{Identity, Outbound, Pair},
    secret::Secret,
    time::Millis,
    vault::Field,
};

/// The way out for requests that show a certificate; `None` where these show none. `typed` is what of the connection was
/// typed in.
///
/// # Errors
/// `Conflict` when one is wanted, and there is none, or none that can be shown now.
pub(crate) async fn way(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    typed: &BTreeMap<String, Secret>,
    at: CertificateAt,
) -> Result<Option<Outbound>> {
    match wanted(integration, provider, at) {
        None => Ok(None),
        Some(Whose::Connections(table)) => {
            let pair = typed_pair(table, typed).ok_or_else(|| Error::Conflict {
                message: "the connection has no client certificate: it must be authorized again".into(),
            })?;
            broker.outbound.showing(&pair, broker.clock.now()).map(Some)
        }
        Some(Whose::Integrations) => {
            let (key, secret) = Box::pin(of(broker, integration)).await?.ok_or_else(|| Error::Conflict {
                message: format!("integration `{}` has no client certificate yet", integration.key),
            })?;
            let pair = Pair { certificate: &key.public, key: &secret };
            broker.outbound.showing(&pair, broker.clock.now()).map(Some)
        }
    }
}

/// The certificate of an integration that was given last, with its key opened; `None` where it has none.
async fn of(broker: &Broker, integration: &Integration) -> Result<Option<(ClientKey, Secret)>> {
    let Integration { workspace_id, id, as_of, .. } = integration;
    let mut conn = broker.store.read().await?;
    let mut keys = conn.client_keys(workspace_id, id, as_of.option.as_ref(), Purpose::Certificate).await?;
    drop(conn);
    let Some(key) = keys.pop() else { return Ok(None) };
    let secret = broker.vault.open(&Field::ClientKey.of(workspace_id, key.id.as_str()), &key.secret)?;
    Ok(Some((key, secret)))
}

/// Whose certificate is shown.
enum Whose<'a> {
    Integrations,
    Connections(&'a Certificate),
}

/// Whose certificate these requests show; `None` where they show none. Where the provider's file says nothing of it, a
/// client that authenticates with one shows it everywhere: its tokens may be bound to it (RFC 8705 §3).
fn wanted<'a>(integration: &Integration, provider: &'a Provider, at: CertificateAt) -> Option<Whose<'a>> {
    match &provider.certificate {
        Some(table) if !table.at.contains(&at) => None,
        Some(table) => Some(match table.of {
            CertificateOf::Connection => Whose::Connections(table),
            CertificateOf::Integration => Whose::Integrations,
        }),
        None => {
            let oauth2 = provider.oauth2()?;
            let chosen = integration.config.client_auth.as_deref().and_then(ClientAuth::parse);
            (chosen.unwrap_or(oauth2.client_auth) == ClientAuth::Tls).then_some(Whose::Integrations)
        }
    }
}

/// Whether an integration with this provider needs a certificate of its own.
pub(crate) fn is_wanted(integration: &Integration, provider: &Provider) -> bool {
    let whose = |at| wanted(integration, provider, at);
    [CertificateAt::Token, CertificateAt::Api]
        .into_iter()
        .any(|at| matches!(whose(at), Some(Whose::Integrations)))
}

fn typed_pair<'a>(table: &Certificate, typed: &'a BTreeMap<String, Secret>) -> Option<Pair<'a>> {
    let value = |name: &Option<String>| typed.get(name.as_deref()?);
    Some(Pair { certificate: value(&table.certificate)?.expose(), key: value(&table.key)? })
}

/// What is wrong with a certificate or its key that was typed in: the field, and why it can't be used.
pub(super) fn wrong(
    provider: &Provider,
    typed: &BTreeMap<String, Secret>,
    now: Millis,
) -> Option<(String, String)> {
    let table = provider.certificate.as_ref().filter(|table| table.of == CertificateOf::Connection)?;
    let problem = Identity::read(&typed_pair(table, typed)?).and_then(|read| read.check(now)).err()?;
    let field = if problem.is_of_key() { &table.key } else { &table.certificate };
    let said = problem.to_string();
    let mut letters = said.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    Some((field.clone()?, first.into_iter().chain(letters).collect()))
}
