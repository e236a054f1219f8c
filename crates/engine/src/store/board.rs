//! Board: what changed, for whoever in this process remembers what was read.
//!
//! Each commit of this process puts up what it touched, also one of which it is not known whether it was taken; what other
//! processes changed is put up by [`crate::watch`], which reads the change log each second. Changes have numbers, so that
//! whoever remembers something can ask whether it was changed since it was read.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::change::{Note, Topic};

/// How many changes can be asked for one by one.
const MOST: usize = 4096;

/// The changes that this process has heard of.
#[derive(Debug)]
pub(crate) struct Board {
    /// The number of the last one.
    last: AtomicU64,
    recent: Mutex<VecDeque<Note>>,
    made: Instant,
    /// When it was last looked what other processes changed, in milliseconds since the board was made, and one more; 0
    /// before the first look.
    looked: AtomicU64,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            last: AtomicU64::new(0),
            recent: Mutex::default(),
            made: Instant::now(),
            looked: AtomicU64::new(0),
        }
    }
}

impl Board {
    /// The number of the last change.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Puts changes up.
    pub fn put(&self, changes: impl IntoIterator<Item = Note>) {
        let mut recent = self.recent();
        for change in changes {
            if recent.len() == MOST {
                recent.pop_front();
            }
            recent.push_back(change);
            self.last.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Puts up that anything may have changed.
    pub fn put_all(&self) {
        let mut recent = self.recent();
        recent.clear();
        self.last.fetch_add(1, Ordering::AcqRel);
    }

    /// The changes after this number, and the number of the last; `None` where anything may be among them.
    pub fn since(&self, number: u64) -> (Option<Vec<Note>>, u64) {
        let recent = self.recent();
        let last = self.last();
        let missed = usize::try_from(last - number).unwrap_or(usize::MAX);
        let known = recent.len().checked_sub(missed).map(|from| recent.range(from..).cloned().collect());
        (known, last)
    }

    /// It was looked what other processes changed, and all of it is up.
    pub fn looked(&self) {
        self.looked.store(self.elapsed() + 1, Ordering::Release);
    }

    /// Whether that was within so long.
    pub fn is_up_to_date(&self, within: Duration) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        looked != 0 && u128::from((self.elapsed() + 1).saturating_sub(looked)) <= within.as_millis()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note {
    /// Whether it may be about the thing of this topic and id, which is of this workspace.
    pub(crate) fn is_about(&self, workspace: &str, topic: Topic, id: &str) -> bool {
        match self.topic {
            Topic::Workspace | Topic::Other => {
                self.workspace.as_ref().is_none_or(|of| of.as_str() == workspace)
            }
            own => own == topic && self.target == id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::WorkspaceId;

    fn change(topic: Topic, target: &str) -> Note {
        Note { workspace: Some(WorkspaceId::from_row("ws_1".into())), topic, target: target.into() }
    }

    #[test]
    fn what_changed_since_can_be_asked_for_as_long_as_it_is_known() {
        let board = Board::default();
        assert_eq!(board.since(0), (Some(Vec::new()), 0));
        board.put([change(Topic::ApiKey, "a"), change(Topic::ApiKey, "b")]);
        assert_eq!(board.since(1), (Some(vec![change(Topic::ApiKey, "b")]), 2));
        assert_eq!(board.since(2), (Some(Vec::new()), 2));
        board.put_all();
        assert_eq!(board.since(2), (None, 3));
        assert_eq!(board.since(3), (Some(Vec::new()), 3));
        for n in 0..MOST {
            board.put([change(Topic::Connection, &n.to_string())]);
        }
        let last = board.last();
        assert_eq!(board.since(3).0.map(|all| all.len()), Some(MOST));
        board.put([change(Topic::Connection, "one more")]);
        assert_eq!(board.since(3), (None, last + 1));
        assert_eq!(board.since(4).0.map(|all| all.len()), Some(MOST));
    }

    #[test]
    fn it_is_up_to_date_only_when_it_was_looked_lately() {
        let board = Board::default();
        assert!(!board.is_up_to_date(Duration::from_secs(60)), "nobody looked yet");
        board.looked();
        assert!(board.is_up_to_date(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!board.is_up_to_date(Duration::ZERO));
    }

    #[test]
    fn a_change_is_about_what_it_names_and_a_workspaces_about_all_of_it() {
        let about = |note: Note, workspace| note.is_about(workspace, Topic::Connection, "conn_1");
        assert!(about(change(Topic::Connection, "conn_1"), "ws_1"));
        assert!(!about(change(Topic::Connection, "conn_2"), "ws_1"));
        assert!(!about(change(Topic::Integration, "conn_1"), "ws_1"));
        for wide in [Topic::Workspace, Topic::Other] {
            assert!(about(change(wide, "?"), "ws_1") && !about(change(wide, "?"), "ws_2"));
            assert!(about(Note { workspace: None, ..change(wide, "?") }, "ws_2"));
        }
    }
}
