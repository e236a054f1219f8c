//! Bound: a flow that a user of ours began ends only for that user, and only while it still may.
//!
//! Whoever began it in a signed-in browser must be signed in there still, with the same session: else a link that was
//! sent to somebody, or left behind on a shared machine, would connect an account for another (connection hijack). What
//! a user may do is looked up again too, for a share can be taken away meanwhile. A flow of a product's customer is not
//! bound: completion is what guards that. But the customer of a token, and the connection that it authorizes anew, must
//! still be there.

use std::sync::Arc;

use crate::{
    access::{self, By, Member, rights},
    broker::Broker,
    domain::{
        connection::{Onto, Owner, OwnerKind},
        flow::Flow,
        integration::Integration,
    },
    error::{Error, Result},
    secret::Secret,
    store::Conn,
    vault::hash,
};

/// The connection that was to be authorized anew is not there any more.
pub(super) const GONE: &str = "the connection to authorize anew is gone";

/// The flow's user, who still may connect; `None` for a flow that is no user's. Asked before the provider is.
///
/// # Errors
/// `Invalid` naming `session` when this is not the session that the flow was begun with, or that is over; `Denied` when
/// the integration is not to be connected by this user any more.
pub(super) async fn hold(
    broker: &Arc<Broker>,
    flow: &Flow,
    session: Option<&Secret>,
) -> Result<Option<Member>> {
    match flow.owner.kind {
        OwnerKind::User | OwnerKind::Shared => {}
        OwnerKind::Customer => return still_there(broker, flow).await.map(|()| None),
        OwnerKind::External => return Ok(None),
    }
    let member = match &flow.session_hash {
        Some(begun_with) => signed_in(broker, flow, begun_with, session).await?,
        None => named(broker, flow).await?,
    };
    may_still(broker, flow, &member).await?;
    Ok(Some(member))
}

/// The same where no browser shows its session: it must only last. Looking does not count as using it.
pub(super) async fn hold_away(broker: &Broker, flow: &Flow) -> Result<Option<Member>> {
    match flow.owner.kind {
        OwnerKind::User | OwnerKind::Shared => {}
        OwnerKind::Customer => return still_there(broker, flow).await.map(|()| None),
        OwnerKind::External => return Ok(None),
    }
    let member = match &flow.session_hash {
        Some(begun_with) => match access::lasting(broker, &flow.workspace_id, begun_with).await {
            Err(Error::Unauthenticated { .. }) => return Err(signed_out()),
            found => found?,
        },
        None => named(broker, flow).await?,
    };
    may_still(broker, flow, &member).await?;
    Ok(Some(member))
}

/// Fails unless a user may connect the flow's integration still.
async fn may_still(broker: &Broker, flow: &Flow, member: &Member) -> Result<()> {
    let mut conn = broker.store.read().await?;
    let integration = conn.integration(&flow.workspace_id, &flow.integration_id).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    let Some(seen) = rights::seen(&mut conn, member, integration).await? else {
        return Err(Error::Denied { message: "it is not shared with you any more".to_owned() });
    };
    may_connect(&mut conn, member, &seen.integration).await
}

/// Fails where the integration is connected already, for everybody, by another user: only that one, or a superuser,
/// may put another account in its place.
///
/// # Errors
/// `Denied`
pub(crate) async fn may_connect(conn: &mut Conn, member: &Member, integration: &Integration) -> Result<()> {
    let owner = Owner::member(integration.mode, &member.user.username);
    if owner.kind != OwnerKind::Shared || member.user.superuser {
        return Ok(());
    }
    let found = conn.connection_of(&member.workspace_id, &integration.id, &owner).await?;
    if found.is_none_or(|connection| connection.owner.key == owner.key) {
        return Ok(());
    }
    let message =
        "It is connected already, for everybody: only who connected it, or a superuser, may do so anew";
    Err(Error::Denied { message: message.to_owned() })
}

/// Fails where the customer of a flow is gone, or the connection that it goes over.
async fn still_there(broker: &Broker, flow: &Flow) -> Result<()> {
    let (mut conn, workspace) = (broker.store.read().await?, &flow.workspace_id);
    let key = flow.owner.key.as_deref().unwrap_or_default();
    if conn.customer_by_key(workspace, key).await?.is_none() {
        return Err(Error::Denied {
            message: "its customer is not known: it becomes known with its first token".to_owned(),
        });
    }
    let Onto::This(id) = &flow.onto else { return Ok(()) };
    match conn.connection(workspace, id).await? {
        Some(found) if found.owner == flow.owner => Ok(()),
        _ => Err(Error::Conflict { message: GONE.to_owned() }),
    }
}

/// The user of the session that the flow was begun with, if the browser still shows that and it still holds.
async fn signed_in(
    broker: &Arc<Broker>,
    flow: &Flow,
    begun_with: &str,
    session: Option<&Secret>,
) -> Result<Member> {
    let shown = session.ok_or_else(signed_out)?;
    if !hash::same(&hash::token(shown.expose()), begun_with) {
        return Err(signed_out());
    }
    match access::session(broker, &flow.workspace_id, shown).await {
        Err(Error::Unauthenticated { .. }) => Err(signed_out()),
        found => found,
    }
}

fn signed_out() -> Error {
    let message = "you are not signed in any more as who began this; sign in and begin again";
    Error::invalid("session", message)
}

/// The flow's user, of whom it was just found that it may connect; `None` for a flow that is no user's.
pub(super) async fn whose(broker: &Broker, flow: &Flow) -> Result<Option<Member>> {
    match flow.owner.kind {
        OwnerKind::User | OwnerKind::Shared => named(broker, flow).await.map(Some),
        OwnerKind::External | OwnerKind::Customer => Ok(None),
    }
}

/// The user that the flow is for, where a program of its began it.
async fn named(broker: &Broker, flow: &Flow) -> Result<Member> {
    let (mut conn, workspace) = (broker.store.read().await?, &flow.workspace_id);
    let name = flow.owner.key.as_deref().unwrap_or_default();
    let found = conn.user_by_name(workspace, name).await?.filter(|user| user.disabled_at.is_none());
    let denied = || Error::Denied { message: "its user can't sign in any more".to_owned() };
    let user = found.ok_or_else(denied)?;
    let teams = conn.teams_of(workspace, &user.id).await?;
    Ok(Member { workspace_id: workspace.clone(), user, teams, by: By::Password })
}
