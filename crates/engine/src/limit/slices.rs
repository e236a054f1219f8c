//! Slices: what one process makes of its part in a limit that several share, without I/O.
//!
//! The count of all is a row in the database; a process takes slices off it and lets calls pass against those, so a call
//! costs no look at the database. Ahead of a slice's end it asks for the next. Until the answer is there it may let a few
//! calls pass on credit ([`Limit::credit`]), which the next slice pays for: that is all by which the limit can be exceeded, once
//! per process and window. It must never wait: who asks the database is [`super::shared`].

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Notify, futures::OwnedNotified};

use crate::{limit::Left, time::Millis};

/// A limit that processes share.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Calls per key and window, in all processes.
    pub count: u32,
    /// From the first of them.
    pub window: Duration,
    /// How many calls may pass in a process before a slice that was asked for is there.
    pub credit: u32,
}

/// The slices of one process, by key.
#[derive(Debug)]
pub struct Slices {
    limit: Limit,
    max_keys: usize,
    by_key: HashMap<String, Share>,
    /// In the order they began.
    order: VecDeque<String>,
}

/// What a process has of one key's window.
#[derive(Debug)]
struct Share {
    /// When the window began: of the row once that is known, of the first call here until then.
    began: Millis,
    /// How many calls were lent to this process in this window.
    lent: u32,
    /// How many were left to lend then.
    rest: u32,
    /// How many it let pass.
    passed: u32,
    /// At so many calls left it asks for the next slice.
    low: u32,
    /// Whether it is asked at this moment.
    asking: bool,
    /// Whether nothing is left to lend in this window.
    dry: bool,
    /// For who waits for the answer.
    answered: Arc<Notify>,
}

/// What becomes of a call.
#[derive(Debug)]
pub enum Verdict {
    /// It passes. With an ask, the database is to be asked for the next slice.
    Pass(Option<Ask>),
    /// Over the limit; when the window ends.
    Over(Duration),
    /// The slice is used up: after this, again. With an ask, the database is to be asked first.
    Wait(OwnedNotified, Option<Ask>),
}

/// A slice to be asked for. Each is answered by [`Slices::lent`] or [`Slices::alone`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// When the window that is asked for began, as far as is known here.
    pub began: Millis,
    /// How many calls passed on credit, to be paid for.
    pub owed: u32,
}

/// What was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loan {
    /// When the window began.
    pub began: Millis,
    /// How many calls; none when the window is used up.
    pub calls: u32,
    /// How many are left to lend to whoever asks next.
    pub rest: u32,
}

/// How many calls a window of `count` lends next, of which `taken` are lent already: a quarter of what is left, at least
/// one, and what is owed first.
pub fn next_slice(count: u32, taken: u32, owed: u32) -> u32 {
    let left = count.saturating_sub(taken);
    let paid = owed.min(left);
    let rest = left - paid;
    paid + (rest / 4).max(1).min(rest)
}

impl Slices {
    /// Without a call yet.
    pub fn new(limit: Limit, max_keys: usize) -> Self {
        Self { limit, max_keys, by_key: HashMap::new(), order: VecDeque::new() }
    }

    /// One call for `key`.
    pub fn take(&mut self, key: &str, now: Millis) -> Verdict {
        self.drop_ended(now);
        let Limit { credit, window, .. } = self.limit;
        let share = self.share(key, now);
        let left = share.lent.saturating_sub(share.passed);
        if left > 0 || (!share.dry && share.passed < share.lent.saturating_add(credit)) {
            share.passed += 1;
            // Who calls now and then stays below this, and costs the database nothing.
            let soon =
                if share.lent > 0 { left.saturating_sub(1) <= share.low } else { share.passed > credit / 2 };
            return Verdict::Pass(soon.then(|| share.ask()).flatten());
        }
        if share.dry {
            return Verdict::Over(share.began.plus(window).since(now).max(Duration::from_millis(1)));
        }
        let answered = share.answered.clone().notified_owned();
        Verdict::Wait(answered, share.ask())
    }

