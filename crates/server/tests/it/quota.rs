//! What answers say of how much is left of a connection's calls, at every door, beside what its provider says.

use std::time::Duration;

use claviger_engine::limit::Rate;
use http::Method;

use crate::support::{
    Answer, Options, TestApp, Upstream, on_each, on_each_with,
    upstream::{Head, say},
    wire::{call, send},
};

const POLICY: &str = r#""claviger-connection";q=3;w=60"#;

fn telling() -> Options {
    Options { calls: three(), quota: true, ..Options::default() }
}

fn three() -> Rate {
    Rate::Per { count: 3, window: Duration::from_secs(60) }
}

/// Says of limits what the path asks for.
async fn provider(head: Head, _: axum::body::Body) -> axum::response::Response {
    match head.target.as_str() {
        "/api/own" => {
            say(200, &[("RateLimit", "limit=10, remaining=9"), ("RateLimit", "\"a\";r=1"), ("X-B", "2")], "")
        }
        "/api/common" => say(200, &[("X-RateLimit-Limit", "9, 8"), ("X-RateLimit-Limit", "7")], ""),
        _ => say(200, &[], ""),
    }
}

/// The lines of a header, in order.
fn all<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect()
}

async fn get(app: &TestApp, connection: &str, path: &str) -> Answer {
    send(call(app, Method::GET, connection, path)).await
}

/// Asserts what an answer says is left.
#[track_caller]
fn assert_left(answer: &Answer, status: u16, left: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(all(answer, "ratelimit-policy"), [POLICY]);
    assert_eq!(all(answer, "ratelimit"), [format!("\"claviger-connection\";{left}")]);
}

#[tokio::test]
async fn answers_say_what_is_left_and_a_refusal_that_nothing_is() {
    on_each_with(telling, async |app| {
        let up = Upstream::start(provider).await;
        let id = up.connect(app).await;
        assert_left(&get(app, &id, "/x").await, 200, "r=2;t=60");
        app.pass(Duration::from_millis(20_500));
        assert_left(&get(app, &id, "/x").await, 200, "r=1;t=40");
        assert_left(&get(app, &id, "/x").await, 200, "r=0;t=40");
        let refused = get(app, &id, "/x").await;
        assert_left(&refused, 429, "r=0;t=40");
        assert_eq!(refused.header("retry-after"), Some("40"), "no earlier than it says");
        app.pass(Duration::from_secs(40));
        assert_left(&get(app, &id, "/x").await, 200, "r=2;t=60");
    })
    .await;
}

#[tokio::test]
async fn what_a_provider_says_stays_its_own() {
    on_each_with(telling, async |app| {
        let up = Upstream::start(provider).await;
        let id = up.connect(app).await;
        let own = get(app, &id, "/own").await;
        assert_eq!(all(&own, "ratelimit"), ["limit=10, remaining=9", "\"a\";r=1"]);
        assert!(all(&own, "ratelimit-policy").is_empty() && own.header("x-b") == Some("2"));
        let common = get(app, &id, "/common").await;
        assert_eq!(all(&common, "x-ratelimit-limit"), ["9, 8", "7"]);
        assert_left(&common, 200, "r=1;t=60");
    })
    .await;
}

#[tokio::test]
async fn without_the_setting_nothing_is_said() {
    let silent = || Options { calls: three(), ..Options::default() };
    on_each_with(silent, async |app| {
        let up = Upstream::start(provider).await;
        let id = up.connect(app).await;
        for status in [200, 200, 200, 429] {
            let answer = get(app, &id, "/x").await;
            assert_eq!(answer.status, status);
            assert!(all(&answer, "ratelimit").is_empty() && all(&answer, "ratelimit-policy").is_empty());
        }
    })
    .await;
    let without_a_limit = || Options { quota: true, ..Options::default() };
    on_each_with(without_a_limit, async |app| {
        let up = Upstream::start(provider).await;
        let id = up.connect(app).await;
        assert!(all(&get(app, &id, "/x").await, "ratelimit").is_empty());
    })
    .await;
    on_each(async |app| {
        let up = Upstream::start(provider).await;
        let own = get(app, &up.connect(app).await, "/own").await;
        assert_eq!(all(&own, "ratelimit"), ["limit=10, remaining=9", "\"a\";r=1"]);
    })
    .await;
}
