//! What providers said of when they take calls again: who is held up by it, for how long, and who is not.

use std::time::Duration;

use claviger_catalog::{RateLimit, RateScope, ResetUnit};
use http::{Response, Uri, header};

use super::{
    super::*,
    world::{T0, status, world},
};
use crate::{
    error::Limit,
    outbound::{Failure, FailureKind, empty, full},
    time::Millis,
};

const HOUR: Duration = Duration::from_secs(3600);
const HERE: &str = "https://api.acme.test/items";

/// A connection at a provider with this table.
async fn subject(limit: Option<RateLimit>) -> Subject {
    let world = world(|_, _| status(200)).await;
    let mut subject = (**resolve::subject(&world.broker, &world.caller()).await.unwrap()).clone();
    Arc::make_mut(&mut subject.provider).rate_limit = limit;
    subject
}

/// Another connection of the same integration.
fn beside(subject: &Subject) -> Subject {
    let mut other = subject.clone();
    Arc::make_mut(&mut other.connection).id = crate::id::ConnectionId::new();
    other
}

fn scoped(scope: RateScope) -> RateLimit {
    RateLimit { scope, ..RateLimit::default() }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> std::result::Result<Response<Body>, Failure> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    Ok(answer.body(empty()).unwrap())
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// For how many seconds a call is held up.
fn left(waits: &Waits, subject: &Subject, at: &str, now: Millis) -> Option<u64> {
    match waits.check(subject, &uri(at), now) {
        Ok(()) => None,
        Err(error @ Error::Limited { limit: Limit::Provider, .. }) => error.retry_after(),
        Err(other) => panic!("{other}"),
    }
}

fn told(waits: &Waits, subject: &Subject, status: u16, headers: &[(&str, &str)]) {
    waits.hear(subject, &uri(HERE), &answer(status, headers), T0);
}

#[tokio::test]
async fn a_wait_is_kept_to_until_it_is_over() {
    let subject = subject(None).await;
    for (status, after, seconds) in [
        (429, "30", 30),
        (503, "30", 30),
        // T0 is 2026-01-02T03:04:05.678Z; a date names whole seconds.
        (429, "Fri, 02 Jan 2026 03:04:36 GMT", 31),
        (429, "Friday, 02-Jan-26 03:04:36 GMT", 31),
        (429, "Fri Jan  2 03:04:36 2026", 31),
    ] {
        let waits = Waits::new(Some(HOUR));
        assert_eq!(left(&waits, &subject, HERE, T0), None);
        told(&waits, &subject, status, &[("retry-after", after)]);
        assert_eq!(left(&waits, &subject, HERE, T0), Some(seconds), "{after}: rounded up");
        assert_eq!(left(&waits, &subject, HERE, T0.plus(Duration::from_secs(29))), Some(seconds - 29));
        assert_eq!(left(&waits, &subject, HERE, T0.plus(Duration::from_secs(31))), None);
    }
}

#[tokio::test]
async fn nothing_is_held_up_on_a_guess() {
    let subject = subject(None).await;
    let waits = Waits::new(Some(HOUR));
    told(&waits, &subject, 429, &[]);
    told(&waits, &subject, 429, &[("retry-after", "0")]);
    told(&waits, &subject, 429, &[("retry-after", "soon")]);
    told(&waits, &subject, 429, &[("retry-after", "Fri, 02 Jan 2026 03:04:05 GMT")]);
    told(&waits, &subject, 200, &[("retry-after", "30")]);
    told(&waits, &subject, 301, &[("retry-after", "30")]);
    told(&waits, &subject, 500, &[("retry-after", "30")]);
    told(&waits, &subject, 200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")]);
    let late = Failure { kind: FailureKind::TimedOut, nothing_sent: false, message: "late".into() };
    waits.hear(&subject, &uri(HERE), &Err(late), T0);
    assert_eq!(left(&waits, &subject, HERE, T0), None);
}

#[tokio::test]
async fn no_word_is_believed_for_longer_than_the_setting() {
    let subject = subject(None).await;
    for absurd in ["86400", "99999999999999999999", "9000000000000", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let waits = Waits::new(Some(HOUR));
        told(&waits, &subject, 429, &[("retry-after", absurd)]);
        let held = left(&waits, &subject, HERE, T0);
        assert!(held.is_none_or(|seconds| seconds == 3600), "{absurd} {held:?}");
        assert_eq!(left(&waits, &subject, HERE, T0.plus(HOUR)), None, "{absurd}");
    }
    let off = Waits::new(None);
    told(&off, &subject, 429, &[("retry-after", "30")]);
    assert_eq!(left(&off, &subject, HERE, T0), None);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_wait_longer() {
    let subject = subject(None).await;
    let waits = Waits::new(Some(HOUR));
    told(&waits, &subject, 429, &[("retry-after", "30")]);
    assert_eq!(left(&waits, &subject, HERE, T0.minus(Duration::from_millis(1))), None);
    assert_eq!(left(&waits, &subject, HERE, T0), None, "it is forgotten");
}

#[tokio::test]
async fn who_waits_is_whom_the_provider_counts() {
    let (items, users, elsewhere) = (HERE, "https://api.acme.test/users", "https://files.acme.test/items");
    // Held up: the same path, another path, another connection, another host.
    for (limit, status, held) in [
        (None, 429, [true, false, false, false]),
        (None, 503, [true, true, false, false]),
        (Some(RateScope::Connection), 429, [true, true, false, false]),
        (Some(RateScope::Path), 429, [true, false, false, false]),
        (Some(RateScope::Provider), 429, [true, true, true, false]),
        (Some(RateScope::Path), 503, [true, true, false, false]),
        (Some(RateScope::Provider), 503, [true, true, false, false]),
    ] {
        let subject = subject(limit.map(scoped)).await;
        let waits = Waits::new(Some(HOUR));
        told(&waits, &subject, status, &[("retry-after", "30")]);
        let other = beside(&subject);
        let of = |subject, at| left(&waits, subject, at, T0).is_some();
        let found = [of(&subject, items), of(&subject, users), of(&other, items), of(&subject, elsewhere)];
        assert_eq!(found, held, "{limit:?} {status}");
        assert!(!of(&other, elsewhere), "what one host says holds nobody up at another");
    }
}

#[tokio::test]
async fn an_answer_that_was_the_last_for_now_counts_too() {
    let limit = RateLimit {
        remaining_header: Some("x-left".into()),
        reset_header: Some("x-reset".into()),
        reset_unit: ResetUnit::Epoch,
        ..RateLimit::default()
    };
    let subject = subject(Some(limit)).await;
    let waits = Waits::new(Some(HOUR));
    told(&waits, &subject, 200, &[("x-left", "1"), ("x-reset", "1767323075")]);
    assert_eq!(left(&waits, &subject, HERE, T0), None);
    told(&waits, &subject, 200, &[("x-left", "0"), ("x-reset", "1767323075")]);
    assert_eq!(left(&waits, &subject, HERE, T0), Some(30));
}

#[tokio::test]
async fn a_call_that_is_bound_to_fail_is_not_sent() {
    let busy = |count: usize, _: &super::world::Seen| {
        let answer = Response::builder().status(if count == 1 { 429 } else { 200 });
        answer.header(header::RETRY_AFTER, "60").body(full("answer")).unwrap()
    };
    let world = world(busy).await;
    assert_eq!(world.send("POST", "/x", "").await.unwrap().status(), 429, "the provider's own answer");
    for method in ["POST", "GET"] {
        let error = world.send(method, "/x?secret=canary", "").await.unwrap_err();
        assert_eq!(error.retry_after(), Some(60), "{method}");
        let text = error.to_string();
        assert!(text.contains("provider's own limit") && !text.contains("canary"), "{text}");
    }
    assert_eq!(world.provider.lines().len(), 1, "it is left in peace");
    world.broker.clock.advance(Duration::from_secs(60));
    assert_eq!(world.send("POST", "/x", "").await.unwrap().status(), 200);
    let log = world.log().await;
    assert_eq!(log.iter().map(|row| row.attempts).collect::<Vec<_>>(), [1, 0, 0, 1]);
}
