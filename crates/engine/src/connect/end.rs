//! End: disconnect. The provider is told where it can be, the secret is erased, the record is removed.
//!
//! A provider that can't be reached does not keep a connection alive: the outcome is kept as a `revocation`
//! row, and the row and the event say what happened.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use claviger_catalog::Auth;
use claviger_protocol::oauth2::{Tokens, revoke};

use super::{endpoints, party, persist::persist, post, tokens};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, MOVED},
        integration::Integration,
    },
    error::{Error, Result},
    id::{ConnectionId, RevocationId, WorkspaceId},
    webhook,
};

/// What is to stay of a connection that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing.
    Nothing,
    /// That it was there, in the archive.
    Archived,
}

/// How often a connection is looked at that is authorized anew while it ends.
const LOOKS: u32 = 5;

/// What became of the grant at the provider.
pub(crate) struct Revocation {
    outcome: &'static str,
    detail: String,
}

/// Ends a connection: revokes upstream where that harms no other connection, then removes connection and
/// credential, with event and revocation row, in one transaction that is tried again while the database fails.
/// Waits for a refresh under way.
///
/// # Errors
/// `NotFound` when the workspace has no such connection.
pub async fn end(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    actor: Actor,
) -> Result<()> {
    broker.to_its_end(perform(broker.clone(), workspace.clone(), id.clone(), actor, Left::Nothing)).await
}

/// The same, and the archive keeps that it was there: [`Conn::archive_connection`](crate::store::Conn::archive_connection).
///
/// # Errors
/// As [`end`].
pub async fn archive(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    actor: Actor,
) -> Result<()> {
    broker.to_its_end(perform(broker.clone(), workspace.clone(), id.clone(), actor, Left::Archived)).await
}

async fn perform(
    broker: Arc<Broker>,
    workspace: WorkspaceId,
    id: ConnectionId,
    actor: Actor,
    left: Left,
) -> Result<()> {
    let (broker, workspace, id) = (&broker, &workspace, &id);
    let _turn = broker.flights.board(id).await;
    for _ in 0..LOOKS {
        if end_as_it_is(broker, workspace, id, &actor, left).await? {
            return Ok(());
        }
    }
    Err(Error::Conflict { message: "the connection is being authorized anew; try again".into() })
}

/// Ends a connection with the credential that it now has; `false` when it got another one meanwhile, which is nobody's
/// to lose: it has to be revoked as well.
async fn end_as_it_is(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    actor: &Actor,
    left: Left,
) -> Result<bool> {
    let not_found = || Error::NotFound { what: "connection" };
    let mut conn = broker.store.read().await?;
    let connection = conn.connection(workspace, id).await?.ok_or_else(not_found)?;
    let credential = conn.credential(workspace, id).await?;
    let version = credential.as_ref().map(|credential| credential.version);
    let (of, option) = (&connection.integration_id, connection.auth_option.as_deref());
    let integration = conn.integration_as(workspace, of, option).await?.ok_or_else(not_found)?;
    drop(conn);

    let told = match credential {
        None => Revocation { outcome: "skipped", detail: "there was no credential".into() },
        Some(credential) => match tokens::open(broker, &credential) {
            Ok(tokens) => revoke_unless_shared(broker, &integration, &connection, &tokens).await,
            Err(error) => {
                tracing::error!(connection = %id, error = ?error, "a credential can't be opened to revoke it");
                Revocation { outcome: "failed", detail: "the credential could not be opened".into() }
            }
        },
    };
    // The provider was told: that can't be taken back.
    let repeated = AtomicBool::new(false);
    let what = format!("the end of {id}");
    let write = || async {
        let repeat = repeated.swap(true, Ordering::Relaxed);
        // Gone at a repeat: the try before removed it, and its commit only looked like a failure.
        match remove(broker, &connection, version, &told, &By { actor, left }).await? {
            Removed::Done => Ok(true),
            Removed::Changed => Ok(false),
            Removed::Gone if repeat => Ok(true),
            Removed::Gone => Err(not_found()),
        }
    };
    persist(&broker.clock, &what, write).await
}

/// By whom a connection ends, and what is to stay of it.
struct By<'a> {
    actor: &'a Actor,
    left: Left,
}

/// What became of a connection that was to be removed.
enum Removed {
    /// It is.
    Done,
    /// It was gone.
    Gone,
    /// It has another credential than the one that the provider was told of.
    Changed,
}

