//! Kept: opened tokens that are good for a while, remembered so that no call has to open them again.
//!
//! They are wiped as they are forgotten. Each has the time until which [`super::decide`] says to use it without a word;
//! from then on the database is asked.

use std::sync::Arc;

use super::Usable;
use crate::{
    domain::connection::Connection,
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
    /// Whose they are.
    of: Arc<Connection>,
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
    /// A connection's tokens; none where they may be for another host than this connection says.
    pub(crate) fn get(&self, board: &Board, of: &Connection, now: Millis) -> Option<Usable> {
        let good = self.0.get(board, of.id.as_str())?;
        let fits = good.of.calls_as(of) && good.until.is_none_or(|until| now < until);
        fits.then(|| good.usable.clone())
    }

    pub(super) fn keep(
        &self,
        board: &Board,
        read: Moment,
        of: &Arc<Connection>,
        usable: Usable,
        until: Option<Millis>,
    ) {
        let good = Good { usable, until, of: Arc::clone(of) };
        self.0.keep(board, read, of.id.as_str(), Arc::new(good));
    }

    /// Forgets those that were opened long ago.
    pub(crate) fn forget_old(&self) {
        self.0.forget_old();
    }
}
