//! Waits: what providers said of when they take calls again, remembered, so that a call that is bound to fail is answered
//! here and the provider is left in peace.
//!
//! Told by `Retry-After` of a 429 or a 503, and by the headers that the provider's file names (`[rate_limit]`), also in a
//! good answer that was the last one for now. What a host says counts for that host alone: another one may be anybody's,
//! where customers say the host. It is kept in this process, bounded, and never believed for longer than the setting
//! `proxy_wait_limit`. It must never hold up a call on a guess: without a time nothing is remembered.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use claviger_catalog::RateScope;
use claviger_protocol::throttle;
use http::{Response, StatusCode, Uri};
use quick_cache::sync::Cache;

use crate::{
    error::{Error, Limit, Result},
    outbound::{Body, Failure},
    refresh::Subject,
    time::Millis,
};

/// How many waits are remembered; beyond it some are forgotten, and their providers asked.
const MOST: usize = 50_000;

/// What providers said of when they take calls again.
pub struct Waits {
    /// The longest that one is believed; `None` when nothing is remembered.
    longest: Option<Duration>,
    /// By a keyed hash of whom it holds up: paths may be long, and are the caller's.
    by_name: Cache<u64, Wait>,
    names: RandomState,
    /// The end of the last one, so that calls look no further while there is none.
    last: AtomicI64,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Millis,
    until: Millis,
}

impl Waits {
    /// Nothing remembered yet. `None` never remembers anything.
    pub fn new(longest: Option<Duration>) -> Self {
        Self { longest, by_name: Cache::new(MOST), names: RandomState::new(), last: AtomicI64::new(i64::MIN) }
    }

    /// Lets a call pass unless it is bound to fail.
    ///
    /// # Errors
    /// `Limited`, with the time until the provider takes calls again.
    pub(super) fn check(&self, subject: &Subject, uri: &Uri, now: Millis) -> Result<()> {
        if now.0 >= self.last.load(Ordering::Relaxed) {
            return Ok(());
        }
        let own = self.left(self.name(RateScope::Connection, subject, uri), now);
        let wider = match scope(subject) {
            RateScope::Connection => None,
            other => self.left(self.name(other, subject, uri), now),
        };
        match own.max(wider) {
            None => Ok(()),
            Some(retry_after) => Err(Error::Limited { limit: Limit::Provider, retry_after }),
        }
    }

    /// Remembers what an answer says, if it says anything.
    pub(super) fn hear(
        &self,
        subject: &Subject,
        uri: &Uri,
        outcome: &std::result::Result<Response<Body>, Failure>,
        now: Millis,
    ) {
        let (Ok(answer), Some(longest)) = (outcome, self.longest) else { return };
        let Some((scope, wait_ms)) = said(subject, answer, now) else { return };
        let wait = Duration::from_millis(wait_ms).min(longest);
        if wait.is_zero() {
            return;
        }
        let until = now.plus(wait);
        self.by_name.insert(self.name(scope, subject, uri), Wait { since: now, until });
        self.last.fetch_max(until.0, Ordering::Relaxed);
    }

    fn left(&self, name: u64, now: Millis) -> Option<Duration> {
        let wait = self.by_name.get(&name)?;
        // A clock that was set back would make it longer than was ever said.
        if wait.since <= now && now < wait.until {
            return Some(wait.until.since(now));
        }
        self.by_name.remove(&name);
        None
    }

    /// Whom a wait of this scope holds up.
    fn name(&self, scope: RateScope, subject: &Subject, uri: &Uri) -> u64 {
        let host = uri.authority().map(http::uri::Authority::as_str);
        let connection = subject.connection.id.as_str();
        match scope {
            RateScope::Connection => self.names.hash_one(("connection", connection, host)),
            RateScope::Path => self.names.hash_one(("path", connection, host, uri.path())),
            RateScope::Provider => {
                let option = subject.connection.auth_option.as_deref();
                self.names.hash_one(("provider", subject.integration.id.as_str(), option, host))
            }
        }
    }
}

fn scope(subject: &Subject) -> RateScope {
    // Where no file says whom the provider counts, only the very same call is known to fail.
    subject.provider.rate_limit.as_ref().map_or(RateScope::Path, |limit| limit.scope)
}

/// How long an answer says to wait, and whom that is said to.
fn said(subject: &Subject, answer: &Response<Body>, now: Millis) -> Option<(RateScope, u64)> {
    let limit = subject.provider.rate_limit.as_ref();
    let (status, headers) = (answer.status(), answer.headers());
    if let Some(throttled) = throttle::read(limit, status, headers, None, now.0) {
        return Some((scope(subject), throttled.wait_ms?));
    }
    // It says that the service is away, for whoever asked; not that an app calls too often.
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return Some((RateScope::Connection, throttle::retry_after_ms(headers, now.0)?));
    }
    Some((scope(subject), throttle::spent_ms(limit?, headers, now.0)?))
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").field("len", &self.by_name.len()).finish_non_exhaustive()
    }
}
