use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000_000;

/// Quirk 55: every way in which the end of a rate limit is written.
#[test]
fn resets() {
    for (text, unit, ms) in [
        ("7", ResetUnit::Seconds, Some(7000)),
        ("0.25", ResetUnit::Seconds, Some(250)),
        ("7", ResetUnit::Milliseconds, Some(7)),
        ("1700000003", ResetUnit::Epoch, Some(3000)),
        ("1600000000", ResetUnit::Epoch, Some(0)),
        ("1700000003000", ResetUnit::EpochMs, Some(3000)),
        ("Tue, 14 Nov 2023 22:13:30 GMT", ResetUnit::Date, Some(10_000)),
        ("2023-11-14T22:13:30Z", ResetUnit::Date, Some(10_000)),
        ("1s", ResetUnit::Words, Some(1000)),
        ("6m0s", ResetUnit::Words, Some(360_000)),
        ("", ResetUnit::Seconds, None),
        ("-1", ResetUnit::Seconds, None),
        ("NaN", ResetUnit::Seconds, None),
        ("1e300", ResetUnit::Seconds, None),
        ("soon", ResetUnit::Date, None),
    ] {
        assert_eq!(reset(text, unit, NOW), ms, "{text} {unit:?}");
    }
    assert_eq!(retry_after("Tue, 14 Nov 2023 22:13:30 GMT", NOW), Some(10_000));
}

#[test]
fn absurd_numbers_do_not_overflow() {
    for value in [
        json!(i64::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!("9".repeat(63)),
        json!("99999999:1:1"),
    ] {
        for unit in [
            ExpiresUnit::Seconds,
            ExpiresUnit::EpochMs,
            ExpiresUnit::Epoch,
            ExpiresUnit::Clock,
            ExpiresUnit::Auto,
        ] {
            let _ = expiry(&value, unit, i64::MAX);
            let _ = expiry(&value, unit, NOW);
        }
    }
    assert_eq!(expiry(&json!(i64::MAX), ExpiresUnit::Seconds, NOW), Some(i64::MAX));
}
