//! Shared: one limit for all processes over a database, by slices that each borrows from a row.
//!
//! A slice is asked for off the way of the calls, ahead of need (see [`super::slices`]). A database that does not answer
//! holds no call up for long: this process goes on by its own count then, as if it were the only one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Left, MAX_KEYS,
    slices::{Ask, Limit, Loan, Slices, Verdict, next_slice},
};
use crate::{
    domain::audit::Actor,
    error::Result,
    store::{Budget, Store},
    time::Millis,
    vault::hash,
};

/// How long the database may take to lend a slice, and a call may wait for one.
const PATIENCE: Duration = Duration::from_secs(2);
/// After which it may be tried again where nobody waits.
const MOMENT: Duration = Duration::from_secs(1);

/// A limit that processes share.
#[derive(Clone)]
pub struct Shared {
    store: Store,
    name: &'static str,
    limit: Limit,
    slices: Arc<Mutex<Slices>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Shared {
    /// A limit; `name` keeps limits of one database apart.
    pub fn new(store: &Store, name: &'static str, limit: Limit) -> Self {
        let slices = Arc::new(Mutex::new(Slices::new(limit, MAX_KEYS)));
        Self { store: store.clone(), name, limit, slices }
    }

    /// Counts one call for `key`.
    ///
    /// # Errors
    /// The time until the key's window ends, when it is used up.
    pub async fn take(&self, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        loop {
            // Apart, so that the lock is let go before anything is waited for.
            let verdict = self.lock().take(key, now);
            match verdict {
                Verdict::Pass(ask) => {
                    self.ask(key, ask, now);
                    return Ok(());
                }
                Verdict::Over(ends) => return Err(ends),
                Verdict::Wait(answered, ask) => {
                    self.ask(key, ask, now);
                    // Others may be quicker to take what came: then once more, with new patience, as long as slices come.
                    if tokio::time::timeout(PATIENCE + MOMENT, answered).await.is_err() {
                        tracing::warn!(
                            limit = self.name,
                            "a call passed uncounted: no share of the limit came in time"
                        );
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The same without waiting: refused for a moment where a slice is on its way and nothing is left.
    ///
    /// # Errors
    /// As [`Shared::take`].
    pub fn take_at_once(&self, key: &str, now: Millis) -> std::result::Result<(), Duration> {
        // Apart, so that the lock is let go before it is asked.
        let verdict = self.lock().take(key, now);
        let (ask, answer) = match verdict {
            Verdict::Pass(ask) => (ask, Ok(())),
            Verdict::Over(ends) => (None, Err(ends)),
            Verdict::Wait(_, ask) => (ask, Err(MOMENT)),
        };
        self.ask(key, ask, now);
        answer
    }

    /// What is left for `key`, as far as this process knows.
    pub fn left(&self, key: &str, now: Millis) -> Left {
        self.lock().left(key, now)
    }

    /// Asks for a slice, in a task of its own.
    fn ask(&self, key: &str, ask: Option<Ask>, now: Millis) {
        let Some(ask) = ask else { return };
        let (this, key) = (self.clone(), key.to_owned());
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, this.borrow(&key, ask, now)).await {
                Ok(Ok(loan)) => this.lock().lent(&key, loan, now),
                Ok(Err(error)) => {
                    tracing::warn!(limit = this.name, ?error, "this process counts by itself for a while");
                    this.lock().alone(&key);
                }
                Err(_) => {
                    tracing::warn!(
                        limit = this.name,
                        "the database is slow: this process counts by itself for a while"
                    );
                    this.lock().alone(&key);
                }
            }
        });
    }

    /// Takes a slice off the row of all processes.
    async fn borrow(&self, key: &str, ask: Ask, now: Millis) -> Result<Loan> {
        // Hashed: an address is nobody's to keep.
        let row = hash::token(&format!("{} {key}", self.name));
        let mut conn = self.store.begin(Actor::System, now).await?;
        let is = conn.any_hold_budget(&row, now).await?;
        let over = is.began.plus(self.limit.window) <= now;
        let (began, taken) = if over { (now, 0) } else { (is.began, is.taken) };
        let calls = next_slice(self.limit.count, taken, ask.owed);
        let then = Budget { began, taken: taken.saturating_add(calls) };
        conn.any_set_budget(&row, &then).await?;
        conn.commit().await?;
        Ok(Loan { began, calls, rest: self.limit.count.saturating_sub(then.taken) })
    }

    fn lock(&self) -> MutexGuard<'_, Slices> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
