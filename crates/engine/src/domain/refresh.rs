//! Refreshes as the store knows them: who has a connection's refresh to itself, and which refresh tokens were sent.

use crate::{
    error::ProviderFault,
    id::{ConnectionId, IntentId, WorkspaceId},
    time::Millis,
};

/// How it stands with a connection's refreshes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshState {
    /// Who has it to itself, if anybody: a process, and what it does there.
    pub owner: Option<String>,
    /// The last fencing number that was given; it only goes up.
    pub fence: i64,
    /// Until when the owner has it, by the database's time.
    pub lease_until: Millis,
    /// How often it failed since it last succeeded.
    pub failures: i64,
    /// Before this it is not tried again.
    pub retry_at: Option<Millis>,
    /// How the provider failed.
    pub fault: Option<ProviderFault>,
    /// The same in words, without secrets.
    pub failure: Option<String>,
}

/// How long a connection is left alone, and why.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    /// Until then.
    pub until: Millis,
    /// How the provider failed.
    pub fault: ProviderFault,
    /// The same in words, without secrets.
    pub failure: &'a str,
}

/// A refresh token that is about to be sent, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its id.
    pub id: IntentId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Of which connection.
    pub connection_id: ConnectionId,
    /// The version of the credential that the token is of.
    pub version: i64,
    /// The token, hashed.
    pub token_hash: String,
    /// The fencing number under which it is sent.
    pub fence: i64,
    /// How often it was sent without an answer, this time included.
    pub tries: i64,
    /// When.
    pub sent_at: Millis,
    /// Since when it is not known what the provider did with it.
    pub unknown_at: Option<Millis>,
    /// Why not.
    pub unknown_why: Option<String>,
    /// When it was found out, or given up.
    pub closed_at: Option<Millis>,
    /// What came of it: one of [`Closed`]'s words.
    pub outcome: Option<String>,
}

/// What came of sending a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// New tokens, another refresh token among them, and they are written.
    Renewed,
    /// The same, and the refresh token that was sent is the one for the next time, too.
    Kept,
    /// The provider refused for good.
    Refused,
    /// An answer which says that nothing was spent.
    Failed,
    /// Nothing was sent after all.
    Unsent,
    /// It was not known, and the same token was sent once more.
    Resent,
    /// The answer came when it was not waited for any more, and counts.
    Late,
    /// It was never known; the connection was authorized anew, or needs that.
    GivenUp,
}

impl Closed {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unsent => "unsent",
            Self::Resent => "resent",
            Self::Late => "late",
            Self::GivenUp => "given_up",
        }
    }
}
