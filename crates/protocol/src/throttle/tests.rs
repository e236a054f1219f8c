use claviger_catalog::ResetUnit;

use super::*;
use crate::oauth2::testing::headers;

const NOW: i64 = 1_700_000_000_000;

fn got(
    limit: Option<&RateLimit>,
    status: u16,
    pairs: &[(&'static str, &str)],
    body: &str,
) -> Option<Option<u64>> {
    let status = StatusCode::from_u16(status).expect("a status");
    read(limit, status, &headers(pairs), Some(body.as_bytes()), NOW).map(|throttled| throttled.wait_ms)
}

/// Quirk 55.
#[test]
fn dialects() {
    assert_eq!(got(None, 429, &[("retry-after", "3")], ""), Some(Some(3000)));
    assert_eq!(got(None, 429, &[], ""), Some(None));
    assert_eq!(got(None, 403, &[("retry-after", "3")], ""), None);
    let limit = RateLimit {
        statuses: vec![403],
        remaining_header: Some("x-ratelimit-remaining".to_owned()),
        reset_header: Some("x-ratelimit-reset".to_owned()),
        reset_path: Some("error.until".to_owned()),
        reset_unit: ResetUnit::Epoch,
        ..RateLimit::default()
    };
    let limit = Some(&limit);
    let none_left = ("x-ratelimit-remaining", "0");
    assert_eq!(got(limit, 403, &[none_left, ("x-ratelimit-reset", "1700000009")], ""), Some(Some(9000)));
    assert_eq!(
        got(limit, 403, &[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "1700000009")], ""),
        None
    );
    assert_eq!(got(limit, 403, &[("retry-after", "1")], ""), Some(Some(1000)));
    assert_eq!(got(limit, 200, &[none_left], ""), None, "a success is one");
    assert_eq!(got(limit, 429, &[], r#"{"error":{"until":1700000004}}"#), Some(Some(4000)));
    assert_eq!(got(limit, 429, &[], "<html>"), Some(None));
}

#[test]
fn the_last_call_for_now_says_so_in_a_good_answer() {
    let limit = RateLimit {
        remaining_header: Some("x-left".to_owned()),
        reset_header: Some("x-reset".to_owned()),
        ..RateLimit::default()
    };
    let told = |pairs: &[(&'static str, &str)]| spent_ms(&limit, &headers(pairs), NOW);
    assert_eq!(told(&[("x-left", "0"), ("x-reset", "9")]), Some(9000));
    assert_eq!(told(&[("x-left", "1"), ("x-reset", "9")]), None, "one is left");
    assert_eq!(told(&[("x-left", "0")]), None, "until when is not told");
    assert_eq!(told(&[("x-reset", "9")]), None);
    assert_eq!(spent_ms(&RateLimit::default(), &headers(&[("x-left", "0"), ("x-reset", "9")]), NOW), None);
}
