//! What is past its time is forgotten, in small steps; what is still needed is not.

use std::time::Duration;

use claviger_engine::{
    domain::{event::EventKind, request_log::RequestLog},
    id::{ConnectionId, IntegrationId, LogId, RequestId},
    retention::{self, Keep, Pruned},
    setup::{self, NewWebhook, WebhookEdit},
    store::{Minutes, Page},
    time::Millis,
};

use crate::support::{Browser, TestApp, app::ALL, on_each, value};

const DAY: Duration = Duration::from_secs(24 * 3600);
const KEEP: Keep = Keep {
    flows: DAY,
    events: DAY.saturating_mul(30),
    request_logs: DAY.saturating_mul(14),
    rollups: DAY.saturating_mul(90),
    request_log_rows: None,
    rollup_rows: None,
};

async fn prune(app: &TestApp) -> Pruned {
    retention::prune(&app.broker, &KEEP).await.unwrap()
}

#[tokio::test]
async fn what_is_past_its_time_is_forgotten_and_the_rest_stays() {
    on_each(async |app| {
        let new = NewWebhook {
            name: "main".to_owned(),
            url: "https://hooks.test/".to_owned(),
            events: EventKind::ALL.to_vec(),
            format: Default::default(),
            secret: None,
        };
        let endpoint = app.change(async |to| Ok(setup::webhook(to, &app.acme.workspace, new).await?.0)).await;
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
        app.broker.logs.flush().await;
        let other = app.tenant("Other").await;
        Browser::new().connect(app, &other, &[]).await.redirect();
        assert_eq!(prune(app).await, Pruned::default(), "nothing is old yet");

        app.pass(2 * DAY);
        let gone = prune(app).await;
        assert_eq!((gone.flows, gone.request_logs, gone.events), (2, 0, 0));
        assert!(gone.changes > 0);
        app.pass(13 * DAY);
        assert_eq!(prune(app).await, Pruned { request_logs: 1, ..Pruned::default() });

        // The other workspace has no endpoint; this one's is still to be told.
        app.pass(16 * DAY);
        assert_eq!(prune(app).await, Pruned { events: 1, ..Pruned::default() });
        app.pass(100 * DAY);
        let sums = Pruned { rollups: 1, ..Pruned::default() };
        assert_eq!(prune(app).await, sums, "an enabled endpoint is told, however late");
        let off = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
        app.change(async |to| setup::update_webhook(to, &endpoint, off).await).await;
        let gone = prune(app).await;
        assert_eq!((gone.events, gone.deliveries), (1, 1), "one that is disabled has had twice as long");

        assert_eq!(app.events(&app.acme).await.len(), 0);
        assert_eq!(app.connections(&app.acme).await.len(), 1, "connections are never forgotten");
        let audits = app.read().await.audits(&app.acme.workspace, &ALL).await.unwrap();
        assert!(audits.iter().any(|row| row.verb == "workspace.create"), "nor who did what");
        let text = app.broker.metrics.text().unwrap();
        for line in [
            "claviger_retention_rows_total{table=\"flow\"} 2",
            "claviger_retention_rows_total{table=\"event\"} 2",
            "claviger_retention_rows_total{table=\"delivery\"} 1",
            "claviger_retention_rows_total{table=\"request_log\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    })
    .await;
}

fn log(app: &TestApp, at: Millis) -> RequestLog {
    RequestLog {
        id: LogId::new(),
        request_id: RequestId::new(),
        workspace_id: app.acme.workspace.clone(),
        api_key_id: None,
        user_id: None,
        customer_id: None,
        connection_id: ConnectionId::new(),
        integration_id: IntegrationId::new(),
        method: "GET".to_owned(),
        path: "/me".to_owned(),
        status: 200,
        error: None,
        attempts: 1,
        bytes_in: 0,
        bytes_out: 0,
        trace_id: None,
        waited_ms: None,
        first_byte_ms: None,
        duration_ms: 1,
        at,
    }
}

#[tokio::test]
async fn what_is_too_much_is_forgotten_oldest_first_and_sums_go_by_their_age_too() {
    on_each(async |app| {
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        for _ in 0..3 {
            assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
            app.broker.logs.flush().await;
            app.pass(Duration::from_secs(60));
        }
        let keep = Keep { request_log_rows: Some(2), rollup_rows: Some(1), ..KEEP };
        let gone = retention::prune(&app.broker, &keep).await.unwrap();
        assert_eq!((gone.request_logs, gone.rollups), (1, 1), "the second minute is one too many, and whole");
        let gone = retention::prune(&app.broker, &keep).await.unwrap();
        assert_eq!((gone.request_logs, gone.rollups), (0, 0));
        let ever = Minutes { from: Millis(0), until: Millis(i64::MAX) };
        let left = app.read().await.call_rollups(&app.acme.workspace, ever, &ALL).await.unwrap();
        let latest = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(left.len(), 2);
        assert!(
            left[0].key.minute <= latest[0].at
                && latest[0].at < left[0].key.minute.plus(Duration::from_secs(60))
        );
        app.pass(91 * DAY);
        assert_eq!(prune(app).await.rollups, 2);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_rows_go_at_a_time_and_others_get_their_turn() {
    on_each(async |app| {
        let now = app.broker.clock.now();
        let logs: Vec<_> = (0..4500).map(|_| log(app, now)).collect();
        app.change(async |to| to.conn.any_add_request_logs(&logs).await).await;
        app.pass(15 * DAY);
        let from = async |offset, limit| {
            let page = Page { offset, limit };
            app.read().await.request_logs(&app.acme.workspace, &page).await.unwrap().len()
        };
        // A write of another's gets through in the middle of it; then it is cut off.
        let others = async {
            while from(4499, 1).await == 1 {}
            app.register(&app.acme, "https://app.test/meanwhile").await;
        };
        tokio::select! {
            biased;
            () = others => {}
            pruned = prune(app) => panic!("all at once: {pruned:?}"),
        }
        let rest = from(0, 5000).await;
        assert!(rest < 4500 && rest % 1000 == 500, "whole batches are gone: {rest}");
        assert_eq!(prune(app).await.request_logs, i64::try_from(rest).unwrap());
    })
    .await;
}
