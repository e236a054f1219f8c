//! How often something may be done: a fixed window per key, counted in this process, or in all over one database.
//!
//! A window begins with its key's first call and ends a fixed time later. It must never grow with the number of
//! keys ever seen: ended windows are dropped as new ones begin, and past [`MAX_KEYS`] the oldest goes. The
//! callers are `proxy::limit`, the start of a flow, and signing in. How several processes share one count: [`shared`].

pub mod at_once;
pub mod patience;
pub mod shared;
pub mod slices;
pub mod timer;

use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use self::{shared::Shared, slices::Limit};
use crate::{
    error::{Error, Result},
    name::{ByName, Name},
    store::{Kind, Store},
    time::Millis,
};

/// How many keys are counted at once; beyond it the oldest window is forgotten.
pub const MAX_KEYS: usize = 100_000;

/// How many calls in which time. Read from `100/60s` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// No limit.
    Off,
    /// At most `count` calls from the first one until `window` later.
    Per {
        /// Calls; at least one.
        count: u32,
        /// From the first call; at least a second.
        window: Duration,
    },
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text == "off" {
            return Ok(Self::Off);
        }
        read(text).ok_or_else(|| {
            Error::invalid(
                "rate_limit",
                format!("`{text}` is not a rate: write `100/60s`, `1000/1h` or `off`"),
            )
        })
    }
}

fn read(text: &str) -> Option<Rate> {
    let (count, window) = text.split_once('/')?;
    let unit = window.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds: u64 = match window.get(unit.len()..)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let window = unit.parse::<u64>().ok()?.checked_mul(seconds).filter(|s| (1..=86_400).contains(s))?;
    let count = count.parse::<u32>().ok().filter(|count| *count > 0)?;
    Some(Rate::Per { count, window: Duration::from_secs(window) })
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Per { count, window } => write!(f, "{count}/{}s", window.as_secs()),
        }
    }
}

/// What is left of a key's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Calls that may still pass before the window ends.
    pub calls: u32,
    /// The time until it ends; `None` when no window is open, and all calls may pass.
    pub ends: Option<Duration>,
}

/// Counts calls against one rate.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    max_keys: usize,
    windows: Mutex<Windows>,
    /// The count of all processes, where it is one.
    shared: Option<Shared>,
}

/// The windows by key, and their keys in the order they began: all are equally long, so the front ends first.
#[derive(Debug, Default)]
struct Windows {
    by_key: ByName<Window>,
    order: VecDeque<Name>,
}

#[derive(Debug)]
struct Window {
    began: Millis,
    calls: u32,
}

impl Limiter {
    /// A limiter without a call yet.
    pub fn new(rate: Rate) -> Self {
        Self::bounded(rate, MAX_KEYS)
    }

    fn bounded(rate: Rate, max_keys: usize) -> Self {
        Self { rate, max_keys, windows: Mutex::default(), shared: None }
    }

    /// The same limit for all processes together that are over a database. An SQLite database has one process that
    /// serves, and that counts by itself. `name` keeps limits apart; the `part`-th part of the limit may pass in each
    /// process before the others know of it.
    #[must_use]
    pub fn over(mut self, store: &Store, name: &'static str, part: NonZeroU32) -> Self {
        self.shared = match (store.kind(), self.rate) {
            (Kind::Postgres, Rate::Per { count, window }) => {
                Some(Shared::new(store, name, Limit { count, window, credit: count / part }))
            }
            (Kind::Sqlite, _) | (_, Rate::Off) => None,
        };
        self
    }

    /// Counts one call for `key`, in all processes where they share the limit. It waits only for a share of the limit
    /// that is on its way, and not for long.
    ///
    /// # Errors
    /// As [`Limiter::take`].
    pub async fn admit(&self, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        self.admit_named(Name::of(key), key, now).await
    }

    /// The same for a key whose name is known.
    ///
    /// # Errors
    /// As [`Limiter::take`].
    pub async fn admit_named(&self, name: Name, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        match &self.shared {
            Some(shared) => shared.take(key, now).await,
            None => self.take_named(name, now),
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// As [`Limiter::take`]; also for a moment where a share of the limit is on its way.
    pub fn admit_at_once(&self, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        match &self.shared {
            Some(shared) => shared.take_at_once(key, now),
            None => self.take(key, now),
        }
    }

    /// Counts one call for `key` in this process.
    ///
    /// # Errors
    /// The time until the key's window ends, when it is used up; the call is not counted then.
    pub fn take(&self, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        self.take_named(Name::of(key), now)
    }

    fn take_named(&self, key: Name, now: Millis) -> std::result::Result<(), Duration> {
        let Rate::Per { count, window } = self.rate else { return Ok(()) };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.drop_ended(now, window);
        if let Some(open) = windows.by_key.get_mut(&key) {
            let ends = open.began.plus(window);
            if ends > now {
                if open.calls >= count {
                    return Err(ends.since(now));
                }
                open.calls += 1;
                return Ok(());
            }
            // Ended, but behind others in the queue (the clock went back in between): begin it anew in place.
            *open = Window { began: now, calls: 1 };
            return Ok(());
        }
        if windows.by_key.len() >= self.max_keys {
            windows.drop_oldest();
        }
        windows.by_key.insert(key, Window { began: now, calls: 1 });
        windows.order.push_back(key);
        Ok(())
    }

    /// What is left for `key`; `None` without a limit. In several processes it is what was left to lend when this one was
    /// last lent some, and what it has of that: others may have taken of it since.
    pub fn left(&self, key: &str, now: Millis) -> Option<Left> {
        let Rate::Per { count, window } = self.rate else { return None };
        if let Some(shared) = &self.shared {
            return Some(shared.left(key, now));
        }
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let open = windows.by_key.get(&Name::of(key)).map(|open| (open.began.plus(window), open.calls));
        Some(match open.filter(|(ends, _)| *ends > now) {
            Some((ends, calls)) => Left { calls: count.saturating_sub(calls), ends: Some(ends.since(now)) },
            None => Left { calls: count, ends: None },
        })
    }

    /// Takes back a call that was counted for `key`, if its window is still open.
    pub fn give_back(&self, key: &str) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = windows.by_key.get_mut(&Name::of(key)) {
            open.calls = open.calls.saturating_sub(1);
        }
    }
}

impl Windows {
    /// Drops up to two ended windows: as each call begins at most one, this keeps up.
    fn drop_ended(&mut self, now: Millis, window: Duration) {
        for _ in 0..2 {
            let ended = |key: &Name| self.by_key.get(key).is_none_or(|open| open.began.plus(window) <= now);
            if !self.order.front().is_some_and(ended) {
                return;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(key) = self.order.pop_front() {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
