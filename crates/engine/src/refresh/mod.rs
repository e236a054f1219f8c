//! Refresh: how a connection stays alive.
//!
//! [`fresh`] is the only place that decides whether a token is usable for a call; [`decide`] is that decision,
//! without I/O. One refresh of a connection at a time: in this process by a turn ([`Flights`]), among processes by a lease
//! (`lease`); those of many connections stand in `line`. [`step`] decides how a refresh goes on, `run` performs it: `claim`
//! before the provider is asked (`ask`), `keep` and `write` after it. Nothing here holds a transaction across a network
//! call, and no refresh token is sent without a row that says so.

mod ahead;
mod ask;
mod claim;
mod decide;
mod due;
pub mod expiring;
mod flight;
mod keep;
mod kept;
mod lease;
pub(crate) mod lifetime;
mod line;
mod probe;
mod run;
pub mod step;
pub mod sweep;
mod words;
mod write;

pub(crate) use ask::spends;
pub use decide::{Decision, decide};
pub use flight::Flights;
pub use kept::Kept;

use std::{sync::Arc, time::Duration};

use claviger_catalog::Provider;
use claviger_protocol::oauth2::Tokens;

use self::run::Cause;
use crate::{
    broker::Broker,
    connect::{endpoints, tokens, verify},
    domain::{
        audit::Actor,
        connection::{Connection, Status},
        credential::Credential,
        integration::Integration,
    },
    error::{Error, ProviderFault, Result},
    id::{ConnectionId, ProcessId, WorkspaceId},
    memory::Moment,
    store::Store,
    time::Millis,
};

/// A 401 on a token younger than this is the provider's opinion of the call, not of the token.
const TRUSTED_FOR: Duration = Duration::from_secs(60);

/// How long a call waits for a refresh while its token is still good.
const PATIENCE: Duration = Duration::from_secs(2);

/// How refreshes are done.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For how long whoever refreshes a connection has it to itself, unless it says again that it is at it. Longer than a
    /// request to a token endpoint takes.
    pub lease: Duration,
    /// Which process this is, among those over one database.
    pub process: ProcessId,
    /// Whether credentials are made anew before calls have to wait for it.
    pub ahead: bool,
}

impl Settings {
    /// Of a process of its own.
    pub fn new(lease: Duration) -> Self {
        Self { lease, process: ProcessId::new(), ahead: true }
    }
}

impl Default for Settings {
    /// For whoever has no settings: tests. A serving process takes its own.
    fn default() -> Self {
        Self::new(Duration::from_secs(45))
    }
}

/// The connection that a token is wanted for, and what it hangs on.
#[derive(Clone)]
pub struct Subject {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The connection.
    pub connection: Arc<Connection>,
    /// Its integration.
    pub integration: Arc<Integration>,
    /// Its provider.
    pub provider: Arc<Provider>,
}

/// A token set that is good for a call.
#[derive(Clone)]
pub struct Usable {
    /// The tokens.
    pub tokens: Arc<Tokens>,
    /// The credential's version that they are.
    pub version: i64,
    /// When they were obtained.
    pub obtained_at: Millis,
    /// Whether the ones before are kept until these are known to work.
    pub unproven: bool,
    /// Whether they are the ones before that version.
    pub previous: bool,
}

/// Gives a usable token, refreshing it first when it is about to expire.
///
/// # Errors
/// `NeedsReauth` when the provider refuses to refresh or there is nothing to refresh with; `Provider` when it
/// can't be asked and the token is past its life.
pub async fn fresh(broker: &Arc<Broker>, subject: &Subject) -> Result<Usable> {
    let board = broker.store.board();
    if let Some(usable) = broker.kept.get(board, &subject.connection, broker.clock.now()) {
        return Ok(usable);
    }
    // Seldom, and large: on the heap, so that calls need not carry room for it.
    Box::pin(read(broker, subject)).await
}

/// The same of tokens that are not remembered.
async fn read(broker: &Arc<Broker>, subject: &Subject) -> Result<Usable> {
    let board = broker.store.board();
    let read = Moment::of(board);
    let held = load(broker, subject).await?;
    let lead = due::margin(&subject.provider);
    // A credential that was typed in is used until it is refused.
    let refreshable = endpoints::refreshable(&subject.provider, &held.usable.tokens);
    let decision = if held.usable.tokens.access_token.is_empty() && refreshable {
        // One that we make ourselves, before the first call.
        Decision::Refresh { still_good: false }
    } else {
        decide(broker.clock.now(), &held.credential, lead, refreshable)
    };
    match decision {
        Decision::Use => {
            let until = decide::until(&held.credential, lead, refreshable);
            broker.kept.keep(board, read, &subject.connection, held.usable.clone(), until);
            Ok(held.usable)
        }
        Decision::Refresh { still_good: true } => {
            let renewed = run::renew_for(broker, subject, held.usable.version, Cause::Due(lead));
            match tokio::time::timeout(PATIENCE, renewed).await {
                Ok(Err(error @ (Error::Provider { .. } | Error::Internal(_)))) => {
                    tracing::warn!(connection = %subject.connection.id, ?error, "a refresh ahead of expiry failed");
                    Ok(held.usable)
                }
                Ok(other) => other,
                // The refresh goes on; this call need not wait for it.
                Err(_) => Ok(held.usable),
            }
        }
        Decision::Refresh { still_good: false } => {
            match run::renew_for(broker, subject, held.usable.version, Cause::Due(lead)).await {
                Err(Error::Provider { fault: ProviderFault::Refused, message }) => {
                    Err(Error::NeedsReauth { message })
                }
                other => other,
            }
        }
        Decision::Dead => {
            let reason = "the access token has expired and nothing can be had in its place";
            run::expire(broker, subject, held.usable.version, reason).await?;
            Err(Error::NeedsReauth { message: reason.into() })
        }
    }
}

