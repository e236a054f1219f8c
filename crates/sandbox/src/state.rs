//! What the sandbox remembers: codes, grants and tokens, faults and counters, behind one mutex.
//!
//! Must never grow without bound, and the lock is never held across an await. Look next at `grants.rs` for what
//! is done with it.

use crate::account::Account;
use crate::config::Config;
use crate::faults::Faults;
use crate::log::Log;
use crate::stats::Stats;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many codes, grants, access tokens and refresh tokens are kept, each; the oldest go first.
const KEPT: usize = 50_000;

pub(crate) type Shared = Arc<Sandbox>;

/// One sandbox: what it was told, and what it remembers.
pub(crate) struct Sandbox {
    pub config: Config,
    state: Mutex<State>,
}

impl Sandbox {
    pub fn new(config: Config) -> Self {
        Self { config, state: Mutex::new(State::new(KEPT)) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What changes while the sandbox runs.
pub(crate) struct State {
    pub faults: Faults,
    pub stats: Stats,
    pub log: Log,
    pub codes: Bounded<Code>,
    pub grants: Bounded<Grant>,
    pub access: Bounded<Access>,
    pub refresh: Bounded<Refresh>,
    started: Instant,
}

impl State {
    pub fn new(kept: usize) -> Self {
        Self {
            faults: Faults::default(),
            stats: Stats::default(),
            log: Log::new(kept),
            codes: Bounded::new(kept),
            grants: Bounded::new(kept),
            access: Bounded::new(kept),
            refresh: Bounded::new(kept),
            started: Instant::now(),
        }
    }

    /// Forgets what was sent.
    pub fn clear_log(&mut self) {
        self.log = Log::new(KEPT);
    }

    /// Time since the start on the sandbox's own clock, which a fault can set ahead.
    pub fn now(&self) -> Duration {
        self.started.elapsed().saturating_add(Duration::from_secs(self.faults.clock_ahead_seconds))
    }
}

/// An authorization code, kept after its use so that a replay is noticed.
pub(crate) struct Code {
    pub client_id: String,
    pub redirect_uri: String,
    /// PKCE S256 challenge (RFC 7636 §4.2).
    pub challenge: String,
    pub account: &'static Account,
    pub scopes: Vec<String>,
    pub expires: Duration,
    /// The grant made from it, once used.
    pub grant: Option<String>,
}

/// What a person allowed a client. Tokens of a grant that is gone do not work.
pub(crate) struct Grant {
    pub client_id: String,
    pub account: &'static Account,
    pub scopes: Vec<String>,
}

/// An access token.
pub(crate) struct Access {
    pub grant: String,
    pub scopes: Vec<String>,
    pub expires: Duration,
}

/// A refresh token; a spent one is kept so that its reuse is noticed.
pub(crate) struct Refresh {
    pub grant: String,
    /// When it was first used, and the one that it gave last.
    pub spent: Option<Spent>,
}

/// What came of using a refresh token.
#[derive(Clone)]
pub(crate) struct Spent {
    pub at: Duration,
    pub child: String,
}

/// A map that forgets its oldest entry when full. Keys are random, so none is ever inserted twice.
pub(crate) struct Bounded<V> {
    entries: HashMap<String, V>,
    order: VecDeque<String>,
    kept: usize,
}

impl<V> Bounded<V> {
    pub fn new(kept: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), kept }
    }

    pub fn insert(&mut self, key: String, value: V) {
        // Removed keys stay in `order` until their turn, so it is never shorter than the map.
        if self.order.len() >= self.kept
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, value);
    }

    pub fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.entries.iter()
    }

    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.entries.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn the_oldest_entry_goes_first_and_memory_stays_bounded() {
        let mut map = Bounded::new(3);
        for n in 0..10 {
            map.insert(format!("k{n}"), n);
            map.remove("k5");
        }
        assert!(map.get("k6").is_none());
        assert_eq!(map.get("k7"), Some(&7));
        assert_eq!(map.get("k9"), Some(&9));
        assert_eq!((map.entries.len(), map.order.len()), (3, 3));
    }
}
