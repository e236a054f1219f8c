//! End: disconnect. The provider is told where it can be, the secret is erased, the record is removed.
//!
//! That a connection is about to end is written first: where nothing can be written, nothing is asked of the provider,
//! and of two that end at once neither keeps the other's grant alive. A provider that can't be reached does not keep a
//! connection alive: the outcome is kept as a `revocation` row, and the row and the event say what happened. How the
//! provider is told: `revoke`. Many at once: `bulk`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

pub(crate) use super::revoke::revoke_unless_shared;
use super::{
    persist::persist,
    revoke::{Patience, revoke_patiently},
    tokens,
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::Connection,
        revocation::{Outcome, Told},
    },
    error::{Error, Result},
    id::{ConnectionId, RevocationId, WorkspaceId},
    secret::random,
    store::Lease,
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
/// How long it is waited for a refresh in another process.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether that is through.
const LOOK: Duration = Duration::from_millis(100);

/// Ends a connection: revokes upstream where that harms no other connection, then removes connection and
/// credential, with event and revocation row, in one transaction that is tried again while the database fails.
/// Waits for a refresh under way; for one in another process some time.
///
/// # Errors
/// `NotFound` when the workspace has no such connection.
pub async fn end(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    actor: Actor,
) -> Result<()> {
    let patience = Arc::new(Patience::none());
    let by = By { actor, left: Left::Nothing, patience };
    broker.to_its_end(perform(broker.clone(), workspace.clone(), id.clone(), by)).await.map(drop)
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
    let patience = Arc::new(Patience::none());
    let by = By { actor, left: Left::Archived, patience };
    broker.to_its_end(perform(broker.clone(), workspace.clone(), id.clone(), by)).await.map(drop)
}

/// Ends one of many, and says what became of its grant.
///
/// # Errors
/// As [`end`].
pub(super) async fn end_one(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    actor: Actor,
    patience: Arc<Patience>,
) -> Result<Told> {
    let by = By { actor, left: Left::Nothing, patience };
    broker.to_its_end(perform(broker.clone(), workspace.clone(), id.clone(), by)).await
}

async fn perform(broker: Arc<Broker>, workspace: WorkspaceId, id: ConnectionId, by: By) -> Result<Told> {
    let (broker, workspace, id) = (&broker, &workspace, &id);
    let _alone = broker.flights.alone(id).await;
    announce(broker, workspace, id).await?;
    let ended = end_held(broker, workspace, id, &by).await;
    if ended.is_err() {
        recant(broker, workspace, id).await;
    }
    ended
}

async fn end_held(broker: &Arc<Broker>, workspace: &WorkspaceId, id: &ConnectionId, by: &By) -> Result<Told> {
    let held = Held::take(broker, workspace, id).await?;
    let ended = end_looking(broker, workspace, id, by, &held).await;
    if ended.is_err() {
        held.leave(broker, workspace, id).await;
    }
    ended
}

async fn end_looking(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    by: &By,
    held: &Held,
) -> Result<Told> {
    for _ in 0..LOOKS {
        if let Some(told) = end_as_it_is(broker, workspace, id, by, held).await? {
            return Ok(told);
        }
        announce(broker, workspace, id).await?;
    }
    Err(Error::Conflict { message: "the connection is being authorized anew; try again".into() })
}

/// That nobody else refreshes a connection while it ends, by the lease that a refresh takes.
struct Held {
    owner: String,
    lease: Duration,
}

