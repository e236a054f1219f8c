//! The session of an operator: a browser that is signed in at the dashboard. A row in the store, as a user's is, and
//! never the same one.

use crate::{id::OperatorId, time::Millis};

/// An operator's session as kept. The cookie's text is not here, only its hash.
#[derive(Debug, Clone)]
pub struct OperatorSession {
    /// Hex SHA-256 of the cookie's text.
    pub hash: String,
    /// Who signed in.
    pub operator_id: OperatorId,
    /// When the password was last shown: what is grave asks for it again after a while.
    pub proven_at: Millis,
    /// When it was last used (kept to the minute).
    pub seen_at: Millis,
    /// When it ends, however much it is used.
    pub ends_at: Millis,
    /// When it began.
    pub created_at: Millis,
}
