//! Sharing: with whom an integration is shared, and how far. Who manages it sees that; changing it also takes the
//! permission.

use std::sync::Arc;

use super::principal::{self, Known};
use crate::{
    access::{
        Member,
        rights::{Seen, see},
    },
    broker::Broker,
    domain::{
        share::{Level, Share},
        user::Permission,
    },
    error::{Error, Result},
    store::{Conn, Page},
};

/// A share, and with whom it is.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The share.
    pub share: Share,
    /// With whom.
    pub with: Known,
}

/// The shares of an integration, as a member sees them.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The integration.
    pub seen: Seen,
    /// This stretch of its shares, longest first.
    pub shares: Vec<Shared>,
    /// How many there are.
    pub count: i64,
}

/// With whom an integration is shared.
///
/// # Errors
/// `NotFound` for an integration that the member does not see, `Denied` unless it manages it; so with every verb here.
pub async fn list(broker: &Arc<Broker>, member: &Member, selector: &str, page: &Page) -> Result<Listed> {
    let ws = &member.workspace_id;
    let mut conn = broker.store.read().await?;
    let seen = managed(&mut conn, member, selector).await?;
    let mut shares = Vec::new();
    for share in conn.shares(ws, &seen.integration.id, page).await? {
        // One that is gone took its shares along.
        if let Some(with) = principal::known(&mut conn, ws, &share.principal).await? {
            shares.push(Shared { share, with });
        }
    }
    let count = conn.count_shares(ws, &seen.integration.id).await?;
    Ok(Listed { seen, shares, count })
}

/// The share of an integration with one user or team.
///
/// # Errors
/// `NotFound` when it is not shared with them, or there is nobody of this name.
pub async fn show(broker: &Arc<Broker>, member: &Member, selector: &str, with: &str) -> Result<Shared> {
    let ws = &member.workspace_id;
    let mut conn = broker.store.read().await?;
    let seen = managed(&mut conn, member, selector).await?;
    let with = principal::resolve(&mut conn, ws, with).await?.ok_or(MISSING)?;
    let share = conn.share(ws, &seen.integration.id, &with.principal()).await?.ok_or(MISSING)?;
    Ok(Shared { share, with })
}

/// Shares an integration with a user or a team, or changes how far.
///
/// # Errors
/// `Denied` without the permission, `Invalid` when there is nobody of this name, `Conflict` when it belongs to them.
pub async fn set(
    broker: &Arc<Broker>,
    member: &Member,
    selector: &str,
    with: &str,
    level: Level,
) -> Result<Shared> {
    member.require_writing()?;
    let ws = &member.workspace_id;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    let integration = sharable(&mut conn, member, selector).await?.integration;
    let with = principal::resolve(&mut conn, ws, with).await?;
    let with = with.ok_or_else(|| Error::invalid("principalId", "Names no user and no team here"))?;
    let principal = with.principal();
    if integration.owner.as_ref() == Some(&principal) {
        let message = "It belongs to them, so it can't be shared with them".to_owned();
        return Err(Error::Conflict { message });
    }
    let share = conn.set_share(ws, &integration.id, &principal, level).await?;
    conn.commit().await?;
    Ok(Shared { share, with })
}

/// Ends a share.
///
/// # Errors
/// `Denied` without the permission, `NotFound` when it is not shared with them, or there is nobody of this name.
pub async fn remove(broker: &Arc<Broker>, member: &Member, selector: &str, with: &str) -> Result<()> {
    member.require_writing()?;
    let ws = &member.workspace_id;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    let seen = sharable(&mut conn, member, selector).await?;
    let with = principal::resolve(&mut conn, ws, with).await?.ok_or(MISSING)?;
    if !conn.delete_share(ws, &seen.integration.id, &with.principal()).await? {
        return Err(MISSING);
    }
    conn.commit().await
}

const MISSING: Error = Error::NotFound { what: "share" };

async fn managed(conn: &mut Conn, member: &Member, selector: &str) -> Result<Seen> {
    let seen = see(conn, member, selector).await?;
    seen.require_level(Level::Manage)?;
    Ok(seen)
}

async fn sharable(conn: &mut Conn, member: &Member, selector: &str) -> Result<Seen> {
    let seen = see(conn, member, selector).await?;
    seen.require(member, Level::Manage, Permission::Share)?;
    Ok(seen)
}
