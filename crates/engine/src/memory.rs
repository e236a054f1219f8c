//! Memory: what calls need of the database, remembered in this process.
//!
//! A [`Part`] remembers one kind of thing, within a bound. What is given is as the database had it when its last change
//! was heard of: this process's own at once, another's within a second ([`crate::watch`]). When nothing was heard for
//! [`BLIND`] nothing is given. It must never decide anything: a thing that is not remembered is read, and means the same.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;

use crate::store::{Board, Note, Topic};

/// For how long what is remembered is believed while nothing can be heard of changes.
pub const BLIND: Duration = Duration::from_secs(60);

/// For how long a thing is remembered, however often it is asked for: what nobody asks for any more, secrets among it, is
/// to be gone one day.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// The number of the last change before something was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Now. To be asked before the first of what will be remembered is read.
    pub fn of(board: &Board) -> Self {
        Self(board.last())
    }
}

/// What can be remembered.
pub(crate) trait Remembered {
    /// Topics whose changes name it by the id that it is remembered by.
    const BY_ID: &'static [Topic];

    /// Whether a change of another topic may be about it.
    fn is_touched(&self, change: &Note) -> bool;
}

/// What is remembered of one kind, by an id.
pub(crate) struct Part<V> {
    entries: Cache<Box<str>, Entry<V>>,
    /// Up to which change the entries were looked through.
    settled: AtomicU64,
    settling: Mutex<()>,
}

struct Entry<V> {
    value: Arc<V>,
    since: Instant,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), since: self.since }
    }
}

impl<V: Remembered> Part<V> {
    /// Remembers so many at most; what was asked for least is forgotten for others.
    pub fn new(most: usize) -> Self {
        Self { entries: Cache::new(most), settled: AtomicU64::new(0), settling: Mutex::default() }
    }

    /// What is remembered of this id, as of the last change that was heard of.
    pub fn get(&self, board: &Board, id: &str) -> Option<Arc<V>> {
        if !board.is_up_to_date(BLIND) {
            return None;
        }
        if self.settled.load(Ordering::Acquire) != board.last() {
            self.settle(board, &self.turn());
        }
        self.entries.get(id).map(|entry| entry.value)
    }

    /// Remembers what was read since this moment, unless it was changed meanwhile.
    pub fn keep(&self, board: &Board, read: Moment, id: &str, value: Arc<V>) {
        let turn = self.turn();
        self.settle(board, &turn);
        let (Some(changes), _) = board.since(read.0) else { return };
        if changes.iter().any(|change| self.touches(change, id, &value)) {
            return;
        }
        self.entries.insert(id.into(), Entry { value, since: Instant::now() });
    }

    /// Forgets what was remembered long ago.
    pub fn forget_old(&self) {
        self.entries.retain(|_, entry| entry.since.elapsed() < KEPT_FOR);
    }

    /// Forgets what changed since it was last looked.
    fn settle(&self, board: &Board, _turn: &MutexGuard<'_, ()>) {
        let (changes, last) = board.since(self.settled.load(Ordering::Acquire));
        match changes {
            None => self.entries.clear(),
            Some(changes) => changes.iter().for_each(|change| self.forget(change)),
        }
        self.settled.store(last, Ordering::Release);
    }

    fn forget(&self, change: &Note) {
        if V::BY_ID.contains(&change.topic) {
            self.entries.remove(change.target.as_str());
        } else if concerns_many(change.topic) {
            self.entries.retain(|_, entry| !entry.value.is_touched(change));
        }
    }

    fn touches(&self, change: &Note, id: &str, value: &V) -> bool {
        if V::BY_ID.contains(&change.topic) { change.target == id } else { value.is_touched(change) }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where webhooks go and who runs this is nothing that calls need, and a connection is named by its id.
fn concerns_many(topic: Topic) -> bool {
    !matches!(topic, Topic::Endpoint | Topic::Operator | Topic::Connection | Topic::Credential)
}

impl<V> fmt::Debug for Part<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("len", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the id of a connection, which integration it is of.
    impl Remembered for &'static str {
        const BY_ID: &'static [Topic] = &[Topic::Connection];

        fn is_touched(&self, change: &Note) -> bool {
            change.is_about("ws", Topic::Integration, self)
        }
    }

    fn part(most: usize) -> Part<&'static str> {
        Part::new(most)
    }

    fn change(topic: Topic, target: &str) -> Note {
        Note { workspace: None, topic, target: target.to_owned() }
    }

    fn board() -> Board {
        let board = Board::default();
        board.looked();
        board
    }

    #[test]
    fn what_changed_is_forgotten_and_nothing_else() {
        let (board, part) = (board(), part(10));
        let now = Moment::of(&board);
        for (id, integration) in [("one", "a"), ("two", "a"), ("three", "b")] {
            part.keep(&board, now, id, Arc::new(integration));
        }
        let all = |of: &Part<_>| ["one", "two", "three"].map(|id| of.get(&board, id).is_some());
        assert_eq!(all(&part), [true; 3]);
        board.put([change(Topic::Connection, "one")]);
        assert_eq!(all(&part), [false, true, true]);
        board.put([
            change(Topic::Credential, "two"),
            change(Topic::Endpoint, "two"),
            change(Topic::ApiKey, "b"),
        ]);
        assert_eq!(all(&part), [false, true, true], "nothing of it is about these");
        board.put([change(Topic::Integration, "a")]);
        assert_eq!(all(&part), [false, false, true]);
        board.put([change(Topic::Workspace, "any")]);
        assert_eq!(all(&part), [false; 3]);
    }

    #[test]
    fn what_was_changed_since_it_was_read_is_not_kept() {
        let (board, part) = (board(), part(10));
        let before = Moment::of(&board);
        board.put([change(Topic::Connection, "one"), change(Topic::Integration, "b")]);
        part.keep(&board, before, "one", Arc::new("a"));
        part.keep(&board, before, "two", Arc::new("b"));
        part.keep(&board, before, "three", Arc::new("a"));
        assert_eq!(["one", "two", "three"].map(|id| part.get(&board, id)), [None, None, Some(Arc::new("a"))]);
        board.put_all();
        part.keep(&board, before, "one", Arc::new("a"));
        assert_eq!(["one", "three"].map(|id| part.get(&board, id)), [None, None], "it may be anything");
        part.keep(&board, Moment::of(&board), "one", Arc::new("a"));
        assert_eq!(part.get(&board, "one"), Some(Arc::new("a")));
    }

    #[test]
    fn nothing_is_given_while_nobody_looks_for_changes() {
        let (board, part) = (Board::default(), part(10));
        part.keep(&board, Moment::of(&board), "one", Arc::new("a"));
        assert_eq!(part.get(&board, "one"), None);
        board.looked();
        assert_eq!(part.get(&board, "one"), Some(Arc::new("a")));
    }

    #[test]
    fn it_is_bounded() {
        let (board, part) = (board(), part(100));
        for n in 0..10_000 {
            part.keep(&board, Moment::of(&board), &n.to_string(), Arc::new("a"));
        }
        assert!(part.entries.len() <= 100, "{}", part.entries.len());
        part.forget_old();
        assert!(!part.entries.is_empty(), "they are not old");
    }
}
