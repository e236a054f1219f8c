//! Record: the one transaction in which a connection becomes true.
//!
//! The integration must still be what it was when its tokens were asked for. Connection, credential, event and
//! deliveries, and the flow's end are written together or not at all; the browser is sent on only after. Tokens
//! that can't be kept do not stay behind at the provider. A user who connects again keeps the connection: only its
//! credential is another, and so is a shared integration's.

use std::sync::{Arc, Mutex, PoisonError};

use claviger_catalog::RevocationScope;
use claviger_protocol::oauth2::Tokens;

use super::{account, bound::GONE, end, exchange::Exchanged, finish::CHANGED, persist::persist, tokens};
use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, Onto, Status},
        credential::Credential,
        event::EventKind,
        flow::Flow,
        integration::Integration,
    },
    error::{Error, Result},
    id::ConnectionId,
    store::Conn,
    time::Millis,
    webhook,
};

/// How often a credential that is refreshed meanwhile is looked at again, within one transaction.
const LOOKS: u32 = 5;

/// A connection that is about to be.
pub(super) struct Draft {
    /// The connection. Where its owner has one already, that one stays and takes over all of this but its id.
    pub connection: Connection,
    /// What it is used with.
    pub tokens: Tokens,
    /// Which connection it goes over.
    pub onto: Onto,
    /// The integration's version that all this was made with.
    pub version: i64,
    /// What the last try wrote over; its commit may have failed, or only looked so.
    over: Mutex<Option<Over>>,
}

/// A connection authorized anew, and what became of its credential.
struct Over {
    was: Connection,
    old: Option<Credential>,
    new: Credential,
}

/// What a transaction wrote.
pub(super) struct Written {
    /// The connection as it is now kept.
    pub connection: Connection,
    /// Whether this transaction did it: otherwise it is there already, because a commit that looked like a failure
    /// was none.
    pub now: bool,
}

impl Draft {
    /// A connection to be, made with an integration of this version.
    pub(super) fn new(connection: Connection, tokens: Tokens, onto: Onto, version: i64) -> Self {
        Self { connection, tokens, onto, version, over: Mutex::new(None) }
    }

    /// What came of a flow.
    pub(super) fn of(flow: &Flow, exchanged: Exchanged, now: Millis) -> Self {
        let Exchanged { tokens, account, inputs } = exchanged;
        let asked = flow.endpoints.as_ref().map(|e| e.scopes.clone()).unwrap_or_default();
        let connection = Connection {
            id: ConnectionId::new(),
            workspace_id: flow.workspace_id.clone(),
            integration_id: flow.integration_id.clone(),
            owner: flow.owner.clone(),
            status: Status::Active,
            status_reason: None,
            scopes_granted: tokens.scopes.clone().unwrap_or_else(|| asked.clone()),
            scopes_asked: asked,
            account,
            inputs,
            name: flow.name.clone(),
            auth_option: flow.auth_option.clone(),
            frozen_at: None,
            refreshed_at: None,
            expires_at: tokens.expires_at.map(Millis),
            authorized_at: now,
            created_at: now,
            updated_at: now,
        };
        Self::new(connection, tokens, flow.onto.clone(), flow.integration_version)
    }
}

/// Writes a connection in the caller's transaction. An owner who may have one only keeps the one that is there: it gets
/// these tokens, over whatever version is there, and is active again; an operator's freeze stays.
///
/// # Errors
/// `Conflict` when the integration was changed or switched off; `Denied` for a shared connection that another user made,
/// unless this one is a superuser.
pub(super) async fn write(broker: &Broker, conn: &mut Conn, draft: &Draft) -> Result<Written> {
    if let Some(connection) = kept(conn, draft).await? {
        return Ok(Written { connection, now: false });
    }
    let made = &draft.connection;
    let workspace = &made.workspace_id;
    if !conn.hold_integration(workspace, &made.integration_id, draft.version).await? {
        return Err(Error::Conflict { message: CHANGED.into() });
    }
    // Nobody else connects through this integration from here on.
    if let Some(was) = there(conn, draft).await? {
        return renew(broker, conn, draft, was).await;
    }
    let credential = tokens::seal(broker, workspace, &made.id, &draft.tokens, made.created_at)?;
    conn.create_connection(workspace, made).await?;
    conn.create_credential(workspace, &credential).await?;
    if let Some(life) = refresh_life(&credential) {
        conn.note_grant(workspace, &made.id, Some(life), None).await?;
    }
    webhook::emit(conn, EventKind::ConnectionCreated, made, made.created_at).await?;
    Ok(Written { connection: made.clone(), now: true })
}