impl Held {
    /// Waits for a refresh in another process, but not for ever: what it writes after the end it has to revoke.
    async fn take(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<Self> {
        let owner = format!("{} end {}", broker.refresh.process, hex::encode(random::<8>()?));
        let held = Self { owner, lease: broker.refresh.lease };
        let until = Instant::now() + PATIENCE;
        while !held.try_take(broker, workspace, id).await? {
            if Instant::now() >= until {
                tracing::warn!(connection = %id, "a connection ends while another process refreshes it");
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(held)
    }

    async fn try_take(&self, broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<bool> {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let now = conn.time(&broker.clock).await?;
        let lease = Lease { owner: &self.owner, now, until: now.plus(self.lease) };
        match conn.take_refresh(workspace, id, lease).await {
            Ok(Some(_)) => conn.commit().await.map(|()| true),
            Ok(None) => Ok(false),
            // It went between our look and this.
            Err(Error::Conflict { .. }) => Err(Error::NotFound { what: "connection" }),
            Err(error) => Err(error),
        }
    }

    /// Gives it up, where the connection stays.
    async fn leave(&self, broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) {
        let left = async {
            let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
            conn.leave_refresh(workspace, id, &self.owner).await?;
            conn.commit().await
        };
        if let Err(error) = left.await {
            tracing::warn!(connection = %id, ?error, "a lease was not given up; it ends by itself");
        }
    }
}

/// Writes that a connection is about to end.
async fn announce(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<()> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    if !conn.mark_ending(workspace, id).await? {
        return Err(Error::NotFound { what: "connection" });
    }
    conn.commit().await
}

/// Writes that it is not after all: what lives on keeps its grant alive.
async fn recant(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) {
    let written = async {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        conn.unmark_ending(workspace, id).await?;
        conn.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(connection = %id, ?error, "a connection that did not end is taken for ending; that passes");
    }
}

/// Ends a connection with the credential that it now has; `None` when it got another one meanwhile, which is nobody's
/// to lose: it has to be revoked as well.
async fn end_as_it_is(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    by: &By,
    held: &Held,
) -> Result<Option<Told>> {
    let not_found = || Error::NotFound { what: "connection" };
    let mut conn = broker.store.read().await?;
    let connection = conn.connection(workspace, id).await?.ok_or_else(not_found)?;
    let credential = conn.credential(workspace, id).await?;
    let version = credential.as_ref().map(|credential| credential.version);
    let (of, option) = (&connection.integration_id, connection.auth_option.as_deref());
    let integration = conn.integration_as(workspace, of, option).await?.ok_or_else(not_found)?;
    drop(conn);

    let told = match credential {
        None => Told::new(Outcome::Skipped, "there was no credential"),
        Some(credential) => match tokens::open(broker, &credential) {
            Ok(tokens) => revoke_patiently(broker, &integration, &connection, &tokens, &by.patience).await,
            Err(error) => {
                tracing::error!(connection = %id, error = ?error, "a credential can't be opened to revoke it");
                Told::new(Outcome::Failed, "the credential could not be opened")
            }
        },
    };
    // The provider was told: that can't be taken back.
    let repeated = AtomicBool::new(false);
    let what = format!("the end of {id}");
    let write = || async {
        let repeat = repeated.swap(true, Ordering::Relaxed);
        // Gone at a repeat: the try before removed it, and its commit only looked like a failure.
        match remove(broker, &connection, (version, held), &told, by).await? {
            Removed::Done => Ok(true),
            Removed::Changed => Ok(false),
            Removed::Gone if repeat => Ok(true),
            Removed::Gone => Err(not_found()),
        }
    };
    let removed = persist(&broker.clock, &what, write).await?;
    Ok(removed.then_some(told))
}

/// By whom a connection ends, what is to stay of it, and how patient to be with its provider.
struct By {
    actor: Actor,
    left: Left,
    patience: Arc<Patience>,
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
    (version, held): (Option<i64>, &Held),
    told: &Told,
    by: &By,
) -> Result<Removed> {
    let Connection { id, workspace_id: workspace, integration_id, .. } = connection;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(by.actor.clone(), now).await?;
    // Its row before the credential's, as a refresh locks them.
    conn.leave_refresh(workspace, id, &held.owner).await?;
    let same = match version {
        Some(version) => conn.hold_credential(workspace, id, version).await?,
        None => false,
    };
    if !same && conn.credential(workspace, id).await?.is_some() {
        return Ok(Removed::Changed);
    }
    if !conn.delete_connection(workspace, id).await? {
        return Ok(Removed::Gone);
    }
    if by.left == Left::Archived {
        conn.archive_connection(workspace, connection, now).await?;
    }
    let row = RevocationId::new();
    let outcome = told.outcome.as_str();
    conn.create_revocation(workspace, &row, id, integration_id, outcome, &told.detail, now).await?;
    webhook::emit_deleted(&mut conn, connection, told, now).await?;
    conn.commit().await?;
    Ok(Removed::Done)
}
