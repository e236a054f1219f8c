//! Kept: opened tokens that are good for a while, remembered so that no call has to open them again.
//!
//! They are wiped as they are forgotten. Each has the time until which [`super::decide`] says to use it without a word;
//! from then on the database is asked.

use std::sync::Arc;

use super::Usable;
use crate::{
    id::ConnectionId,
    memory::{Moment, Part, Remembered},
    store::{Board, Note, Topic},
    time::Millis,
};

/// How many connections' tokens are remembered.
const MOST: usize = 50_000;

/// The tokens that are remembered.
#[derive(Debug)]
pub struct Kept(Part<Good>);

struct Good {
    usable: Usable,
    until: Option<Millis>,
}

impl Default for Kept {
    fn default() -> Self {
        Self(Part::new(MOST))
    }
}

impl Remembered for Good {
    const BY_ID: &'static [Topic] = &[Topic::Credential, Topic::Connection];

    /// Whose they are was read with the connection: what may be about any is about each.
    fn is_touched(&self, change: &Note) -> bool {
        matches!(change.topic, Topic::Other | Topic::Workspace)
    }
}

impl Kept {
    pub(super) fn get(&self, board: &Board, of: &ConnectionId, now: Millis) -> Option<Usable> {
        let good = self.0.get(board, of.as_str())?;
        good.until.is_none_or(|until| now < until).then(|| good.usable.clone())
    }

    pub(super) fn keep(
        &self,
        board: &Board,
        read: Moment,
        of: &ConnectionId,
        usable: Usable,
        until: Option<Millis>,
    ) {
        self.0.keep(board, read, of.as_str(), Arc::new(Good { usable, until }));
    }

    /// Forgets those that were opened long ago.
    pub(crate) fn forget_old(&self) {
        self.0.forget_old();
    }
}
