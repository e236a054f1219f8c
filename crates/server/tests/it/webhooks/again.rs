//! What an endpoint was told, or would have been, is told again: all since a time.

use std::time::Duration;

use claviger_engine::time::Millis;
use serde_json::json;

use super::*;
use crate::{management::ask, support::on_each};

const LIFE: [EventKind; 3] =
    [EventKind::ConnectionCreated, EventKind::ConnectionUpdated, EventKind::ConnectionDeleted];

async fn redeliver(app: &TestApp, to: &Endpoint, since: Millis) -> i64 {
    let path = format!("/v1/webhooks/{}/redeliver", to.id);
    let body = json!({ "since": since.rfc3339() });
    let answer = ask(app, &app.acme.key, http::Method::POST, &path, Some(&body)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["queued"].as_i64().expect("a count")
}

#[tokio::test]
async fn everything_since_a_time_is_told_again_in_order_and_once_each() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let all: Vec<_> = (0..3).map(|_| connection(app)).collect();
        let before = tell(app, &all[0], EventKind::ConnectionExpired).await;
        assert_eq!(rounds(app).await, 1);
        app.pass(Duration::from_secs(60));
        let since = app.broker.clock.now();
        for kind in LIFE {
            for of in &all {
                app.pass(Duration::from_millis(5));
                tell(app, of, kind).await;
            }
        }
        assert_eq!(rounds(app).await, 9);
        let told = hook.seen();

        app.pass(Duration::from_secs(60));
        assert_eq!(redeliver(app, &to, since).await, 9);
        assert_eq!(redeliver(app, &to, since).await, 9, "the same ones, and each is in line once");
        assert_eq!(rounds(app).await, 9);
        let again = hook.seen().split_off(told.len());
        for of in &all {
            assert_eq!(kinds_of(&again, of), LIFE.map(EventKind::as_str));
        }
        let ids = |told: &[Told]| {
            let mut ids: Vec<_> = told.iter().map(|it| it.id().to_owned()).collect();
            ids.sort();
            ids
        };
        assert!(again.iter().all(|it| it.id() != before), "that was earlier");
        assert_eq!(ids(&again), ids(&told[1..]), "by the ids that they had");
        assert!(deliveries(app, &to).await.iter().all(|it| it.next_at.is_none()));
    })
    .await;
}

#[tokio::test]
async fn what_happened_while_it_was_disabled_is_told_in_its_place() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let (other, _) = endpoint(app, &hook.url).await;
        edit(app, &other, WebhookEdit { active: Some(false), ..WebhookEdit::default() }).await;
        let of = connection(app);
        let since = app.broker.clock.now();
        let set = async |active| {
            edit(app, &to, WebhookEdit { active: Some(active), ..WebhookEdit::default() }).await;
            app.pass(Duration::from_secs(1));
        };
        tell(app, &of, LIFE[0]).await;
        rounds(app).await;
        set(false).await;
        tell(app, &of, LIFE[1]).await;
        set(true).await;
        tell(app, &of, LIFE[2]).await;
        let unwanted = EventKind::ConnectionExpiring;
        let wanted = LIFE.to_vec();
        edit(app, &to, WebhookEdit { events: Some(wanted), ..WebhookEdit::default() }).await;
        tell(app, &of, unwanted).await;
        set(false).await;
        assert_eq!(redeliver(app, &to, since).await, 3, "what it does not want is not for it");
        assert_eq!(rounds(app).await, 0, "it waits until it is enabled");
        let before = hook.seen().len();
        set(true).await;
        assert_eq!(rounds(app).await, 3);
        let again = hook.seen().split_off(before);
        assert_eq!(kinds_of(&again, &of), LIFE.map(EventKind::as_str), "also the one that still waited");
        assert!(deliveries(app, &other).await.is_empty(), "nobody else is told");
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let path = format!("/v1/webhooks/{}/redeliver", to.id);
        for (body, field) in [
            (json!({}), "since"),
            (json!({ "since": 5 }), "since"),
            (json!({ "since": "yesterday" }), "since"),
            (json!({ "since": "2026-01-01T00:00:00Z", "until": "x" }), "body"),
        ] {
            let answer = ask(app, &app.acme.key, http::Method::POST, &path, Some(&body)).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text());
            assert!(answer.json()["errors"][field].is_array(), "{body}: {}", answer.text());
        }
        let body = json!({ "since": "2026-01-01T00:00:00Z" });
        let missing = format!("/v1/webhooks/{}/redeliver", claviger_engine::id::EndpointId::new());
        let answer = ask(app, &app.acme.key, http::Method::POST, &missing, Some(&body)).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
    })
    .await;
}
