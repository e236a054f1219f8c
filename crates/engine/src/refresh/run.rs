//! Run: one refresh, performed.
//!
//! It runs as a task of its own, so that a caller who hangs up can't leave a spent refresh token without its
//! answer being written.

use std::{collections::BTreeSet, sync::Arc};

use claviger_catalog::{Grant, Provider};
use claviger_protocol::oauth2::{TokenError, TokenErrorKind, Tokens};

use super::{Subject, Usable, load};
use crate::{
    broker::Broker,
    connect::{end, exchange, keys, persist::persist, renew, tokens},
    domain::{
        audit::Actor,
        connection::{Connection, Status},
        credential::Credential,
        event::EventKind,
        integration::Integration,
    },
    error::{Error, ProviderFault, Result},
    time::Millis,
    webhook,
};

/// Refreshes the version of the credential that the caller saw, unless somebody else already has.
pub(super) async fn renew(broker: &Arc<Broker>, subject: &Subject, seen: i64) -> Result<Usable> {
    broker.to_its_end(perform(broker.clone(), subject.clone(), seen)).await
}

async fn perform(broker: Arc<Broker>, subject: Subject, seen: i64) -> Result<Usable> {
    let mut turn = broker.flights.board(&subject.connection.id).await;
    let held = load(&broker, &subject).await?;
    if held.usable.version != seen {
        return Ok(held.usable);
    }
    refused_meanwhile(&broker, &subject).await?;
    let now = broker.clock.now();
    let rested = broker.flights.rests(&subject.connection.id, seen, now);
    if let Some(error) = turn.failed(seen).or(rested) {
        return Err(error);
    }
    let Subject { connection, integration, provider, .. } = &subject;
    let (inputs, tokens) = (&connection.inputs, &held.usable.tokens);
    let answered = renew::ask(&broker, integration, provider, &connection.owner, inputs, tokens).await;
    broker.metrics.refresh(match &answered {
        Ok(Ok(_)) => "renewed",
        Ok(Err(refused)) if ends(integration, provider, refused) => "refused",
        Ok(Err(_)) | Err(_) => "failed",
    });
    let failed = match answered {
        Ok(Ok(newer)) => {
            let kept = keep(&broker, &subject, &held.credential, newer).await?;
            if kept.tokens.access_token.is_empty() {
                let failed = unexchanged();
                broker.flights.rest(&connection.id, kept.version, &failed, broker.clock.now());
                return Err(failed);
            }
            return Ok(kept);
        }
        Ok(Err(refused)) if ends(integration, provider, &refused) => {
            let error = exchange::refusal(refused, &[]);
            expire(&broker, &subject, seen, &error.to_string()).await?;
            let current = load(&broker, &subject).await?;
            if current.usable.version != seen {
                return Ok(current.usable);
            }
            return Err(Error::NeedsReauth { message: error.to_string() });
        }
        Ok(Err(other)) => exchange::refusal(other, &[]),
        Err(error) => error,
    };
    turn.leave(seen, &failed);
    if tokens.access_token.is_empty() && is_exchanged(provider) {
        broker.flights.rest(&connection.id, seen, &failed, broker.clock.now());
    }
    Err(failed)
}

/// Whether calls carry what a first grant's token is exchanged for.
fn is_exchanged(provider: &Provider) -> bool {
    let upgrade = provider.oauth2().and_then(|oauth2| oauth2.upgrade.as_ref());
    upgrade.is_some_and(|upgrade| upgrade.each)
}

/// The grant was refreshed, and its token could not be exchanged for the one that calls carry.
fn unexchanged() -> Error {
    let message = "the refreshed token could not be exchanged; it is tried again in a while".to_owned();
    Error::Provider { fault: ProviderFault::Unreadable, message }
}

/// Whether a refusal says that only the connection's owner can help: the grant is over, or the client that it typed in is
/// not taken any more. Of the integration's own client, or our own key, its operator hears.
fn ends(integration: &Integration, provider: &Provider, refused: &TokenError) -> bool {
    let client = matches!(refused.code.as_deref(), Some("invalid_client" | "unauthorized_client"));
    let typed = refused.kind == TokenErrorKind::Oauth
        && client
        && provider.keys().is_some()
        && !keys::is_ours(refused, integration, provider);
    // What only we signed is nobody else's to mend.
    let signed =
        provider.keys().is_none() && provider.oauth2().is_some_and(|oauth2| oauth2.grant == Grant::JwtBearer);
    // RFC 8693 §2.2.2: a token that is not taken any more is an invalid request.
    let exchanged = provider.oauth2().is_some_and(|oauth2| oauth2.grant == Grant::TokenExchange)
        && refused.kind == TokenErrorKind::Oauth
        && refused.code.as_deref() == Some("invalid_request");
    (refused.is_invalid_grant() && !signed) || typed || exchanged
}

