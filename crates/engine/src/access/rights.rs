//! Rights: what a member may do with one integration.
//!
//! Two things are asked of whoever changes something: that the integration is its own, or shared with it far enough,
//! and that it has the permission for such changes. What a member does not see does not exist for it.

use super::member::Member;
use crate::{
    domain::{integration::Integration, share::Level, user::Permission},
    error::{Error, Result},
    store::Conn,
};

/// An integration as a member sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The integration.
    pub integration: Integration,
    /// How far the member reaches: the highest of its shares; all the way for an owner and a superuser.
    pub level: Level,
    /// Whether it belongs to the member, or to one of its teams.
    pub owned: bool,
}

/// An integration by id or key, as a member sees it.
///
/// # Errors
/// `NotFound` for one that is not there and for one that the member does not see.
pub async fn see(conn: &mut Conn, member: &Member, selector: &str) -> Result<Seen> {
    let missing = || Error::NotFound { what: "integration" };
    let found = conn.integration_by_selector(&member.workspace_id, selector).await?;
    let integration = found.ok_or_else(missing)?;
    seen(conn, member, integration).await?.ok_or_else(missing)
}

/// How a member sees an integration; `None` when it does not.
pub async fn seen(conn: &mut Conn, member: &Member, integration: Integration) -> Result<Option<Seen>> {
    let owned = integration.owner.as_ref().is_some_and(|owner| member.is(owner));
    if owned || member.user.superuser {
        return Ok(Some(Seen { integration, level: Level::Manage, owned }));
    }
    let level = conn.share_level(&member.workspace_id, &integration.id, &member.user.id).await?;
    Ok(level.map(|level| Seen { integration, level, owned }))
}

impl Seen {
    /// Whether the member may read how it is configured: its client id, headers and shares.
    pub fn shows_configuration(&self) -> bool {
        self.level >= Level::Edit
    }

    /// Fails unless the member reaches this far and has the permission.
    ///
    /// # Errors
    /// `Denied`, saying what is missing.
    pub fn require(&self, member: &Member, level: Level, permission: Permission) -> Result<()> {
        self.require_level(level)?;
        member.require(permission)
    }

    /// Fails unless the member reaches this far.
    ///
    /// # Errors
    /// `Denied`
    pub fn require_level(&self, level: Level) -> Result<()> {
        if self.level < level {
            let what = match level {
                Level::Use | Level::Edit => "edit",
                Level::Manage => "manage",
            };
            let message =
                format!("Only its owner, a superuser, or whom it is shared with to {what} may do this");
            return Err(Error::Denied { message });
        }
        Ok(())
    }

    /// Fails unless the member may hand it to somebody else: its owner or a superuser, with the permission.
    ///
    /// # Errors
    /// `Denied`
    pub fn require_handing_over(&self, member: &Member) -> Result<()> {
        if !self.owned && !member.user.superuser {
            let message = "Only its owner or a superuser may hand it over".to_owned();
            return Err(Error::Denied { message });
        }
        member.require(Permission::ChangeOwner)
    }
}
