//! A connection stays alive: refreshed in time, once, and given up only when the provider says so.

mod changes;
pub mod mint;
mod outage;

use std::time::Duration;

use bytes::Bytes;
use claviger_engine::{
    domain::{connection::Status, event::EventKind},
    id::ConnectionId,
};
use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use self::mint::Mint;
use crate::support::{
    Browser, Options, TestApp, names, on_each, on_each_with, value,
    wire::{begin, call, nothing, send},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A connection to the sandbox, whose tokens live an hour.
async fn connected(app: &TestApp) -> String {
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
    value(&pairs, "connection_id").to_owned()
}

async fn refreshes(app: &TestApp) -> u64 {
    app.sandbox.stats().await.token_requests.refresh_token
}

#[tokio::test]
async fn a_token_about_to_expire_is_refreshed_before_the_call() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR - Duration::from_secs(301));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.spent().len(), 0, "not yet");
        app.pass(Duration::from_secs(1));
        let now = app.broker.clock.now();
        for _ in 0..2 {
            assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        }
        assert_eq!(mint.used(), ["Bearer access-1", "Bearer access-2", "Bearer access-2"]);
        assert_eq!(mint.spent(), ["refresh-1"], "once");
        let form = mint.forms.lock().unwrap()[1].clone();
        assert_eq!(value(&form, "grant_type"), "refresh_token");
        assert!(!names(&form).contains(&"code_verifier") && !names(&form).contains(&"redirect_uri"));
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!((connection.status, connection.refreshed_at), (Status::Active, Some(now)));
        assert_eq!(connection.expires_at, Some(now.plus(HOUR)));
        assert_eq!(app.events(&app.acme).await.len(), 1, "a refresh is no event");
    })
    .await;
}