/// The connection that the draft goes over; `None` where it is to be a new one.
async fn there(conn: &mut Conn, draft: &Draft) -> Result<Option<Connection>> {
    let made = &draft.connection;
    let workspace = &made.workspace_id;
    match &draft.onto {
        Onto::New => Ok(None),
        Onto::Only => conn.connection_of(workspace, &made.integration_id, &made.owner).await,
        Onto::This(id) => {
            let found = conn.connection(workspace, id).await?;
            let same =
                |found: &Connection| found.owner == made.owner && found.integration_id == made.integration_id;
            let gone = || Error::Conflict { message: GONE.to_owned() };
            found.filter(same).ok_or_else(gone).map(Some)
        }
    }
}

/// Puts what came of authorizing anew over a connection.
async fn renew(broker: &Broker, conn: &mut Conn, draft: &Draft, was: Connection) -> Result<Written> {
    let made = &draft.connection;
    let workspace = &made.workspace_id;
    if was.owner.key != made.owner.key && !is_superuser(conn, made).await? {
        let message = "This shared connection was made by another user; only that user or a superuser may \
                       authorize it anew";
        return Err(Error::Denied { message: message.into() });
    }
    let note = account::compare(conn, &was, made).await?;
    let connection = Connection {
        id: was.id.clone(),
        owner: was.owner.clone(),
        name: made.name.clone().or(was.name.clone()),
        frozen_at: was.frozen_at,
        created_at: was.created_at,
        ..made.clone()
    };
    conn.forget_refreshes(workspace, &was.id, made.authorized_at).await?;
    let mut new = tokens::seal(broker, workspace, &was.id, &draft.tokens, made.authorized_at)?;
    let mut looks = 0;
    let old = loop {
        let Some(old) = conn.credential(workspace, &was.id).await? else {
            // Above every version that a refresh may have read before the credential went.
            new.version = made.authorized_at.0;
            conn.create_credential(workspace, &new).await?;
            break None;
        };
        new.version = old.version + 1;
        if conn.replace_credential(workspace, &new, old.version).await? {
            break Some(old);
        }
        looks += 1;
        if looks == LOOKS {
            return Err(Error::internal(format!("the credential of {} does not hold still", was.id)));
        }
    };
    conn.authorize_connection(workspace, &connection).await?;
    conn.note_grant(workspace, &was.id, refresh_life(&new), note.as_deref()).await?;
    webhook::emit_authorized(conn, &was, &connection, note.is_some(), made.authorized_at).await?;
    *draft.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(Over { was, old, new });
    Ok(Written { connection, now: true })
}

/// How long the refresh token of a first credential has to live, in milliseconds, where the provider says.
fn refresh_life(first: &Credential) -> Option<i64> {
    first.refresh_expires_at.map(|dies_at| dies_at.0.saturating_sub(first.obtained_at.0))
}

/// Whether the user by whose hand this connection comes is a superuser.
async fn is_superuser(conn: &mut Conn, made: &Connection) -> Result<bool> {
    let Some(name) = &made.owner.key else { return Ok(false) };
    let user = conn.user_by_name(&made.workspace_id, name).await?;
    Ok(user.is_some_and(|user| user.superuser && user.disabled_at.is_none()))
}