/// Removes the connection with its credential of this version, and writes what became of its grant.
async fn remove(
    broker: &Broker,
    connection: &Connection,
    version: Option<i64>,
    told: &Revocation,
    by: &By<'_>,
) -> Result<Removed> {
    let Connection { id, workspace_id: workspace, integration_id, .. } = connection;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(by.actor.clone(), now).await?;
    let held = match version {
        Some(version) => conn.hold_credential(workspace, id, version).await?,
        None => false,
    };
    if !held && conn.credential(workspace, id).await?.is_some() {
        return Ok(Removed::Changed);
    }
    if !conn.delete_connection(workspace, id).await? {
        return Ok(Removed::Gone);
    }
    if by.left == Left::Archived {
        conn.archive_connection(workspace, connection, now).await?;
    }
    let row = RevocationId::new();
    conn.create_revocation(workspace, &row, id, integration_id, told.outcome, &told.detail, now).await?;
    webhook::emit_deleted(&mut conn, connection, told.outcome, now).await?;
    conn.commit().await?;
    Ok(Removed::Done)
}

/// Tells the provider that these tokens are not to work any more, unless another connection may live on the same
/// grant, or they are of another place than the integration's endpoints now are.
pub(crate) async fn revoke_unless_shared(
    broker: &Broker,
    integration: &Integration,
    connection: &Connection,
    held: &Tokens,
) -> Revocation {
    if connection.status_reason.as_deref() == Some(MOVED) {
        let detail =
            "the integration was pointed elsewhere since, where its tokens are nobody's business".into();
        return Revocation { outcome: "skipped", detail };
    }
    let told = match shared(broker, integration, connection).await {
        Ok(false) => try_revoke(broker, integration, connection, held).await,
        Ok(true) => Ok(Revocation {
            outcome: "skipped",
            detail: "another connection shares this client and account".into(),
        }),
        Err(error) => Err(error),
    };
    match told {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(connection = %connection.id, %error, "the provider could not be told of a disconnect");
            Revocation { outcome: "failed", detail: error.to_string() }
        }
    }
}

/// Whether another connection may live on this one's grant: one of the same client and account, at any provider of
/// the family.
async fn shared(broker: &Broker, integration: &Integration, connection: &Connection) -> Result<bool> {
    let client = endpoints::account_client(integration);
    let mut conn = broker.store.read().await?;
    let others = conn.any_providers_sharing(connection, client).await?;
    let family = broker.catalog.family(&integration.provider);
    Ok(others.iter().any(|provider| broker.catalog.family(provider) == family))
}

async fn try_revoke(
    broker: &Broker,
    integration: &Integration,
    connection: &Connection,
    held: &Tokens,
) -> Result<Revocation> {
    let provider = endpoints::filled(&*broker.provider(integration)?, &connection.inputs)?;
    let unsupported = |detail: &str| Revocation { outcome: "unsupported", detail: detail.to_owned() };
    let oauth2 = match &provider.auth {
        Auth::OAuth2(oauth2) => oauth2,
        Auth::OAuth1(_) => {
            return Ok(unsupported("OAuth 1 has no revocation; access is taken back at the provider itself"));
        }
        Auth::Keys(_) | Auth::SigV4(_) => {
            return Ok(unsupported("a key that was typed in is taken back at the provider itself"));
        }
        Auth::Steps(_) => {
            return Ok(unsupported("a token that was fetched with what was typed in ends by itself"));
        }
        Auth::WorkspaceToken(_) => return Ok(unsupported("a token that was made here ends by itself")),
    };
    let at = endpoints::resolve(broker, integration, &provider, &connection.inputs).await?;
    let calls = revoke::calls(oauth2, at.revoke_url.as_deref(), held);
    if calls.is_empty() {
        return Ok(Revocation { outcome: "unsupported", detail: "the provider offers no revocation".into() });
    }
    // Each token is revoked, whatever became of the one before; the worst outcome is kept.
    let mut worst = Revocation { outcome: "revoked", detail: String::new() };
    for call in calls {
        // An assertion is good for one request.
        let party = party::of(broker, integration, &provider, (&at, call.url()), &held.typed).await?;
        let request = revoke::request(oauth2, &call, &party.client(), held)
            .map_err(|e| Error::internal(e.to_string()))?;
        let answer = post::fetch(broker, &party, request).await?;
        match revoke::outcome(oauth2, answer.status(), answer.body()) {
            revoke::Outcome::Revoked => {}
            revoke::Outcome::Unsupported if worst.outcome == "failed" => {}
            revoke::Outcome::Unsupported => {
                let detail = "the provider does not revoke such tokens".to_owned();
                worst = Revocation { outcome: "unsupported", detail };
            }
            revoke::Outcome::Failed(detail) => worst = Revocation { outcome: "failed", detail },
        }
    }
    Ok(worst)
}