#[tokio::test]
async fn many_calls_at_once_refresh_once() {
    on_each(async |app| {
        let id = connected(app).await;
        for round in 1..=2 {
            app.pass(HOUR);
            let answers = join_all((0..32).map(|_| app.call(&app.acme.key, &id, "/me"))).await;
            for answer in answers {
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            let stats = app.sandbox.stats().await;
            assert_eq!(stats.token_requests.refresh_token, round);
            assert_eq!(stats.refresh_reuse_detections, 0, "no refresh token is shown twice");
        }
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
    })
    .await;
}

#[tokio::test]
async fn connections_refresh_beside_each_other() {
    on_each(async |app| {
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(connected(app).await);
        }
        app.pass(HOUR);
        let calls = (0..16).map(|n| app.call(&app.acme.key, &ids[n % 4], "/me"));
        assert!(join_all(calls).await.iter().all(|answer| answer.status == 200));
        assert_eq!(refreshes(app).await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_stays_good_where_no_new_one_comes() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let quiet = r#"{"access_token":"quiet","token_type":"bearer","expires_in":3600}"#;
        mint.instead.lock().unwrap().extend([(200, quiet), (200, quiet)]);
        for _ in 0..3 {
            app.pass(HOUR);
            assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        }
        assert_eq!(mint.spent(), ["refresh-1", "refresh-1", "refresh-1"]);
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.spent()[3], "refresh-4", "and then the new one");

        app.sandbox.faults(json!({ "no_rotation": true })).await;
        let id = connected(app).await;
        for n in 1..=3 {
            app.pass(HOUR);
            assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
            assert_eq!(refreshes(app).await, n);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_refresh_ends_it_once_and_for_all() {
    on_each(async |app| {
        let id = connected(app).await;
        app.sandbox
            .faults(json!({
                "token_grant": "refresh_token", "token_status": 400,
                "token_body": r#"{"error":"invalid_grant","error_description":"the person took it back"}"#,
            }))
            .await;
        app.pass(HOUR);
        let before = app.sandbox.stats().await.api_calls;
        let answers = join_all((0..8).map(|_| app.call(&app.acme.key, &id, "/me"))).await;
        for answer in answers {
            answer.assert_problem(401, "connection_refresh_failed");
            assert!(
                answer.text().contains("the person took it back"),
                "in the provider's words: {}",
                answer.text()
            );
        }
        assert_eq!(refreshes(app).await, 1, "a refused refresh token is not shown again");
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!(connection.status, Status::NeedsReauth);
        assert!(connection.status_reason.is_some_and(|reason| reason.contains("invalid_grant")));
        let expired = |events: Vec<claviger_engine::domain::event::Event>| {
            events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count()
        };
        assert_eq!(expired(app.events(&app.acme).await), 1);

        app.sandbox.faults(json!({ "token_status": null, "token_body": null })).await;
        for _ in 0..3 {
            app.call(&app.acme.key, &id, "/me").await.assert_problem(401, "connection_refresh_failed");
        }
        let stats = app.sandbox.stats().await;
        assert_eq!(
            (stats.token_requests.refresh_token, stats.api_calls),
            (1, before),
            "nobody is asked any more"
        );
        assert_eq!(expired(app.events(&app.acme).await), 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_without_successor_ends_with_its_time() {
    on_each(async |app| {
        app.sandbox.faults(json!({ "omit_refresh_token": true })).await;
        let id = connected(app).await;
        app.pass(HOUR - Duration::from_millis(1));
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200, "to the last moment");
        app.pass(Duration::from_millis(1));
        for _ in 0..2 {
            app.call(&app.acme.key, &id, "/me").await.assert_problem(401, "connection_refresh_failed");
        }
        assert_eq!(refreshes(app).await, 0);
        let events = app.events(&app.acme).await;
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count(), 1);
    })
    .await;
}

/// A server with little patience for token endpoints.
fn hasty() -> Options {
    let mut options = Options::default();
    options.outbound.total_timeout = Duration::from_millis(400);
    options
}

#[tokio::test]
async fn a_passing_failure_does_not_cost_a_token_that_is_still_good() {
    on_each_with(hasty, async |app| {
        let id = connected(app).await;
        app.pass(HOUR - Duration::from_secs(200));
        let faults = [
            json!({ "token_status": 500 }),
            json!({ "token_status": 429, "token_retry_after": "1" }),
            json!({ "token_html": true, "token_status": 503 }),
            json!({ "token_html": true, "token_status": 403 }),
        ];
        for (n, fault) in faults.iter().enumerate() {
            app.sandbox.faults(fault.clone()).await;
            for _ in 0..2 {
                let answer = app.call(&app.acme.key, &id, "/me").await;
                assert_eq!(answer.status, 200, "{fault}: {}", answer.text());
            }
            assert_eq!(refreshes(app).await, n as u64 + 1, "{fault}: it was tried, once");
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active, "{fault}");
            calm(app).await;
            app.pass(Duration::from_secs(1 << n));
        }
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
        assert!(app.connection(&app.acme, &id).await.refreshed_at.is_some(), "and then it works");
    })
    .await;
}

#[tokio::test]
async fn a_passing_failure_with_a_spent_token_is_the_providers_failure() {
    on_each_with(hasty, async |app| {
        let id = connected(app).await;
        app.pass(HOUR);
        for (n, (fault, status, code)) in [
            (json!({ "token_status": 500 }), 502, "upstream_unreachable"),
            (json!({ "token_status": 429 }), 502, "upstream_unreachable"),
            (json!({ "token_html": true, "token_status": 503 }), 502, "upstream_unreachable"),
            (json!({ "token_html": true, "token_status": 403 }), 502, "upstream_refused"),
        ]
        .into_iter()
        .enumerate()
        {
            let before = app.sandbox.stats().await.api_calls;
            app.sandbox.faults(fault.clone()).await;
            for _ in 0..2 {
                app.call(&app.acme.key, &id, "/me").await.assert_problem(status, code);
            }
            assert_eq!(app.sandbox.stats().await.api_calls, before, "{fault}: a spent token is not sent");
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active, "{fault}");
            calm(app).await;
            app.pass(Duration::from_secs(1 << n));
        }
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200, "and then it works");
        assert_eq!(app.events(&app.acme).await.len(), 1, "nobody is told of what passed");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_the_token_is_no_failure_that_passes() {
    on_each_with(hasty, async |app| {
        for fault in [
            json!({ "token_html": true }),
            json!({ "token_status": 502 }),
            json!({ "token_html": true, "token_status": 504 }),
            json!({ "token_huge_bytes": 8_000_000 }),
            json!({ "token_body": "{" }),
            json!({ "token_delay_ms": 5_000 }),
        ] {
            let id = connected(app).await;
            app.pass(HOUR - Duration::from_secs(200));
            let before = refreshes(app).await;
            app.sandbox.faults(fault.clone()).await;
            assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200, "{fault}: the old one is good");
            calm(app).await;
            app.pass(Duration::from_secs(5));
            assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200, "{fault}");
            assert_eq!(refreshes(app).await, before + 1, "{fault}: it is not sent again");
            let connection = app.connection(&app.acme, &id).await;
            assert_eq!((connection.status, connection.refreshed_at), (Status::Active, None), "{fault}");
            app.pass(Duration::from_secs(195));
            app.call(&app.acme.key, &id, "/me").await.assert_problem(401, "connection_refresh_failed");
            assert_eq!(refreshes(app).await, before + 1, "{fault}");
        }
    })
    .await;
}

/// The sandbox behaves again.
async fn calm(app: &TestApp) {
    let url = format!("{}/faults", app.sandbox.origin);
    let cleared = Browser::new().send(http::Request::delete(url), Bytes::new()).await;
    assert_eq!(cleared.status, 200);
}

#[tokio::test]
async fn a_401_on_an_old_token_refreshes_and_resends_once() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-1".into());

        let fresh = app.call(&app.acme.key, &id, "/x").await;
        assert_eq!(fresh.status, 401, "a fresh token is not to blame; the answer is the provider's");
        assert_eq!((mint.used().len(), mint.spent().len()), (1, 0));

        app.pass(Duration::from_secs(61));
        let request = call(app, Method::POST, &id, "/x");
        let answer = Browser::new().send(request, Bytes::from_static(b"the same body")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "the same body"));
        assert_eq!(mint.used(), ["Bearer access-1", "Bearer access-1", "Bearer access-2"]);
        assert_eq!(mint.spent(), ["refresh-1"]);

        mint.refused.lock().unwrap().push("Bearer access-2".into());
        mint.refused.lock().unwrap().push("Bearer access-3".into());
        app.pass(Duration::from_secs(61));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401, "refused twice, it is handed back");
        assert_eq!(mint.used()[3..], ["Bearer access-2", "Bearer access-3"]);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401);
        assert_eq!(mint.spent(), ["refresh-1", "refresh-2"], "and the new token is not to blame");
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
    })
    .await;
}

