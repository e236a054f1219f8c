//! An endpoint that takes nothing for days gets nothing more, and the others hear of it.

use std::time::Duration;

use claviger_engine::domain::webhook::DisabledReason;
use serde_json::json;

use super::*;
use crate::support::on_each;

const HOUR: Duration = Duration::from_secs(3600);

/// Lets so many hours pass in which something happens each hour.
async fn hours(app: &TestApp, count: usize) {
    for _ in 0..count {
        app.pass(HOUR);
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        rounds(app).await;
    }
}

#[tokio::test]
async fn after_five_days_of_nothing_it_is_disabled_and_the_others_are_told() {
    on_each(async |app| {
        let (dead, alive) = (Hook::start().await, Hook::start().await);
        let (to, _) = endpoint(app, &dead.url).await;
        let (other, _) = endpoint(app, &alive.url).await;
        dead.rule(|_| Rule::Say(500));
        let since = app.broker.clock.now().plus(HOUR);
        hours(app, 120).await;
        assert!(now(app, &to).await.disabled_at.is_none(), "not a moment earlier");
        hours(app, 1).await;
        let gone = now(app, &to).await;
        assert_eq!(gone.disabled_reason, Some(DisabledReason::Failing));
        assert!(now(app, &other).await.disabled_at.is_none());
        let told: Vec<_> = alive.seen().into_iter().filter(|it| it.kind() == "webhook.disabled").collect();
        assert_eq!(told.len(), 1);
        let at = app.broker.clock.now().rfc3339();
        assert_eq!(
            told[0].body["data"],
            json!({ "id": to.id.as_str(), "name": "ours", "failing_since": since.rfc3339(), "disabled_at": at })
        );
        assert!(dead.seen().iter().all(|it| it.kind() != "webhook.disabled"));
        let before = dead.seen().len();
        hours(app, 2).await;
        assert_eq!(dead.seen().len(), before, "nothing more is sent");

        // Enabled again, it has all its time before it.
        edit(app, &to, WebhookEdit { active: Some(true), ..WebhookEdit::default() }).await;
        hours(app, 3).await;
        assert!(now(app, &to).await.disabled_at.is_none() && dead.seen().len() > before);
    })
    .await;
}

#[tokio::test]
async fn one_that_takes_something_now_and_then_goes_on() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let mut seen = 0;
        hook.rule(move |_| {
            seen += 1;
            Rule::Say(if seen % 150 == 0 { 204 } else { 503 })
        });
        hours(app, 130).await;
        assert!(now(app, &to).await.disabled_at.is_none());
        assert!(hook.seen().len() > 150);
    })
    .await;
}

#[tokio::test]
async fn days_without_an_attempt_do_not_count() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Say(500));
        for _ in 0..4 {
            hours(app, 1).await;
            app.pass(60 * HOUR);
            // What is given up is given up, and then there is silence.
            rounds(app).await;
            app.pass(60 * HOUR);
        }
        assert!(now(app, &to).await.disabled_at.is_none());
    })
    .await;
}
