//! Keys: API keys that were shown before, remembered by the hash of what was shown.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use crate::{
    domain::api_key::ApiKey,
    memory::{Moment, Part, Remembered},
    store::{Board, Note, Topic},
    time::Millis,
};

/// How many are remembered.
const MOST: usize = 10_000;

/// The API keys that are remembered.
#[derive(Debug)]
pub struct Keys(Part<Known>);

/// One of them.
#[derive(Debug)]
pub(super) struct Known {
    pub key: Arc<ApiKey>,
    /// When its last use was noted, in milliseconds.
    noted: AtomicI64,
}

impl Known {
    /// A key that was just read.
    pub fn new(key: ApiKey) -> Self {
        let noted = AtomicI64::new(key.last_used_at.unwrap_or_default().0);
        Self { key: Arc::new(key), noted }
    }

    /// When its last use was noted; none yet is the beginning of time.
    pub fn noted(&self) -> Millis {
        Millis(self.noted.load(Ordering::Relaxed))
    }

    /// Whether it falls to the caller to note a use: of many who find the same last one, to one.
    pub fn note(&self, found: Millis, now: Millis) -> bool {
        self.noted.compare_exchange(found.0, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self(Part::new(MOST))
    }
}

impl Remembered for Known {
    const BY_ID: &'static [Topic] = &[];

    fn is_touched(&self, change: &Note) -> bool {
        let key = &self.key;
        let of = |topic, id: &str| change.is_about(key.workspace_id.as_str(), topic, id);
        of(Topic::ApiKey, key.id.as_str())
            || key.integration_id.as_ref().is_some_and(|only| of(Topic::Integration, only.as_str()))
    }
}

impl Keys {
    pub(super) fn get(&self, board: &Board, hash: &str) -> Option<Arc<Known>> {
        self.0.get(board, hash)
    }

    pub(super) fn keep(&self, board: &Board, read: Moment, known: Arc<Known>) {
        let hash = known.key.hash.clone();
        self.0.keep(board, read, &hash, known);
    }

    /// Forgets those that were read long ago.
    pub(crate) fn forget_old(&self) {
        self.0.forget_old();
    }
}
