//! Who changed what: one row per administrative change, written in its transaction.

use crate::{
    id::{AuditId, WorkspaceId},
    time::Millis,
};

/// Who acts. Given when a unit of work begins, so that no change goes unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Claviger itself: a flow's end, a refresh, a clean-up.
    System,
    /// Someone at the command line of the machine.
    Cli,
    /// An API key, by id.
    ApiKey(String),
    /// A signed-in user, by id.
    User(String),
    /// A signed-in operator, by id.
    Operator(String),
    /// A customer of a product, by our id for it.
    Customer(String),
    /// A product, by a token of its own.
    Product,
}

impl Actor {
    /// As it is kept: `kind` or `kind:id`.
    pub fn to_text(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Cli => "cli".to_owned(),
            Self::ApiKey(id) => format!("api_key:{id}"),
            Self::User(id) => format!("user:{id}"),
            Self::Operator(id) => format!("operator:{id}"),
            Self::Customer(id) => format!("customer:{id}"),
            Self::Product => "product".to_owned(),
        }
    }
}

/// A row of the audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Its id.
    pub id: AuditId,
    /// In which workspace; `None` for what belongs to none.
    pub workspace_id: Option<WorkspaceId>,
    /// Who, as [`Actor::to_text`].
    pub actor: String,
    /// What was done: `integration.create`.
    pub verb: String,
    /// To what, by id.
    pub target: String,
    /// From which address, where that is known.
    pub address: Option<String>,
    /// When.
    pub at: Millis,
}