#[tokio::test]
async fn a_401_for_many_calls_at_once_refreshes_once() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-1".into());
        app.pass(Duration::from_secs(61));
        let answers = join_all((0..16).map(|_| app.call(&app.acme.key, &id, "/x"))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(mint.spent(), ["refresh-1"]);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_not_kept_is_not_sent_after_a_401() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-1".into());
        app.pass(Duration::from_secs(61));
        let request = call(app, Method::POST, &id, "/x");
        let answer = Browser::new().send(request, Bytes::from(vec![b'x'; 300_000])).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (401, 300_000), "the provider's answer");
        assert_eq!(mint.used().len(), 1);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200, "the next call has the newer token");
        assert_eq!(mint.spent(), ["refresh-1"]);
    })
    .await;
}

#[tokio::test]
async fn a_401_whose_refresh_is_refused_needs_the_owner() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-1".into());
        mint.instead.lock().unwrap().extend([(503, "{}"), (400, r#"{"error":"invalid_grant"}"#)]);
        app.pass(Duration::from_secs(61));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401);
        assert_eq!(
            app.connection(&app.acme, &id).await.status,
            Status::Active,
            "a passing failure is no verdict"
        );
        app.pass(Duration::from_secs(1));
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::NeedsReauth);
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_during_a_refresh_costs_nothing() {
    on_each(async |app| {
        let mut mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        mint.hold();
        let held = begin(call(app, Method::GET, &id, "/x").body(nothing()).unwrap()).await;
        mint.waiting.recv().await.unwrap();
        held.hang_up().await;
        // The proxy has noticed once the call's row is there.
        loop {
            app.broker.logs.flush().await;
            let rows =
                app.read().await.request_logs(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
            if let Some(row) = rows.first() {
                assert_eq!((row.error.as_deref(), row.attempts), (Some("caller_gone"), 0));
                break;
            }
            tokio::task::yield_now().await;
        }
        mint.permits.add_permits(1);
        let answer = send(call(app, Method::GET, &id, "/x")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(mint.spent(), ["refresh-1"], "the refresh token was spent once and its answer kept");
        assert_eq!(mint.used(), ["Bearer access-2"]);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_ends_during_its_refresh_stays_ended() {
    on_each(async |app| {
        let mut mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        mint.hold();
        let (answer, ()) = tokio::join!(app.call(&app.acme.key, &id, "/x"), async {
            mint.waiting.recv().await.unwrap();
            let ended = ConnectionId::parse(&id).unwrap();
            let deleted =
                app.change(async |to| to.conn.delete_connection(&app.acme.workspace, &ended).await).await;
            assert!(deleted);
            mint.permits.add_permits(1);
        });
        answer.assert_problem(400, "connection_invalid");
        assert_eq!(mint.used().len(), 0, "its token is not used");
        assert_eq!(app.connections(&app.acme).await.len(), 0);
        let id = ConnectionId::parse(&id).unwrap();
        let left = app.read().await.credential(&app.acme.workspace, &id).await.unwrap();
        assert!(left.is_none(), "nothing comes back to life");
    })
    .await;
}