/// Writes what the provider answered, and does not give up at the first failure of the database: the old refresh
/// token may be spent. When the connection was ended meanwhile, its new tokens are revoked as well.
async fn keep(broker: &Arc<Broker>, subject: &Subject, seen: &Credential, newer: Tokens) -> Result<Usable> {
    let Subject { connection, integration, .. } = subject;
    let what = format!("the refreshed tokens of {}", connection.id);
    let kept = persist(&broker.clock, &what, || store(broker, subject, seen, newer.clone())).await;
    if let Err(Error::NotFound { .. }) = kept {
        end::revoke_unless_shared(broker, integration, connection, &newer).await;
        return Err(Error::NotFound { what: "connection" });
    }
    kept
}

/// Whoever waited for its turn behind a refused refresh must not show the same refresh token again.
async fn refused_meanwhile(broker: &Broker, subject: &Subject) -> Result<()> {
    let mut conn = broker.store.read().await?;
    let current = conn.connection(&subject.workspace_id, &subject.connection.id).await?;
    match current.filter(|current| current.status == Status::NeedsReauth) {
        Some(ended) => Err(Error::NeedsReauth {
            message: ended.status_reason.unwrap_or_else(|| "the provider refused to refresh".into()),
        }),
        None => Ok(()),
    }
}

/// Writes the newer tokens over the version that was read; a version that moved meanwhile wins.
async fn store(broker: &Broker, subject: &Subject, seen: &Credential, tokens: Tokens) -> Result<Usable> {
    let now = broker.clock.now();
    let connection = &subject.connection;
    let mut credential = tokens::seal(broker, &subject.workspace_id, &connection.id, &tokens, now)?;
    credential.version = seen.version + 1;
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !conn.replace_credential(&subject.workspace_id, &credential, seen.version).await? {
        drop(conn);
        return Ok(load(broker, subject).await?.usable);
    }
    let was = conn.connection(&subject.workspace_id, &connection.id).await?;
    let was = was.ok_or(Error::NotFound { what: "connection" })?;
    let is = refreshed(was.clone(), &tokens, now);
    conn.note_refreshed(&subject.workspace_id, &is).await?;
    if is.scopes_granted != was.scopes_granted || is.inputs != was.inputs {
        webhook::emit(&mut conn, EventKind::ConnectionUpdated, &is, now).await?;
    }
    conn.commit().await?;
    Ok(Usable { tokens: Arc::new(tokens), version: credential.version, obtained_at: now })
}

/// The connection after a refresh. Scopes in another order are the same scopes.
fn refreshed(was: Connection, tokens: &Tokens, now: Millis) -> Connection {
    let mut is = Connection {
        refreshed_at: Some(now),
        expires_at: tokens.expires_at.map(Millis),
        updated_at: now,
        ..was
    };
    is.inputs.extend(tokens.saved.clone());
    if let Some(told) = &tokens.scopes
        && BTreeSet::from_iter(told) != BTreeSet::from_iter(&is.scopes_granted)
    {
        is.scopes_granted = told.clone();
    }
    is
}

/// Marks the connection as needing its owner, once, with its event; believed only if the version has not moved. Tried
/// again while the database fails: the provider's word is not asked for twice.
pub(super) async fn expire(broker: &Broker, subject: &Subject, seen: i64, reason: &str) -> Result<()> {
    let what = format!("that {} needs its owner", subject.connection.id);
    persist(&broker.clock, &what, || mark(broker, subject, seen, reason)).await
}

async fn mark(broker: &Broker, subject: &Subject, seen: i64, reason: &str) -> Result<()> {
    let now = broker.clock.now();
    let Subject { workspace_id, connection, .. } = subject;
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !conn.hold_credential(workspace_id, &connection.id, seen).await? {
        return Ok(());
    }
    let Some(current) = conn.connection(workspace_id, &connection.id).await? else { return Ok(()) };
    if current.status == Status::NeedsReauth {
        return Ok(());
    }
    conn.set_connection_status(workspace_id, &connection.id, Status::NeedsReauth, Some(reason), now).await?;
    let expired = Connection { status: Status::NeedsReauth, ..current };
    webhook::emit(&mut conn, EventKind::ConnectionExpired, &expired, now).await?;
    conn.commit().await
}
