//! Ownership: whom an integration belongs to, and handing it to somebody else.
//!
//! Who hands it over keeps nothing of it, unless it is shared with them afterwards.

use std::sync::Arc;

use super::principal::{self, Known};
use crate::{
    access::{Member, rights::see},
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
    store::Conn,
};

/// An integration, and whom it belongs to.
#[derive(Debug, Clone)]
pub struct Owned {
    /// The integration.
    pub integration: Integration,
    /// Whom it belongs to; what operators made belongs to nobody.
    pub owner: Option<Known>,
}

/// Who is to be the owner.
#[derive(Debug, Clone)]
pub enum Heir {
    /// The user of this name.
    User(String),
    /// The team of this slug.
    Team(String),
    /// Whichever of both it is.
    Either(String),
}

/// Whom an integration belongs to.
///
/// # Errors
/// `NotFound` for an integration that the member does not see.
pub async fn show(broker: &Arc<Broker>, member: &Member, selector: &str) -> Result<Owned> {
    let mut conn = broker.store.read().await?;
    let integration = see(&mut conn, member, selector).await?.integration;
    let owner = match &integration.owner {
        Some(owner) => principal::known(&mut conn, &member.workspace_id, owner).await?,
        None => None,
    };
    Ok(Owned { integration, owner })
}

/// Hands an integration to a user or a team.
///
/// # Errors
/// `NotFound` for an integration that the member does not see, `Denied` unless it may hand it over, `Invalid` when
/// there is nobody of this name, or the user can't sign in.
pub async fn set(broker: &Arc<Broker>, member: &Member, selector: &str, heir: &Heir) -> Result<Owned> {
    member.require_writing()?;
    let ws = &member.workspace_id;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    let seen = see(&mut conn, member, selector).await?;
    seen.require_handing_over(member)?;
    let mut integration = seen.integration;
    let known = found(&mut conn, member, heir).await?;
    let owner = known.principal();
    if integration.owner.as_ref() != Some(&owner) {
        conn.set_integration_owner(ws, &integration.id, Some(&owner)).await?;
        // What was shared with them before must not outlast their owning it.
        conn.delete_share(ws, &integration.id, &owner).await?;
        conn.commit().await?;
        integration.owner = Some(owner);
    }
    Ok(Owned { integration, owner: Some(known) })
}

async fn found(conn: &mut Conn, member: &Member, heir: &Heir) -> Result<Known> {
    let (field, text) = match heir {
        Heir::User(name) => ("userId", format!("user:{}", name.strip_prefix("user:").unwrap_or(name))),
        Heir::Team(slug) => ("teamId", format!("team:{}", slug.strip_prefix("team:").unwrap_or(slug))),
        Heir::Either(text) => ("ownerId", text.clone()),
    };
    let known = principal::resolve(conn, &member.workspace_id, &text).await?;
    match known {
        None => Err(Error::invalid(field, "Names no user and no team here")),
        Some(Known::User(user)) if user.disabled_at.is_some() => {
            Err(Error::invalid(field, "This user is disabled"))
        }
        Some(known) => Ok(known),
    }
}
