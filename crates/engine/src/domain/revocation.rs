//! The revocation: what a provider answered when it was asked to forget a token.

use crate::{
    id::{ConnectionId, IntegrationId, RevocationId, WorkspaceId},
    time::Millis,
};

/// A revocation as kept.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Of which connection; kept after the connection is gone.
    pub connection_id: ConnectionId,
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// How it ended: an [`Outcome`], as a word.
    pub outcome: String,
    /// Why, without secrets.
    pub detail: String,
    /// When.
    pub at: Millis,
}

/// What became of a grant at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the provider's words where it has any; without secrets, and empty where it was simply revoked.
    pub detail: String,
}

impl Told {
    /// It ended so, for this reason.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }
}

/// How telling a provider ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its tokens are no good any more.
    Revoked,
    /// The provider takes nothing back.
    Unsupported,
    /// The provider could not be told, or refused.
    Failed,
    /// Nothing was asked of the provider: there was no credential, another connection lives on the same grant, or the
    /// integration was pointed elsewhere since.
    Skipped,
}

impl Outcome {
    /// As it is kept, and as events and reports name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Reads what [`Outcome::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Revoked, Self::Unsupported, Self::Failed, Self::Skipped]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}
