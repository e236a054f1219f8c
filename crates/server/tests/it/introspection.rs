//! A refresh whose answer got lost, at a provider that says whether a refresh token still works (RFC 7662).

use std::time::Duration;

use claviger_engine::{
    domain::{connection::Status, integration::Config},
    refresh,
};
use claviger_sandbox::TokenLog;
use serde_json::json;

use crate::support::{
    Browser, Options, TestApp,
    app::{ALL, at, new_integration},
    on_each, on_each_with, value,
};

const HOUR: Duration = Duration::from_secs(3600);

/// An account of the sandbox, by an integration that says where to ask.
async fn connected(app: &TestApp) -> String {
    let origin = &app.sandbox.origin;
    let config = Config { introspect_url: Some(format!("{origin}/introspect")), ..at(origin) };
    app.integrate_as(&app.acme, new_integration("asked", "sandbox", config)).await;
    let done = Browser::new().connect(app, &app.acme, &[("integration_id", "asked")]).await;
    let (_, pairs) = done.redirect();
    value(&pairs, "connection_id").to_owned()
}

/// How often refresh tokens were sent, and how often it was asked of one.
async fn counts(app: &TestApp) -> (u64, u64) {
    let stats = app.sandbox.stats().await;
    (stats.token_requests.refresh_token, stats.introspections)
}

async fn log(app: &TestApp) -> TokenLog {
    let answer = Browser::new().get(&format!("{}/tokens/log", app.sandbox.origin)).await;
    serde_json::from_slice(&answer.body).expect("the log")
}

/// What became of what was ever unknown.
async fn outcomes(app: &TestApp) -> Vec<Option<String>> {
    let every = app.read().await.any_refreshes_ever_unknown(&ALL).await.expect("intents");
    every.into_iter().map(|intent| intent.outcome).collect()
}

/// A gateway's answer says nothing of what is behind it. Whatever may be on its way is waited for.
#[tokio::test]
async fn a_token_that_its_provider_calls_good_is_sent_again_once_nothing_is_on_its_way() {
    on_each(async |app| {
        let id = connected(app).await;
        app.sandbox
            .faults(json!({"token_status": 502, "token_times": 1, "token_grant": "refresh_token"}))
            .await;
        app.pass(HOUR);
        assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(counts(app).await, (1, 1));
        let waits = app.broker.refresh.lease - Duration::from_secs(1);
        app.pass(waits);
        assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(counts(app).await, (1, 2), "called good, and it may not have arrived yet");
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
        app.pass(Duration::from_secs(5));
        let answer = app.call(&app.acme.key, &id, "/x").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(counts(app).await, (2, 3));
        assert_eq!(outcomes(app).await, [Some("resent".to_owned())]);
        let log = log(app).await;
        assert_eq!((log.sent, log.outside), (2, 0));
    })
    .await;
}

/// A provider may be at it for as long as an answer would have been waited for, however short a lease is.
#[tokio::test]
async fn what_is_called_good_may_be_on_its_way_for_as_long_as_an_answer_is_waited_for() {
    let options =
        || Options { refresh: refresh::Settings::new(Duration::from_secs(5)), ..Options::default() };
    on_each_with(options, async |app| {
        let id = connected(app).await;
        app.sandbox
            .faults(json!({"token_status": 502, "token_times": 1, "token_grant": "refresh_token"}))
            .await;
        app.pass(HOUR);
        assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        app.pass(app.broker.outbound.total_timeout() - Duration::from_secs(1));
        assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(counts(app).await, (1, 2), "a lease is over since long");
        app.pass(Duration::from_secs(5));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(counts(app).await, (2, 3));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_its_provider_calls_dead_is_sent_by_nobody_again() {
    on_each(async |app| {
        let id = connected(app).await;
        app.sandbox
            .faults(json!({"token_broken": true, "token_times": 1, "token_grant": "refresh_token"}))
            .await;
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(counts(app).await, (1, 1));
        let ended = app.connection(&app.acme, &id).await;
        let reason = ended.status_reason.expect("a reason");
        assert_eq!(ended.status, Status::NeedsReauth);
        assert!(reason.contains("its provider says that the token is not good any more"), "{reason}");
        assert_eq!(outcomes(app).await, [Some("given_up".to_owned())]);
        assert_eq!(log(app).await.outside, 0);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_say_is_asked_again_and_ends_nothing_for_an_hour() {
    on_each(async |app| {
        let id = connected(app).await;
        let lost = json!({"token_status": 502, "token_times": 1, "token_grant": "refresh_token"});
        app.sandbox.faults(lost.clone()).await;
        app.sandbox.faults(json!({"introspect_status": 503})).await;
        app.pass(HOUR);
        for passes in [0, 60, 1800] {
            app.pass(Duration::from_secs(passes));
            assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
        }
        assert_eq!(counts(app).await, (1, 3));
        app.sandbox.faults(json!({"introspect_status": null})).await;
        app.pass(Duration::from_secs(60));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);

        app.sandbox.faults(lost).await;
        app.sandbox.faults(json!({"introspect_status": 503})).await;
        app.pass(HOUR);
        assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        let reason = app.connection(&app.acme, &id).await.status_reason.expect("a reason");
        assert!(reason.contains("did not say whether the token is still good"), "{reason}");
        assert_eq!(log(app).await.outside, 0);
    })
    .await;
}
