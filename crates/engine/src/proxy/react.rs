//! Phase 7: whether an outcome is handed back or the call is made again. The rule is [`decide`], without I/O.

use std::time::Duration;

use claviger_catalog::RateLimit;
use claviger_protocol::throttle;
use http::{Method, Response};

use crate::{
    outbound::{Body, Failure, FailureKind},
    secret,
    time::Millis,
};

/// Retries when the caller names no number.
const DEFAULT_RETRIES: u8 = 2;
/// The most a caller can ask for.
const MAX_RETRIES: u8 = 5;
/// The longest `Retry-After` that is waited for here; a longer one is the caller's to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The first backoff; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Hand the outcome to the caller.
    Done,
    /// Make the call again after this long.
    Retry(Duration),
}

/// All that the rule looks at.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// GET, HEAD or OPTIONS.
    safe_method: bool,
    /// Whether the body can be sent from its beginning.
    replayable: bool,
    retries_left: u8,
    outcome: Outcome,
    /// The wait when the provider names none.
    backoff: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// An answer; `passing` when it is 429, its like or a 5xx.
    Answered { passing: bool, retry_after: Option<Duration> },
    /// No answer.
    Failed { kind: FailureKind, nothing_sent: bool },
}

/// The retry rule.
fn decide(facts: Facts) -> Verdict {
    if facts.retries_left == 0 || !facts.replayable {
        return Verdict::Done;
    }
    match facts.outcome {
        Outcome::Answered { passing, retry_after } => {
            let wait = retry_after.unwrap_or(facts.backoff);
            if facts.safe_method && passing && wait <= LONGEST_WAIT {
                Verdict::Retry(wait)
            } else {
                Verdict::Done
            }
        }
        Outcome::Failed { kind, nothing_sent } => {
            let again = match kind {
                // No connection, and nothing that would be different next time is known.
                FailureKind::Connect | FailureKind::Resolve | FailureKind::TimedOut => nothing_sent,
                FailureKind::Broken => nothing_sent || facts.safe_method,
                FailureKind::Blocked | FailureKind::Tls | FailureKind::TooLarge | FailureKind::BadUrl => {
                    false
                }
            };
            if again { Verdict::Retry(facts.backoff) } else { Verdict::Done }
        }
    }
}

/// The tries of one call.
pub(super) struct Tries<'a> {
    limit: Option<&'a RateLimit>,
    safe_method: bool,
    max: u8,
    made: u8,
    refreshed: bool,
}

impl<'a> Tries<'a> {
    pub fn new(method: &Method, max: Option<u8>, limit: Option<&'a RateLimit>) -> Self {
        let safe_method = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        let max = max.unwrap_or(DEFAULT_RETRIES).min(MAX_RETRIES);
        Self { limit, safe_method, max, made: 0, refreshed: false }
    }

    /// Whether a 401 may lead to a refresh: once per call.
    pub fn may_refresh(&mut self) -> bool {
        !std::mem::replace(&mut self.refreshed, true)
    }

    /// Judges an outcome and counts the retry that it leads to.
    pub fn judge(
        &mut self,
        outcome: &Result<Response<Body>, Failure>,
        replayable: bool,
        now: Millis,
    ) -> Verdict {
        let outcome = match outcome {
            Ok(answer) => match read(self.limit, answer, now) {
                // As nearly all are: what a wait would be need not be thrown for.
                Outcome::Answered { passing: false, .. } => return Verdict::Done,
                passing => passing,
            },
            Err(failure) => Outcome::Failed { kind: failure.kind, nothing_sent: failure.nothing_sent },
        };
        let verdict = decide(Facts {
            safe_method: self.safe_method,
            replayable,
            retries_left: self.max - self.made,
            outcome,
            backoff: backoff(self.made, jitter()),
        });
        if verdict != Verdict::Done {
            self.made += 1;
        }
        verdict
    }
}

/// Between half of the step and all of it, so that callers who failed together do not return together.
fn backoff(retries_made: u8, jitter: u8) -> Duration {
    let step = FIRST_BACKOFF * 2_u32.saturating_pow(u32::from(retries_made.min(MAX_RETRIES)));
    step / 2 + step / 2 * u32::from(jitter) / 255
}

fn jitter() -> u8 {
    secret::random::<1>().map_or(127, |[byte]| byte)
}

/// What an answer says of trying again: 429 and `Retry-After` of everybody, the provider file's rule beside.
fn read(limit: Option<&RateLimit>, answer: &Response<Body>, now: Millis) -> Outcome {
    let (status, headers) = (answer.status(), answer.headers());
    let throttled = throttle::read(limit, status, headers, None, now.0);
    let wait_ms = match throttled {
        Some(throttled) => throttled.wait_ms,
        None => throttle::retry_after_ms(headers, now.0),
    };
    Outcome::Answered {
        passing: throttled.is_some() || status.is_server_error(),
        retry_after: wait_ms.map(Duration::from_millis),
    }
}

#[cfg(test)]
#[path = "react_tests.rs"]
mod tests;
