//! The member: a user of a workspace who calls, and how it showed that.

use crate::{
    domain::{
        audit::Actor,
        share::Principal,
        user::{Permission, User},
    },
    error::{Error, Result},
    id::{TokenId, WorkspaceId},
};

/// A user who calls.
#[derive(Debug, Clone)]
pub struct Member {
    /// In which workspace.
    pub workspace_id: WorkspaceId,
    /// The user.
    pub user: User,
    /// The slugs of its teams.
    pub teams: Vec<String>,
    /// How it showed who it is.
    pub by: By,
}

/// How a member showed who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A session's cookie, by its hash.
    Session(String),
    /// An API token.
    Token {
        /// Which.
        id: TokenId,
        /// Whether it only reads.
        read_only: bool,
    },
    /// Name and password with the call itself (HTTP Basic).
    Password,
}

impl Member {
    /// Who signs what it changes.
    pub fn actor(&self) -> Actor {
        Actor::User(self.user.id.to_string())
    }

    /// Whether it may do such things at all; with which integration is another question.
    pub fn may(&self, permission: Permission) -> bool {
        self.user.superuser || self.user.permissions.iter().any(|it| it == permission.as_str())
    }

    /// Fails unless it may.
    ///
    /// # Errors
    /// `Denied`, naming the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        let message = format!("This needs the permission `{}`", permission.as_str());
        Err(Error::Denied { message })
    }

    /// Fails for a token that only reads.
    ///
    /// # Errors
    /// `Denied`
    pub fn require_writing(&self) -> Result<()> {
        match self.by {
            By::Token { read_only: true, .. } => {
                Err(Error::Denied { message: "This token only reads".to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Whether it is this user, or of this team.
    pub fn is(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User(id) => *id == self.user.id,
            Principal::Team(slug) => self.teams.contains(slug),
        }
    }

    /// The session that it called with, by its cookie's hash.
    pub fn session(&self) -> Option<&str> {
        match &self.by {
            By::Session(hash) => Some(hash),
            By::Token { .. } | By::Password => None,
        }
    }
}