/// What an earlier try wrote, if its commit only looked like a failure.
async fn kept(conn: &mut Conn, draft: &Draft) -> Result<Option<Connection>> {
    let made = &draft.connection;
    if let Some(found) = conn.connection(&made.workspace_id, &made.id).await? {
        return Ok(Some(found));
    }
    let tried = {
        let over = draft.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.as_ref().map(|over| over.new.clone())
    };
    let Some(tried) = tried else { return Ok(None) };
    let Some(found) = conn.connection(&made.workspace_id, &tried.connection_id).await? else {
        return Ok(None);
    };
    let Some(there) = conn.credential(&made.workspace_id, &found.id).await? else { return Ok(None) };
    // Versions only go up. What is newer than ours was refreshed from it or authorized after it, unless it was authorized
    // before.
    let ours = match there.version.cmp(&tried.version) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => there.sealed.body() == tried.sealed.body(),
        std::cmp::Ordering::Greater => found.authorized_at >= made.authorized_at,
    };
    Ok(Some(found).filter(|_| ours))
}

/// Runs the transaction that has [`write()`] in it, again while the database fails. When it fails for good, the
/// tokens are revoked, for nobody else holds them: without a connection they would be a grant that nobody knows of.
pub(super) async fn keep<F>(
    broker: &Arc<Broker>,
    integration: &Integration,
    draft: &Draft,
    transaction: impl Fn() -> F,
) -> Result<Connection>
where
    F: Future<Output = Result<Connection>>,
{
    let connection = &draft.connection;
    let what = format!("the first tokens of {}", connection.id);
    let written = match persist(&broker.clock, &what, transaction).await {
        Ok(written) => written,
        Err(error) => {
            let mut conn = broker.store.read().await?;
            let found = kept(&mut conn, draft).await?;
            drop(conn);
            let Some(found) = found else {
                end::revoke_unless_shared(broker, integration, connection, &draft.tokens).await;
                return Err(error);
            };
            found
        }
    };
    forget_replaced(broker, integration, draft);
    Ok(written)
}

/// Runs the same transaction once, with tokens that whoever brought them still has.
pub(super) async fn put<F>(
    broker: &Arc<Broker>,
    integration: &Integration,
    draft: &Draft,
    transaction: impl Fn() -> F,
) -> Result<Connection>
where
    F: Future<Output = Result<Connection>>,
{
    let written = transaction().await?;
    forget_replaced(broker, integration, draft);
    Ok(written)
}

/// Has the provider forget the tokens that were replaced, where it surely forgets those only; nobody waits for it.
fn forget_replaced(broker: &Arc<Broker>, integration: &Integration, draft: &Draft) {
    let over = draft.over.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Over { was, old: Some(old), .. }) = over else { return };
    let Ok(held) = tokens::open(broker, &old) else { return };
    if same(&held, &draft.tokens) {
        return;
    }
    let (broker, integration) = (broker.clone(), integration.clone());
    broker.clone().tasks.spawn(async move {
        if let Err(error) = forget(&broker, &integration, &was, &held).await {
            tracing::warn!(connection = %was.id, %error, "replaced tokens could not be revoked");
        }
    });
}

/// Has the provider that these tokens are of forget them: the connection may have been made in another way than now.
async fn forget(broker: &Broker, now: &Integration, was: &Connection, held: &Tokens) -> Result<()> {
    let mut conn = broker.store.read().await?;
    let option = was.auth_option.as_deref();
    let found = conn.integration_as(&was.workspace_id, &was.integration_id, option).await?;
    drop(conn);
    // Of another version it may be another place.
    let same = |it: &Integration| it.version == now.version;
    let integration = found.filter(same).ok_or(Error::Conflict { message: CHANGED.into() })?;
    let provider = broker.provider(&integration)?;
    let single = |oauth2: &claviger_catalog::OAuth2| oauth2.revocation_scope == RevocationScope::Token;
    if provider.oauth2().is_some_and(single) {
        end::revoke_unless_shared(broker, &integration, was, held).await;
    }
    Ok(())
}

/// Whether two sets have a token in common.
fn same(one: &Tokens, other: &Tokens) -> bool {
    let refresh = |tokens: &Tokens| tokens.refresh_token.as_ref().map(|token| token.expose().to_owned());
    one.access_token.expose() == other.access_token.expose()
        || refresh(one).is_some_and(|token| refresh(other) == Some(token))
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