    /// A slice came.
    pub fn lent(&mut self, key: &str, loan: Loan, now: Millis) {
        let ends = loan.began.plus(self.limit.window);
        let Some(share) = self.by_key.get_mut(key) else { return };
        share.asking = false;
        if ends > now {
            if share.began != loan.began && share.lent > 0 {
                // Another window than the one that the slices before were of.
                (share.lent, share.passed) = (0, 0);
            }
            share.began = loan.began;
            share.dry = loan.calls == 0;
            share.lent = share.lent.saturating_add(loan.calls);
            share.rest = loan.rest;
            share.low = loan.calls / 2;
        }
        share.answered.notify_waiters();
    }

    /// The database can't be asked: for this window the process counts by itself.
    pub fn alone(&mut self, key: &str) {
        let count = self.limit.count;
        let Some(share) = self.by_key.get_mut(key) else { return };
        (share.asking, share.low) = (false, 0);
        // As if it were the only one; and not asked again before the window ends.
        (share.lent, share.rest, share.dry) = (share.lent.max(count), 0, true);
        share.answered.notify_waiters();
    }

    /// What is left of a key's window, as far as is known here.
    pub fn left(&self, key: &str, now: Millis) -> Left {
        let Limit { count, window, .. } = self.limit;
        let open = self.by_key.get(key).filter(|share| share.began.plus(window) > now);
        open.map_or(Left { calls: count, ends: None }, |share| Left {
            calls: share.lent.saturating_add(share.rest).saturating_sub(share.passed),
            ends: Some(share.began.plus(window).since(now)),
        })
    }

    /// How many keys are counted.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The key's share in the window that is open now.
    fn share(&mut self, key: &str, now: Millis) -> &mut Share {
        let window = self.limit.window;
        let known = self.by_key.contains_key(key);
        if !known {
            if self.by_key.len() >= self.max_keys {
                self.drop_oldest();
            }
            self.order.push_back(key.to_owned());
        }
        let count = self.limit.count;
        let share = self.by_key.entry(key.to_owned()).or_insert_with(|| Share::begin(now, count));
        if share.began.plus(window) <= now {
            // Who waits goes on waiting for the same answer; and what passed on credit is not lent anew before it is there.
            let owed = if share.asking { share.owed() } else { 0 };
            let (asking, answered) = (share.asking, share.answered.clone());
            *share = Share { asking, answered, passed: owed, ..Share::begin(now, count) };
        }
        share
    }

    /// Drops up to two ended windows: as each call begins at most one, this keeps up.
    fn drop_ended(&mut self, now: Millis) {
        for _ in 0..2 {
            let over = |share: &Share| share.began.plus(self.limit.window) <= now && !share.asking;
            if !self.order.front().is_some_and(|key| self.by_key.get(key).is_none_or(over)) {
                return;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(key) = self.order.pop_front()
            && let Some(gone) = self.by_key.remove(&key)
        {
            gone.answered.notify_waiters();
        }
    }
}

impl Share {
    /// Nothing is lent of a window of so many calls, as far as is known here.
    fn begin(now: Millis, count: u32) -> Self {
        Self {
            began: now,
            lent: 0,
            rest: count,
            passed: 0,
            low: 0,
            asking: false,
            dry: false,
            answered: Arc::default(),
        }
    }

    /// What to ask for, unless it is being asked or there is nothing to be had.
    fn ask(&mut self) -> Option<Ask> {
        if self.asking || self.dry {
            return None;
        }
        self.asking = true;
        Some(Ask { began: self.began, owed: self.owed() })
    }

    /// How many calls passed on credit.
    fn owed(&self) -> u32 {
        self.passed.saturating_sub(self.lent)
    }
}

#[cfg(test)]
mod tests;