/// Makes the credential anew at once, whatever is left of its life. Where there is nothing to make it anew with, its
/// provider is asked whether it still takes it, by the calls of its file.
///
/// # Errors
/// `NeedsReauth` when the connection needs its owner, or its provider refuses; `Limited` after too many tries; `Provider`
/// when it can't be asked.
pub async fn now(broker: &Arc<Broker>, subject: &Subject) -> Result<()> {
    let Subject { connection, integration, provider, .. } = subject;
    let again = "the connection must be authorized again";
    if connection.status == Status::NeedsReauth {
        return Err(Error::NeedsReauth { message: connection.status_reason.clone().unwrap_or(again.into()) });
    }
    broker.tries.take(connection.id.as_str(), broker.clock.now())?;
    let held = load(broker, subject).await?;
    if endpoints::refreshable(provider, &held.usable.tokens) {
        return run::renew(broker, subject, held.usable.version).await.map(drop);
    }
    let held = fresh(broker, subject).await?;
    match verify::still(broker, integration, provider, &connection.inputs, &held.tokens).await {
        Err(Error::Invalid { message, .. }) => Err(Error::NeedsReauth { message }),
        told => told,
    }
}

/// The provider answered 401. Gives a token to resend with once, or `None` to pass the 401 on: a token just obtained is
/// not to blame, and one already replaced needs no refresh. Where a refresh just made it and it never worked, the one
/// before it is given, as long as that is not over: some providers take a while until they know their own tokens.
pub async fn rejected(broker: &Arc<Broker>, subject: &Subject, used: &Usable) -> Result<Option<Usable>> {
    let held = load(broker, subject).await?;
    if held.usable.version != used.version {
        return Ok(Some(held.usable));
    }
    if broker.clock.now().since(used.obtained_at) < TRUSTED_FOR {
        return before(broker, used, &held.credential);
    }
    if !endpoints::refreshable(&subject.provider, &used.tokens) {
        return Ok(None);
    }
    match run::renew_for(broker, subject, used.version, Cause::Refused).await {
        Ok(newer) => Ok(Some(newer)),
        Err(error @ (Error::Provider { .. } | Error::Internal(_))) => {
            tracing::warn!(connection = %subject.connection.id, ?error, "a refresh on the provider's word failed");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The tokens before these, where they may still work.
fn before(broker: &Broker, used: &Usable, credential: &Credential) -> Result<Option<Usable>> {
    if used.previous || credential.worked_at.is_some() {
        return Ok(None);
    }
    let Some(tokens) = tokens::open_previous(broker, credential)? else { return Ok(None) };
    if tokens.expires_at.is_some_and(|end| end <= broker.clock.now().0) {
        return Ok(None);
    }
    Ok(Some(Usable { tokens: Arc::new(tokens), previous: true, ..used.clone() }))
}

/// Notes that a credential of this version works: the one before it is erased.
///
/// # Errors
/// `Internal` when the database fails.
pub(crate) async fn worked(
    store: &Store,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    version: i64,
    at: Millis,
) -> Result<()> {
    let mut conn = store.begin(Actor::System, at).await?;
    conn.credential_worked(workspace, connection, version, at).await?;
    conn.commit().await
}

struct Held {
    credential: Credential,
    usable: Usable,
}

/// The credential as it is now.
///
/// # Errors
/// `NotFound`; busy where the connection was authorized anew since it was read, with other values: its tokens may be for
/// another host.
async fn load(broker: &Broker, subject: &Subject) -> Result<Held> {
    let Subject { workspace_id, connection, .. } = subject;
    let missing = || Error::NotFound { what: "connection" };
    let mut conn = broker.store.read().await?;
    let credential = conn.credential(workspace_id, &connection.id).await?.ok_or_else(missing)?;
    // After the credential: values change with it, so those that are the same now were so then.
    let now = conn.connection(workspace_id, &connection.id).await?.ok_or_else(missing)?;
    drop(conn);
    if !now.calls_as(connection) {
        return Err(Error::busy());
    }
    let usable = Usable {
        tokens: Arc::new(tokens::open(broker, &credential)?),
        version: credential.version,
        obtained_at: credential.obtained_at,
        unproven: credential.previous.is_some(),
        previous: false,
    };
    Ok(Held { credential, usable })
}
