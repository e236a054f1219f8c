//! The process: one running Claviger, as it announces itself to the others.

use crate::{id::ProcessId, time::Millis};

/// A process that serves, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: ProcessId,
    /// Which version of Claviger it is.
    pub version: String,
    /// The ids of the root keys it holds, the one that it seals with first.
    pub key_ids: Vec<String>,
    /// Since when it serves.
    pub started_at: Millis,
    /// When it last said that it lives.
    pub seen_at: Millis,
}
