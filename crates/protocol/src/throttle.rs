//! Knowing that a provider is being called too often, and for how long to wait.
//!
//! 429 and `Retry-After` are understood of everybody; the rest is the provider file's `[rate_limit]`. It
//! must never itself decide to try again: that is the proxy's rule.

use claviger_catalog::RateLimit;
use http::{HeaderMap, StatusCode, header};

use crate::{json, when};

/// What an answer says about the rate of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// How long to wait, in milliseconds, when the provider says it.
    pub wait_ms: Option<u64>,
}

/// Whether this answer says "too often". `body` may be the beginning of an error's body, where it is at hand.
pub fn read(
    limit: Option<&RateLimit>,
    status: StatusCode,
    headers: &HeaderMap,
    body: Option<&[u8]>,
    now_ms: i64,
) -> Option<Throttled> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = retry_after_ms(headers, now_ms);
    let mut wait_ms = retry_after;
    let mut none_left = false;
    if let Some(limit) = limit {
        none_left = limit.remaining_header.as_deref().and_then(text).is_some_and(|left| left.trim() == "0");
        let by_header = limit.reset_header.as_deref().and_then(text).map(str::to_owned);
        let by_body = || {
            let value = serde_json::from_slice(body?).ok()?;
            json::text(&value, limit.reset_path.as_deref()?)
        };
        wait_ms = wait_ms.or_else(|| {
            let told = by_header.or_else(by_body)?;
            when::reset(&told, limit.reset_unit, now_ms)
        });
    }
    let further = limit.is_some_and(|limit| limit.statuses.contains(&status.as_u16()));
    let throttled =
        status == StatusCode::TOO_MANY_REQUESTS || (further && (none_left || retry_after.is_some()));
    throttled.then_some(Throttled { wait_ms })
}

/// For how many milliseconds no further call is taken after this answer, whatever its status: it says that none is left,
/// and when there will be some again.
pub fn spent_ms(limit: &RateLimit, headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    let text = |name: &Option<String>| headers.get(name.as_deref()?)?.to_str().ok();
    (text(&limit.remaining_header)?.trim() == "0").then_some(())?;
    when::reset(text(&limit.reset_header)?, limit.reset_unit, now_ms)
}

/// `Retry-After` (RFC 9110 §10.2.3), seconds or a date in any of the three forms, in milliseconds from now.
pub fn retry_after_ms(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    when::retry_after(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now_ms)
}

#[cfg(test)]
mod tests;
