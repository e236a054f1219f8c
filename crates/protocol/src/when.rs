//! Reading points in time and durations as providers write them. The time now is passed in; all results are
//! milliseconds since 1970.

mod http_date;

use claviger_catalog::{ExpiresUnit, ResetUnit};
use jiff::{SignedDuration, Timestamp, civil::DateTime};
use serde_json::Value;

use crate::json;

/// Numbers above are milliseconds since 1970, to [`ExpiresUnit::Auto`].
const LOOKS_LIKE_MS: i64 = 100_000_000_000;
/// Numbers above are seconds since 1970, to [`ExpiresUnit::Auto`]: 31 years from now is no token's lifetime.
const LOOKS_LIKE_EPOCH: i64 = 1_000_000_000;

/// When something expires. A duration of 0 or less says nothing, as providers write 0 for "never".
pub(crate) fn expiry(value: &Value, unit: ExpiresUnit, now_ms: i64) -> Option<i64> {
    let text = json::plain(value)?;
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let from_now = |ms: i64| (ms > 0).then(|| now_ms.saturating_add(ms));
    match unit {
        ExpiresUnit::Seconds => from_now(number(text)?.saturating_mul(1000)),
        ExpiresUnit::Milliseconds => from_now(number(text)?),
        ExpiresUnit::Epoch => absolute(number(text)?.saturating_mul(1000)),
        ExpiresUnit::EpochMs => absolute(number(text)?),
        ExpiresUnit::Iso8601 => date(text),
        ExpiresUnit::Clock => from_now(clock(text)?),
        ExpiresUnit::Words => from_now(words(text)?),
        ExpiresUnit::Auto => match number(text) {
            Some(n) if n >= LOOKS_LIKE_MS => absolute(n),
            Some(n) if n >= LOOKS_LIKE_EPOCH => absolute(n.saturating_mul(1000)),
            Some(n) => from_now(n.saturating_mul(1000)),
            None => date(text).or_else(|| from_now(clock(text).or_else(|| words(text))?)),
        },
    }
}

/// How many milliseconds from now a rate limit ends; never negative.
pub(crate) fn reset(text: &str, unit: ResetUnit, now_ms: i64) -> Option<u64> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let ms = match unit {
        ResetUnit::Seconds => seconds_as_ms(text)?,
        ResetUnit::Milliseconds => number(text)?,
        ResetUnit::Epoch => number(text)?.saturating_mul(1000).saturating_sub(now_ms),
        ResetUnit::EpochMs => number(text)?.saturating_sub(now_ms),
        ResetUnit::Date => http_date::read(text, now_ms).or_else(|| date(text))?.saturating_sub(now_ms),
        ResetUnit::Words => words(text)?,
    };
    Some(u64::try_from(ms).unwrap_or(0))
}

/// `Retry-After` (RFC 9110 §10.2.3), seconds or a date, in milliseconds from now.
pub(crate) fn retry_after(text: &str, now_ms: i64) -> Option<u64> {
    reset(text, ResetUnit::Seconds, now_ms).or_else(|| reset(text, ResetUnit::Date, now_ms))
}

fn absolute(ms: i64) -> Option<i64> {
    (ms > 0).then_some(ms)
}

/// A whole number, or the whole part of one.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let float: f64 = text.parse().ok().filter(|f: &f64| f.is_finite() && f.abs() < 9e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
        Some(float as i64)
    })
}

fn seconds_as_ms(text: &str) -> Option<i64> {
    let float: f64 = text.parse().ok().filter(|f: &f64| f.is_finite() && *f >= 0.0 && *f < 9e12)?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    Some((float * 1000.0) as i64)
}

/// ISO 8601 with an offset, or without one in UTC.
fn date(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| {
            let local = text.parse::<DateTime>().ok()?;
            local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        })
        .map(Timestamp::as_millisecond)
}

/// `days:hours:minutes` or `hours:minutes`.
fn clock(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text
        .split(':')
        .map(|part| part.parse::<u32>().ok().filter(|n| *n < 1_000_000).map(i64::from))
        .collect::<Option<_>>()?;
    let minutes = match parts.as_slice() {
        [days, hours, minutes] => days * 1440 + hours * 60 + minutes,
        [hours, minutes] => hours * 60 + minutes,
        _ => return None,
    };
    Some(minutes * 60_000)
}

fn words(text: &str) -> Option<i64> {
    let duration: SignedDuration = text.parse().ok()?;
    i64::try_from(duration.as_millis()).ok()
}

#[cfg(test)]
mod tests;
