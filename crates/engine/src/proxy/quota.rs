//! Quota: what callers are told of how much is left of a connection's calls, where the setting `rate_limit_headers` wants
//! them told.
//!
//! In `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-11 writes them. What a provider says of
//! limits is its own: an answer that does so in these fields, or with `Retry-After`, stays as it is, because what both say
//! could not be told apart. It must never count anything: that is [`super::limit`].

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use crate::{
    error::{Error, Limit},
    id::ConnectionId,
    limit::{Left, Limiter, Rate},
    time::Millis,
};

/// What the limit is called by. The name says whose it is: a provider's answer may come along.
const NAME: &str = "claviger-connection";

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// How the fields of all versions of the draft begin.
const FAMILY: &str = "ratelimit";

/// What callers are told.
#[derive(Debug, Default)]
pub struct Quota {
    /// `None` when nothing is told.
    policy: Option<HeaderValue>,
}

impl Quota {
    /// For calls of this rate. Nothing is told where there is no limit, nor unless it is wanted.
    pub fn new(rate: Rate, wanted: bool) -> Self {
        match rate {
            Rate::Per { count, window } if wanted => {
                let policy = format!("\"{NAME}\";q={count};w={}", window.as_secs());
                Self { policy: HeaderValue::try_from(policy).ok() }
            }
            Rate::Per { .. } | Rate::Off => Self::default(),
        }
    }

    /// Tells it in a provider's answer, unless the provider speaks of limits there.
    pub(super) fn tell(
        &self,
        headers: &mut HeaderMap,
        limiter: &Limiter,
        connection: &ConnectionId,
        now: impl FnOnce() -> Millis,
    ) {
        let Some(policy) = &self.policy else { return };
        if headers.keys().any(|name| name.as_str().starts_with(FAMILY) || name == RETRY_AFTER) {
            return;
        }
        if let Some(Left { calls, ends }) = limiter.left(connection.as_str(), now()) {
            let ends = ends.map(|time| time.as_secs() + u64::from(time.subsec_nanos() > 0));
            write(headers, policy, calls, ends);
        }
    }

    /// Tells it in a refusal of ours, where it was this limit that stood in the way.
    pub fn refuse(&self, headers: &mut HeaderMap, error: &Error) {
        if let (Some(policy), Error::Limited { limit: Limit::Calls, .. }) = (&self.policy, error) {
            write(headers, policy, 0, error.retry_after());
        }
    }
}

fn write(headers: &mut HeaderMap, policy: &HeaderValue, calls: u32, ends: Option<u64>) {
    let mut limit = format!("\"{NAME}\";r={calls}");
    if let Some(ends) = ends {
        let _infallible = write!(limit, ";t={ends}");
    }
    headers.insert(POLICY, policy.clone());
    headers.extend(HeaderValue::try_from(limit).ok().map(|limit| (LIMIT, limit)));
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
