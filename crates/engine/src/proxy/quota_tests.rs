use std::time::Duration;

use super::*;

const NOW: Millis = Millis(1_000_000);

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn told(quota: &Quota, limiter: &Limiter, connection: &ConnectionId, at: Millis) -> Vec<String> {
    let mut headers = HeaderMap::new();
    quota.tell(&mut headers, limiter, connection, || at);
    lines(&headers)
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

/// RFC 9651: a list of one string, its parameters integers.
#[test]
fn what_is_left_is_told_as_the_draft_writes_it() {
    let (quota, limiter) = (Quota::new(rate("100/1h"), true), Limiter::new(rate("100/1h")));
    let connection = ConnectionId::new();
    let policy = r#"ratelimit-policy: "claviger-connection";q=100;w=3600"#;
    let limit = |rest: &str| vec![policy.to_owned(), format!(r#"ratelimit: "claviger-connection";{rest}"#)];
    assert_eq!(told(&quota, &limiter, &connection, NOW), limit("r=100"), "no window is open");
    limiter.take(connection.as_str(), NOW).unwrap();
    assert_eq!(told(&quota, &limiter, &connection, NOW), limit("r=99;t=3600"));
    let later = NOW.plus(Duration::from_millis(3_598_999));
    assert_eq!(told(&quota, &limiter, &connection, later), limit("r=99;t=2"), "rounded up");
    while limiter.take(connection.as_str(), NOW).is_ok() {}
    assert_eq!(told(&quota, &limiter, &connection, later), limit("r=0;t=2"));
    let over = NOW.plus(Duration::from_secs(3600));
    assert_eq!(told(&quota, &limiter, &connection, over), limit("r=100"), "the window is over");
}

#[test]
fn nothing_is_told_unless_it_is_wanted_and_there_is_a_limit() {
    let connection = ConnectionId::new();
    let error = Error::Limited { limit: Limit::Calls, retry_after: Duration::from_secs(1) };
    for (rate, wanted) in [(rate("100/60s"), false), (Rate::Off, true)] {
        let (quota, limiter) = (Quota::new(rate, wanted), Limiter::new(rate));
        let mut headers = HeaderMap::new();
        quota.tell(&mut headers, &limiter, &connection, || unreachable!("nobody asks for the time"));
        quota.refuse(&mut headers, &error);
        assert!(headers.is_empty(), "{rate}");
    }
}

#[test]
fn a_provider_that_speaks_of_limits_is_not_interrupted() {
    let (quota, limiter) = (Quota::new(rate("100/60s"), true), Limiter::new(rate("100/60s")));
    for (theirs, silent) in [
        ("ratelimit", true),
        ("ratelimit-policy", true),
        ("ratelimit-limit", true),
        ("ratelimit-reset", true),
        ("retry-after", true),
        ("x-ratelimit-remaining", false),
        ("x-rate-limit-limit", false),
        ("date", false),
    ] {
        let mut headers = HeaderMap::from_iter([(theirs.parse().unwrap(), HeaderValue::from_static("7"))]);
        quota.tell(&mut headers, &limiter, &ConnectionId::new(), || NOW);
        assert_eq!(headers.len(), if silent { 1 } else { 3 }, "{theirs}");
        assert_eq!(headers[theirs], "7");
    }
}

#[test]
fn only_a_refusal_by_this_limit_says_that_nothing_is_left_of_it() {
    let quota = Quota::new(rate("5/60s"), true);
    let refused = |limit, millis| {
        let mut headers = HeaderMap::new();
        quota.refuse(&mut headers, &Error::Limited { limit, retry_after: Duration::from_millis(millis) });
        lines(&headers)
    };
    let [policy, limit] = [
        r#"ratelimit-policy: "claviger-connection";q=5;w=60"#,
        r#"ratelimit: "claviger-connection";r=0;t=2"#,
    ];
    assert_eq!(refused(Limit::Calls, 1_001), [policy, limit]);
    for other in [Limit::Provider, Limit::ConnectionCalls, Limit::ProviderCalls, Limit::Body] {
        assert!(refused(other, 1_001).is_empty(), "{other:?}");
    }
    let mut headers = HeaderMap::new();
    quota.refuse(&mut headers, &Error::busy());
    assert!(headers.is_empty());
}
