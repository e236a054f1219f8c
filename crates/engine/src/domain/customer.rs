//! The customer: of whom a product's tokens speak, and whose accounts are connected.

use serde_json::{Map, Value};

use crate::{
    id::{CustomerId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// Characters of the longest key.
pub const KEY_MAX: usize = 512;
/// Characters of the longest name.
pub const NAME_MAX: usize = 512;
/// Bytes of the longest fields, as JSON.
pub const FIELDS_MAX: usize = 16 * 1024;

/// A customer of one workspace.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Its id with us.
    pub id: CustomerId,
    /// Whose customer it is.
    pub workspace_id: WorkspaceId,
    /// The product's own id for it, unique in the workspace; connections name their owner by it.
    pub key: String,
    /// What people call it.
    pub name: Option<String>,
    /// Whatever else the product tells of it.
    pub fields: Map<String, Value>,
    /// What the product left with us about it. Never given out.
    pub credentials: Option<Sealed>,
    /// When a token last spoke of it, to the minute.
    pub seen_at: Millis,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// Whether a product's id for a customer is one that is taken: 1 to [`KEY_MAX`] characters, none of them a control
/// character.
pub fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Whether these fields are short enough to be kept.
pub fn fits(fields: &Map<String, Value>) -> bool {
    serde_json::to_string(fields).is_ok_and(|text| text.len() <= FIELDS_MAX)
}
