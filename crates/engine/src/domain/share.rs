//! The share: who besides its owner may do what with an integration.

use crate::{
    id::{IntegrationId, UserId, WorkspaceId},
    time::Millis,
};

/// A user or a team, as an owner or as somebody that an integration is shared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// A user, by id.
    User(UserId),
    /// A team, by slug.
    Team(String),
}

impl Principal {
    /// As it is kept: `user:<id>` or `team:<slug>`.
    pub fn to_text(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Team(slug) => format!("team:{slug}"),
        }
    }

    /// Reads what [`Principal::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", id) => UserId::parse(id).map(Self::User),
            ("team", slug) if !slug.is_empty() => Some(Self::Team(slug.to_owned())),
            _ => None,
        }
    }
}

/// How far a share goes. Each level includes those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// See the integration, connect through it, and make requests.
    Use,
    /// Also change its configuration.
    Edit,
    /// Also delete it and share it on.
    Manage,
}

impl Level {
    /// All there are, lowest first.
    pub const ALL: [Self; 3] = [Self::Use, Self::Edit, Self::Manage];

    /// As it is kept and written: 1, 2, 3.
    pub fn number(self) -> i64 {
        match self {
            Self::Use => 1,
            Self::Edit => 2,
            Self::Manage => 3,
        }
    }

    /// Reads what [`Level::number`] wrote.
    pub fn parse(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }
}

/// One share of an integration.
#[derive(Debug, Clone)]
pub struct Share {
    /// In which workspace.
    pub workspace_id: WorkspaceId,
    /// What is shared.
    pub integration_id: IntegrationId,
    /// With whom.
    pub principal: Principal,
    /// How far.
    pub level: Level,
    /// When it was first shared.
    pub created_at: Millis,
    /// When the level last changed.
    pub updated_at: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_and_a_level_read_back_and_nothing_else_does() {
        for principal in [Principal::User(UserId::new()), Principal::Team("ops".into())] {
            assert_eq!(Principal::parse(&principal.to_text()), Some(principal));
        }
        for wrong in ["", "alice", "user:alice", "team:", "group:x"] {
            assert_eq!(Principal::parse(wrong), None, "{wrong}");
        }
        assert!(Level::ALL.into_iter().all(|level| Level::parse(level.number()) == Some(level)));
        assert!(Level::Use < Level::Edit && Level::Edit < Level::Manage);
        assert_eq!((Level::parse(0), Level::parse(4)), (None, None));
    }
}
