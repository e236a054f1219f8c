//! The first operator: made by whoever has the one-time link that `serve` prints while there is none.
//!
//! On an empty database the first workspace is made with it; where there are workspaces already, the operator owns them
//! all. Only the hash of a link is kept; using one ends all.

use std::{sync::Arc, time::Duration};

use super::{Change, NewWorkspace, check, password_hash, workspace};
use crate::{
    access::{self, Entered, Visitor},
    broker::Broker,
    domain::{
        audit::Actor,
        user::{Operator, Role},
    },
    error::{Error, Result},
    id::OperatorId,
    secret::{Secret, token},
    store::Conn,
    vault::hash,
};

/// How long a link is good.
pub const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The first operator to be.
pub struct FirstOperator {
    /// The name it signs in with.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// What the first workspace is called; not looked at where there is one already.
    pub workspace: String,
}

/// Makes a link while there is no operator; `None` as soon as there is one.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn link(broker: &Broker) -> Result<Option<Secret>> {
    if broker.store.read().await?.any_has_operators().await? {
        return Ok(None);
    }
    let (link, now) = (token()?, broker.clock.now());
    let mut conn = broker.store.begin(Actor::System, now).await?;
    conn.any_create_setup_link(&hash::token(link.expose()), now.plus(LINK_LIFE)).await?;
    conn.commit().await?;
    Ok(Some(link))
}

/// Whether there is no workspace yet, and so nothing that an operator could see.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn is_empty(broker: &Broker) -> Result<bool> {
    Ok(broker.store.read().await?.any_workspaces().await?.is_empty())
}

/// Whether a link is good, and if so, whether a workspace is to be made with it.
///
/// # Errors
/// `NotFound` for a link that is not good (any more).
pub async fn open(broker: &Broker, link: &Secret) -> Result<bool> {
    let mut conn = broker.store.read().await?;
    check_link(broker, &mut conn, link).await?;
    Ok(conn.any_workspaces().await?.is_empty())
}

async fn check_link(broker: &Broker, conn: &mut Conn, link: &Secret) -> Result<()> {
    let ends_at = conn.any_setup_link(&hash::token(link.expose())).await?;
    let good = ends_at.is_some_and(|at| at > broker.clock.now()) && !conn.any_has_operators().await?;
    if good { Ok(()) } else { Err(missing()) }
}

fn missing() -> Error {
    Error::NotFound { what: "set-up link" }
}

/// Makes the first operator, and the first workspace where there is none, and signs the operator in.
///
/// # Errors
/// `NotFound` for a link that is not good (any more); `Invalid` for a bad name or password.
pub async fn operator(
    broker: &Arc<Broker>,
    visitor: &Visitor<'_>,
    link: &Secret,
    input: FirstOperator,
) -> Result<Entered> {
    check_link(broker, &mut broker.store.read().await?, link).await?;
    let username = check::username(&input.username)?;
    let password_hash = password_hash(input.password).await?;
    let id = OperatorId::new();
    let (actor, now) = (Actor::Operator(id.to_string()), broker.clock.now());
    let mut conn = broker.store.begin(actor, now).await?.from_address(visitor.address);
    if !conn.any_take_setup_link(&hash::token(link.expose())).await? || conn.any_has_operators().await? {
        return Err(missing());
    }
    if conn.any_workspaces().await?.is_empty() {
        let wanted = NewWorkspace { name: input.workspace, ..NewWorkspace::default() };
        workspace(&mut Change::of(broker, &mut conn), wanted).await?;
    }
    let all = conn.any_workspaces().await?;
    let operator = Operator {
        id,
        username,
        password_hash: Some(password_hash),
        roles: all.into_iter().map(|it| (it.id, Role::Owner)).collect(),
        disabled_at: None,
        created_at: now,
    };
    conn.create_operator(&operator).await?;
    let sid = access::open_operator_session(&mut conn, broker, &operator).await?;
    conn.commit().await?;
    Ok(Entered { operator, sid })
}
