//! What is a failure, what is kept of it, and when it is tried again.

use std::time::Duration;

use claviger_engine::domain::webhook::{DisabledReason, Standing};
use tokio::net::TcpListener;

use super::*;
use crate::support::{Options, on_each, on_each_with};

/// Between the attempts, without the spread.
const WAITS: [u64; 7] = [5, 300, 1800, 7200, 18000, 36000, 36000];

/// Long enough for any wait of the schedule to be over, spread and all.
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn every_answer_but_2xx_is_a_failure_and_is_kept() {
    on_each(async |app| {
        let (hook, elsewhere) = (Hook::start().await, Hook::start().await);
        let (to, _) = endpoint(app, &hook.url).await;
        let target = elsewhere.url.clone();
        let mut codes = vec![301, 302, 303, 307, 308, 400, 404, 429, 500, 503].into_iter();
        hook.rule(move |_| {
            let code = codes.next().unwrap();
            Rule::Write(code, ("location", target.clone()), format!("no: {code}").into_bytes())
        });
        for code in [301, 302, 303, 307, 308, 400, 404, 429, 500, 503] {
            tell(app, &connection(app), EventKind::ConnectionCreated).await;
            assert_eq!(round(app).await, 1);
            let last = deliveries(app, &to).await.pop().unwrap();
            assert_eq!((last.attempts, Standing::of(&last)), (1, Standing::Pending), "{code}");
            assert!(last.next_at > Some(app.broker.clock.now()));
            let kept = attempts(app, &last.id).await.remove(0);
            assert_eq!((kept.status, kept.error), (Some(code), None));
            assert_eq!(kept.answer, Some(format!("no: {code}")));
        }
        assert!(elsewhere.seen().is_empty(), "no redirect was followed");
    })
    .await;
}

#[tokio::test]
async fn of_an_answer_the_first_kilobyte_is_kept_as_text() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Write(500, ("x-a", "b".into()), [&b"a\0b\x1bc"[..], &[b'x'; 200_000]].concat()));
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(round(app).await, 1);
        let kept = attempts(app, &delivery(app, &to).await.id).await.remove(0);
        assert_eq!(kept.answer.unwrap(), format!("abc{}", "x".repeat(1024 - 5)));
    })
    .await;
}

#[tokio::test]
async fn no_answer_is_a_failure_that_says_why() {
    let hasty = || {
        let mut options = Options::default();
        options.outbound.header_timeout = Duration::from_millis(300);
        options
    };
    on_each_with(hasty, async |app| {
        let hangs = Hook::start().await;
        hangs.rule(|_| Rule::Hang);
        let nobody = {
            let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}/hook", taken.local_addr().unwrap())
        };
        let mut all = Vec::new();
        for url in [hangs.url.as_str(), &nobody, "https://10.1.2.3/hook", "https://169.254.169.254/latest"] {
            all.push(endpoint(app, url).await.0);
        }
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(round(app).await, 4);
        let mut said = Vec::new();
        for to in &all {
            let failed = delivery(app, to).await;
            assert_eq!((failed.attempts, Standing::of(&failed)), (1, Standing::Pending), "{}", to.url);
            let kept = attempts(app, &failed.id).await.remove(0);
            assert_eq!((kept.status, kept.answer), (None, None));
            said.push(kept.error.unwrap());
        }
        assert_eq!(hangs.seen().len(), 1);
        for (text, word) in said.iter().zip(["in time", "refused", "private address", "not allowed"]) {
            assert!(text.contains(word), "{text} says {word}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_tried_eight_times_over_a_day_and_given_up() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Say(500));
        let id = tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(rounds(app).await, 1, "at once");
        for (made, wait) in (1..).zip(WAITS) {
            let wait = Duration::from_secs(wait);
            app.pass(wait - Duration::from_millis(1));
            assert_eq!(rounds(app).await, 0, "never earlier: after {made}");
            app.pass(wait / 5 + Duration::from_millis(1));
            assert_eq!(rounds(app).await, 1, "after {made}");
        }
        app.pass(30 * DAY);
        assert_eq!(rounds(app).await, 0);
        let given_up = delivery(app, &to).await;
        assert_eq!((given_up.attempts, Standing::of(&given_up)), (8, Standing::Failed));
        let kept = attempts(app, &given_up.id).await;
        assert_eq!(kept.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(kept.is_sorted_by_key(|a| a.at));
        let seen = hook.seen();
        assert!(seen.iter().all(|told| told.id() == id));
        let mut stamps: Vec<_> = seen.iter().map(|told| told.header("bundleup-signature")).collect();
        stamps.dedup();
        assert_eq!(stamps.len(), 8, "stamped and signed anew each time");
        // Asked for again, it has all its attempts before it.
        hook.rule(|_| Rule::Say(200));
        app.change(async |c| c.conn.requeue_delivery(&app.acme.workspace, &to.id, &given_up.id).await).await;
        assert_eq!(rounds(app).await, 1);
        assert_eq!(Standing::of(&delivery(app, &to).await), Standing::Delivered);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_it_is_enabled_again() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Say(410));
        let waits = tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(rounds(app).await, 1);
        let gone = now(app, &to).await;
        assert_eq!(gone.disabled_reason, Some(DisabledReason::Gone));
        assert_eq!(gone.disabled_at, Some(app.broker.clock.now()));
        let audits = app.read().await.audits(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
        assert!(audits.iter().any(|row| row.verb == "webhook_endpoint.disable" && row.actor == "system"));
        tell(app, &connection(app), EventKind::ConnectionUpdated).await;
        app.pass(DAY);
        assert_eq!(rounds(app).await, 0);
        assert_eq!(deliveries(app, &to).await.len(), 1, "what happens meanwhile is not for it");

        hook.rule(|_| Rule::Say(200));
        edit(app, &to, WebhookEdit { active: Some(true), ..WebhookEdit::default() }).await;
        assert_eq!(rounds(app).await, 1);
        assert_eq!(hook.seen()[1].id(), waits);
        assert_eq!(Standing::of(&delivery(app, &to).await), Standing::Delivered);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_endpoint_gets_what_waited_when_it_is_enabled_again() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let before = tell(app, &connection(app), EventKind::ConnectionCreated).await;
        edit(app, &to, WebhookEdit { active: Some(false), ..WebhookEdit::default() }).await;
        tell(app, &connection(app), EventKind::ConnectionUpdated).await;
        app.pass(30 * DAY);
        assert_eq!(rounds(app).await, 0);
        edit(app, &to, WebhookEdit { active: Some(true), ..WebhookEdit::default() }).await;
        let after = tell(app, &connection(app), EventKind::ConnectionDeleted).await;
        assert_eq!(rounds(app).await, 2);
        let mut ids: Vec<_> = hook.seen().iter().map(|told| told.id().to_owned()).collect();
        ids.sort();
        assert_eq!(ids, [before, after]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_removed_while_it_is_being_sent_to_leaves_nothing() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Wait);
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        let made = delivery(app, &to).await;
        let meanwhile = async {
            hook.saw(1).await;
            app.change(async |c| c.conn.delete_endpoint(&app.acme.workspace, &to.id).await).await;
            hook.release();
        };
        let (sent, ()) = tokio::join!(round(app), meanwhile);
        assert_eq!(sent, 1);
        assert!(attempts(app, &made.id).await.is_empty());
        app.pass(DAY);
        assert_eq!(rounds(app).await, 0);
    })
    .await;
}
