use http::StatusCode;

use super::*;
use crate::outbound::empty;

const BACKOFF: Duration = Duration::from_millis(150);

fn verdict(safe_method: bool, replayable: bool, retries_left: u8, outcome: Outcome) -> Verdict {
    decide(Facts { safe_method, replayable, retries_left, outcome, backoff: BACKOFF })
}

fn answered(passing: bool, wait: Option<u64>) -> Outcome {
    Outcome::Answered { passing, retry_after: wait.map(Duration::from_millis) }
}

#[test]
fn an_answer_is_retried_only_when_it_passes_and_the_method_is_safe() {
    let again = Verdict::Retry;
    for (safe, replayable, left, outcome, want) in [
        (true, true, 1, answered(true, None), again(BACKOFF)),
        (true, true, 1, answered(true, Some(0)), again(Duration::ZERO)),
        (true, true, 1, answered(true, Some(10_000)), again(Duration::from_secs(10))),
        (true, true, 1, answered(true, Some(10_001)), Verdict::Done),
        (true, true, 1, answered(true, Some(u64::MAX)), Verdict::Done),
        (true, true, 0, answered(true, None), Verdict::Done),
        (true, false, 1, answered(true, None), Verdict::Done),
        (false, true, 1, answered(true, None), Verdict::Done),
        (false, true, 1, answered(true, Some(1)), Verdict::Done),
        (true, true, 1, answered(false, None), Verdict::Done),
        (true, true, 1, answered(false, Some(1)), Verdict::Done),
    ] {
        assert_eq!(verdict(safe, replayable, left, outcome), want, "{safe} {replayable} {left} {outcome:?}");
    }
}

#[test]
fn a_failure_is_retried_when_nothing_was_sent_or_nothing_can_have_happened() {
    use FailureKind::*;
    for (kind, sent_safe, sent_unsafe, unsent) in [
        (Connect, false, false, true),
        (Resolve, false, false, true),
        (TimedOut, false, false, true),
        (Broken, true, false, true),
        (Tls, false, false, false),
        (Blocked, false, false, false),
        (BadUrl, false, false, false),
        (TooLarge, false, false, false),
    ] {
        for (safe, nothing_sent, want) in [
            (true, false, sent_safe),
            (false, false, sent_unsafe),
            (true, true, unsent),
            (false, true, unsent),
        ] {
            let outcome = Outcome::Failed { kind, nothing_sent };
            let again = if want { Verdict::Retry(BACKOFF) } else { Verdict::Done };
            assert_eq!(verdict(safe, true, 1, outcome), again, "{kind:?} {safe} {nothing_sent}");
            assert_eq!(verdict(safe, true, 0, outcome), Verdict::Done);
            assert_eq!(verdict(safe, false, 1, outcome), Verdict::Done);
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Response<Body>, Failure> {
    let mut answer = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    Ok(answer.body(empty()).unwrap())
}

fn retries(method: &Method, max: Option<u8>, status: u16) -> u32 {
    let mut tries = Tries::new(method, max, None);
    let mut made = 0;
    while tries.judge(&answer(status, &[]), true, Millis(0)) != Verdict::Done {
        made += 1;
    }
    made
}

#[test]
fn two_retries_unless_asked_otherwise_and_never_more_than_five() {
    for (max, want) in [(None, 2), (Some(0), 0), (Some(1), 1), (Some(5), 5), (Some(6), 5), (Some(255), 5)] {
        assert_eq!(retries(&Method::GET, max, 503), want, "{max:?}");
        assert_eq!(retries(&Method::POST, max, 503), 0);
    }
    for (method, want) in [
        (Method::GET, 2),
        (Method::HEAD, 2),
        (Method::OPTIONS, 2),
        (Method::POST, 0),
        (Method::PUT, 0),
        (Method::PATCH, 0),
        (Method::DELETE, 0),
        (Method::TRACE, 0),
        (Method::from_bytes(b"get").unwrap(), 0),
    ] {
        assert_eq!(retries(&method, None, 500), want, "{method}");
    }
    for (status, want) in
        [(200, 0), (302, 0), (400, 0), (401, 0), (404, 0), (408, 0), (429, 2), (500, 2), (501, 2), (599, 2)]
    {
        assert_eq!(retries(&Method::GET, None, status), want, "{status}");
    }
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    // Sun, 06 Nov 1994 08:49:37 GMT
    let now = Millis(784_111_777_000);
    for (value, want) in [
        ("3", Verdict::Retry(Duration::from_secs(3))),
        ("10", Verdict::Retry(Duration::from_secs(10))),
        ("11", Verdict::Done),
        ("9999999999", Verdict::Done),
        ("Sun, 06 Nov 1994 08:49:41 GMT", Verdict::Retry(Duration::from_secs(4))),
        ("Sun, 06 Nov 1994 08:49:48 GMT", Verdict::Done),
        ("Sun, 06 Nov 1994 08:49:30 GMT", Verdict::Retry(Duration::ZERO)),
    ] {
        let mut tries = Tries::new(&Method::GET, None, None);
        assert_eq!(tries.judge(&answer(503, &[("retry-after", value)]), true, now), want, "{value}");
    }
    for garbage in ["", "soon", "-1", "1.5.2"] {
        let mut tries = Tries::new(&Method::GET, None, None);
        let verdict = tries.judge(&answer(503, &[("retry-after", garbage)]), true, now);
        assert!(
            matches!(verdict, Verdict::Retry(wait) if wait < Duration::from_secs(1)),
            "{garbage} {verdict:?}"
        );
    }
}

#[test]
fn a_provider_may_say_too_many_in_its_own_way() {
    let limit =
        RateLimit { statuses: vec![403], remaining_header: Some("x-left".into()), ..RateLimit::default() };
    let mut tries = Tries::new(&Method::GET, None, Some(&limit));
    assert_eq!(tries.judge(&answer(403, &[("x-left", "7")]), true, Millis(0)), Verdict::Done);
    assert_ne!(tries.judge(&answer(403, &[("x-left", "0")]), true, Millis(0)), Verdict::Done);
}

#[test]
fn backoff_grows_and_spreads() {
    assert_eq!(backoff(0, 0), Duration::from_millis(100));
    assert_eq!(backoff(0, 255), Duration::from_millis(200));
    assert_eq!(backoff(2, 0), Duration::from_millis(400));
    assert_eq!(backoff(200, 255), backoff(MAX_RETRIES, 255));
}

#[test]
fn a_401_leads_to_one_refresh() {
    let mut tries = Tries::new(&Method::POST, None, None);
    assert!(tries.may_refresh());
    assert!(!tries.may_refresh());
}
