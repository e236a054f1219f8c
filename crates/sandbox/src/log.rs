//! What became of each refresh token, sending by sending: `GET /tokens/log`.
//!
//! Kept by the token's hash; must never hold a token, nor say anything of one that was not sent. Look next at
//! `grants.rs`, which knows the rules that a sending is judged by.

use crate::respond;
use crate::state::{Bounded, Shared};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many sendings of one token are kept; later ones are counted.
const KEPT: usize = 100;

/// `GET /tokens/log`, since the start or since `DELETE /tokens/log`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLog {
    /// Of all tokens: how many sendings there were.
    pub sent: u64,
    /// Of all tokens: how many sendings were outside the sandbox's own reuse rule.
    pub outside: u64,
    /// Each refresh token that was sent, by the SHA-256 of its text in hex.
    pub tokens: BTreeMap<String, Sent>,
}

/// What became of one refresh token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// How often it was sent.
    pub times: u64,
    /// How many of these were outside the reuse rule: the token was spent, or was being sent already.
    pub outside: u64,
    /// The first hundred, oldest first.
    pub sendings: Vec<Sending>,
}

/// One sending of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// When it came, in milliseconds since 1970 by the machine's clock.
    pub at: u64,
    /// When it was answered; `None` while it is not, or when the caller hung up before.
    pub answered_at: Option<u64>,
    /// What was answered: `tokens`, an error code of RFC 6749 §5.2, `fault` for what a fault answered instead; `pending`
    /// before, `hung_up` when the caller did.
    pub answer: String,
    /// Whether it was within the reuse rule.
    pub within: bool,
}

impl Sending {
    fn is_pending(&self) -> bool {
        self.answer == "pending"
    }
}

/// The log as it is kept.
pub(crate) struct Log {
    sent: u64,
    outside: u64,
    tokens: Bounded<Sent>,
}

impl Log {
    pub fn new(kept: usize) -> Self {
        Self { sent: 0, outside: 0, tokens: Bounded::new(kept) }
    }

    /// Notes that a token came. One that is being sent already is `outside`, unless it may be sent more than once.
    fn begin(&mut self, hash: &str, may_repeat: bool) -> usize {
        if self.tokens.get(hash).is_none() {
            self.tokens.insert(hash.to_owned(), Sent::default());
        }
        self.sent += 1;
        let Some(token) = self.tokens.get_mut(hash) else { return KEPT };
        let within = may_repeat || !token.sendings.iter().any(Sending::is_pending);
        token.times += 1;
        token.outside += u64::from(!within);
        self.outside += u64::from(!within);
        let at = token.sendings.len();
        if at < KEPT {
            token.sendings.push(Sending { at: now(), answered_at: None, answer: "pending".into(), within });
        }
        at
    }

    /// Notes what a sending was answered.
    fn end(&mut self, hash: &str, at: usize, answer: &str, reused: bool) {
        let Some(token) = self.tokens.get_mut(hash) else { return };
        let mut forgotten = Sending { at: 0, answered_at: None, answer: String::new(), within: true };
        let sending = token.sendings.get_mut(at).unwrap_or(&mut forgotten);
        answer.clone_into(&mut sending.answer);
        sending.answered_at = (answer != "hung_up").then(now);
        if reused && sending.within {
            sending.within = false;
            token.outside += 1;
            self.outside += 1;
        }
    }

    fn read(&self) -> TokenLog {
        let tokens = self.tokens.iter().map(|(hash, sent)| (hash.clone(), sent.clone())).collect();
        TokenLog { sent: self.sent, outside: self.outside, tokens }
    }
}

/// A sending that was noted and is not answered yet. Dropped without [`Noted::answered`], the caller hung up.
pub(crate) struct Noted {
    sandbox: Shared,
    hash: String,
    at: usize,
    answer: Option<(String, bool)>,
}

impl Noted {
    /// Notes that this refresh token came.
    pub fn new(sandbox: &Shared, token: &str) -> Self {
        let hash = hash_of(token);
        let mut memory = sandbox.lock();
        let faults = &memory.faults;
        let may_repeat =
            faults.no_rotation || faults.reuse_detection_off || faults.reuse_grace_seconds.is_some();
        let at = memory.log.begin(&hash, may_repeat);
        drop(memory);
        Self { sandbox: Shared::clone(sandbox), hash, at, answer: None }
    }

    /// Says what it is answered, and whether that was a use of a spent token outside the rule.
    pub fn answered(&mut self, answer: &str, reused: bool) {
        self.answer = Some((answer.to_owned(), reused));
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let (answer, reused) = self.answer.take().unwrap_or_else(|| ("hung_up".to_owned(), false));
        self.sandbox.lock().log.end(&self.hash, self.at, &answer, reused);
    }
}

/// The name that a token has in the log.
pub(crate) fn hash_of(token: &str) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox uses nothing of ours, and whoever reads the log compares it with the machine's clock"
)]
fn now() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
}

/// `GET /tokens/log`.
pub(crate) async fn show(State(sandbox): State<Shared>) -> Response {
    let log = sandbox.lock().log.read();
    respond::json(StatusCode::OK, &json!(log))
}

/// `DELETE /tokens/log`: nothing was sent so far. What is under way now is not in it either.
pub(crate) async fn clear(State(sandbox): State<Shared>) -> Response {
    sandbox.lock().clear_log();
    respond::json(StatusCode::OK, &json!(TokenLog::default()))
}
