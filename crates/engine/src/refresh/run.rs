//! Run: one refresh, performed.
//!
//! It runs as a task of its own, so that a caller who hangs up can't leave a spent refresh token without its
//! answer being written.

use std::{sync::Arc, time::Duration};

use claviger_protocol::oauth2::{TokenError, Tokens, read, token};

use super::{Subject, Usable, load};
use crate::{
    broker::Broker,
    connect::{ANSWER_CAP, end, endpoints, exchange, tokens},
    domain::{audit::Actor, connection::Status, credential::Credential, event::EventKind},
    error::{Error, Result},
    webhook,
};

/// How long to wait before each further try to write what a provider answered.
const WRITE_AGAIN: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

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
    if let Some(error) = turn.failed(seen) {
        return Err(error);
    }
    let answered = ask(&broker, &subject, &held.usable.tokens).await;
    broker.metrics.refresh(match &answered {
        Ok(Ok(_)) => "renewed",
        Ok(Err(refused)) if refused.is_invalid_grant() => "refused",
        Ok(Err(_)) | Err(_) => "failed",
    });
    let failed = match answered {
        Ok(Ok(newer)) => return keep(&broker, &subject, &held.credential, newer).await,
        Ok(Err(refused)) if refused.is_invalid_grant() => {
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
    Err(failed)
}

/// Writes what the provider answered, and does not give up at the first failure of the database: the old refresh
/// token may be spent. When the connection was ended meanwhile, its new tokens are revoked as well.
async fn keep(broker: &Arc<Broker>, subject: &Subject, seen: &Credential, newer: Tokens) -> Result<Usable> {
    let mut again = WRITE_AGAIN.into_iter();
    loop {
        match store(broker, subject, seen, newer.clone()).await {
            Err(Error::NotFound { .. }) => {
                end::revoke_at_provider(broker, &subject.integration, &subject.connection, &newer).await;
                return Err(Error::NotFound { what: "connection" });
            }
            Err(Error::Internal(error)) => {
                let connection = &subject.connection.id;
                let Some(pause) = again.next() else {
                    tracing::error!(%connection, ?error, "refreshed tokens could not be written and are lost");
                    return Err(Error::Internal(error));
                };
                tracing::error!(%connection, ?error, "refreshed tokens could not be written yet");
                tokio::time::sleep(pause).await;
            }
            written => return written,
        }
    }
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

/// Asks the provider. The outer error is ours or the network's, the inner one the token endpoint's.
async fn ask(
    broker: &Broker,
    subject: &Subject,
    held: &Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let Subject { connection, integration, provider, .. } = subject;
    let provider = &endpoints::filled(provider, &connection.inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let at = endpoints::resolve(broker, integration, provider, &connection.inputs).await?;
    let secret = tokens::client_secret(broker, integration)?;
    let client = endpoints::client(provider, integration, secret.as_ref())?;
    let url = at.refresh_url.as_deref().unwrap_or(&at.token_url);
    let request = token::refresh(oauth2, url, &client, held)
        .map_err(|e| Error::internal(format!("refresh request of {}: {e}", integration.id)))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let (status, now) = (answer.status(), broker.clock.now().0);
    Ok(read::refreshed(oauth2, held.clone(), status, answer.headers(), answer.body(), now).map_err(|error| {
        let sent = [Some(&held.access_token), held.refresh_token.as_ref(), client.secret];
        error.hiding(&sent.into_iter().flatten().collect::<Vec<_>>())
    }))
}

/// Writes the newer tokens over the version that was read; a version that moved meanwhile wins.
async fn store(broker: &Broker, subject: &Subject, seen: &Credential, tokens: Tokens) -> Result<Usable> {
    let now = broker.clock.now();
    let connection = &subject.connection;
    let mut credential = tokens::seal(broker, &subject.workspace_id, &connection.id, &tokens, now)?;
    credential.version = seen.version + 1;
    let mut inputs = connection.inputs.clone();
    inputs.extend(tokens.saved.clone());
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !conn.replace_credential(&subject.workspace_id, &credential, seen.version).await? {
        drop(conn);
        return Ok(load(broker, subject).await?.usable);
    }
    conn.note_refreshed(&subject.workspace_id, &connection.id, now, credential.expires_at, &inputs).await?;
    conn.commit().await?;
    Ok(Usable { tokens: Arc::new(tokens), version: credential.version, obtained_at: now })
}

/// Marks the connection as needing its owner, once, with its event; believed only if the version has not moved.
pub(super) async fn expire(broker: &Broker, subject: &Subject, seen: i64, reason: &str) -> Result<()> {
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
    let expired = crate::domain::connection::Connection { status: Status::NeedsReauth, ..current };
    webhook::emit(&mut conn, EventKind::ConnectionExpired, &expired, now).await?;
    conn.commit().await
}
