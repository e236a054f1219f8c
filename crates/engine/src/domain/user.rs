//! Who signs in: users at the Informer-style door, operators at the dashboard.

use crate::{
    id::{OperatorId, UserId, WorkspaceId},
    time::Millis,
};

/// A user of one workspace.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The name it signs in with, unique in the workspace, compared folded.
    pub username: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
    /// The argon2id hash of its password, in PHC form.
    pub password_hash: Option<String>,
    /// Whether it may do everything in its workspace.
    pub superuser: bool,
    /// What else it may do.
    pub permissions: Vec<String>,
    /// Since when it can't sign in.
    pub disabled_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// What a user may do beyond using what is shared with it. A superuser may do all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Make integrations, and change those that it owns or may edit.
    Write,
    /// Delete integrations that it owns or manages.
    Delete,
    /// Share integrations that it owns or manages.
    Share,
    /// Hand integrations that it owns to somebody else.
    ChangeOwner,
}

impl Permission {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Write, Self::Delete, Self::Share, Self::ChangeOwner];

    /// As it is kept and spelled on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "integration:write",
            Self::Delete => "integration:delete",
            Self::Share => "integration:share",
            Self::ChangeOwner => "integration:changeOwner",
        }
    }

    /// Reads what [`Permission::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

/// An operator of this installation, with a role per workspace.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// The name it signs in with, compared folded.
    pub username: String,
    /// The argon2id hash of its password, in PHC form.
    pub password_hash: Option<String>,
    /// Its roles.
    pub roles: Vec<(WorkspaceId, Role)>,
    /// Since when it can't sign in.
    pub disabled_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// What an operator may do in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, and naming other owners.
    Owner,
    /// Everything but naming owners.
    Admin,
    /// Integrations, connections and keys.
    Developer,
    /// Looking.
    Viewer,
}

impl Role {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    /// Reads what [`Role::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Developer, Self::Viewer].into_iter().find(|r| r.as_str() == text)
    }
}
