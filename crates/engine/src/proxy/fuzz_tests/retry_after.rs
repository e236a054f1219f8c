//! `Retry-After`: whatever a provider says, it is a time to wait or nothing.

use claviger_protocol::throttle;
use http::{HeaderMap, HeaderValue, header};

use super::{fuzz, print};

/// 2026-01-02T03:04:05.678Z
const NOW: i64 = 1_767_323_045_678;
const WORDS: [&str; 30] = [
    "0",
    "1",
    "120",
    "3600",
    "-1",
    "+1",
    "1.5",
    "1e9",
    " ",
    ",",
    ":",
    "18446744073709551615",
    "9223372036854775807",
    "99999999999",
    "GMT",
    "UTC",
    "Fri, 02 Jan 2026 03:04:06 GMT",
    "Friday, 02-Jan-26 03:04:06 GMT",
    "Fri Jan  2 03:04:06 2026",
    "Feb",
    "31",
    "2026",
    "9999",
    "0000",
    "24:00:00",
    "60",
    "\u{b2}",
    "0x10",
    "inf",
    "Mon",
];

#[test]
fn what_a_provider_says_is_a_time_to_wait_or_nothing() {
    fuzz("retry_after", &WORDS, |input| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return 0 };
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
        let wait = throttle::retry_after_ms(&headers, NOW);
        let plain = std::str::from_utf8(input).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        if let Some(seconds) = plain.and_then(|text| text.parse::<u32>().ok()) {
            assert_eq!(wait, Some(u64::from(seconds) * 1000), "seconds are seconds");
        }
        // No date has more than four digits for its year; a number may be any.
        let numeric = std::str::from_utf8(input).is_ok_and(|text| text.trim().parse::<f64>().is_ok());
        assert!(numeric || wait.is_none_or(|wait| wait < 8000 * 366 * 86_400_000), "{wait:?}");
        print((wait.map(u64::checked_ilog10), numeric, input.len().min(30)))
    });
}
