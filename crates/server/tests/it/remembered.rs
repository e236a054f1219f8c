//! What is remembered between calls: a call asks the database nothing, and still knows what changed.

use std::time::Duration;

use claviger_engine::{
    id::ConnectionId,
    store::{Store, trial},
    watch::{self, Look},
};

use crate::support::{Browser, Options, TestApp, on_each, value};

/// The root key of every process.
const KEY: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// What a call hangs on.
const TABLES: [&str; 4] = ["api_key", "connection", "integration", "credential"];

async fn connected(app: &TestApp) -> String {
    let done = Browser::new()
        .connect(app, &app.acme, &[("integration_id", "sandbox"), ("external_id", "one")])
        .await;
    value(&done.redirect().1, "connection_id").to_owned()
}

async fn status(app: &TestApp, connection: &str) -> u16 {
    app.call(&app.acme.key, connection, "/me").await.status.as_u16()
}

#[tokio::test]
async fn a_second_call_asks_the_database_nothing() {
    on_each(async |app| {
        let connection = connected(app).await;
        assert_eq!(status(app, &connection).await, 200);
        for table in TABLES {
            trial::lose_table(&app.broker.store, table).await;
        }
        for _ in 0..3 {
            assert_eq!(status(app, &connection).await, 200, "it is all remembered");
        }
        assert_eq!(
            app.call("ck_one_that_nobody_has_seen_before", &connection, "/me").await.status,
            500,
            "what is not has to be read"
        );
        for table in TABLES {
            trial::find_table(&app.broker.store, table).await;
        }
        let metrics = app.broker.metrics.text().unwrap();
        for line in ["claviger_proxy_cache_hits_total 3", "claviger_proxy_cache_misses_total 1"] {
            assert!(metrics.contains(line), "{line}");
        }
    })
    .await;
}

/// As long as a token is good it is remembered, and no longer.
#[tokio::test]
async fn a_remembered_token_is_refreshed_when_its_time_comes() {
    on_each(async |app| {
        let connection = connected(app).await;
        assert_eq!(status(app, &connection).await, 200);
        let version = async || {
            let id = ConnectionId::parse(&connection).unwrap();
            app.read().await.credential(&app.acme.workspace, &id).await.unwrap().unwrap().version
        };
        let before = version().await;
        app.pass(Duration::from_secs(7200));
        assert_eq!(status(app, &connection).await, 200);
        assert_eq!(version().await, before + 1);
    })
    .await;
}

/// Two processes, each with a store of its own.
#[tokio::test]
async fn what_another_process_changed_is_known_with_the_next_look() {
    for database in trial::databases().await {
        let (here, there) =
            (Store::open(&database.url).await.unwrap(), Store::open(&database.url).await.unwrap());
        here.migrate().await.unwrap();
        let options = || Options { keys: Some(KEY.to_owned()), ..Options::default() };
        let app = TestApp::start(here.clone(), options()).await;
        let other = TestApp::start(there.clone(), options()).await;
        let mut look = Look::new();
        watch::once(&app.broker, &mut look).await.unwrap();
        let connection = connected(&app).await;
        let id = ConnectionId::parse(&connection).unwrap();
        assert_eq!(status(&app, &connection).await, 200);

        let freeze = async |at| {
            other.change(async |to| to.conn.freeze_connection(&app.acme.workspace, &id, at).await).await;
        };
        freeze(Some(other.broker.clock.now())).await;
        watch::once(&app.broker, &mut look).await.unwrap();
        assert_eq!(status(&app, &connection).await, 403, "it is frozen");
        freeze(None).await;
        assert_eq!(status(&app, &connection).await, 200, "what would refuse is read again");

        other.change(async |to| to.conn.delete_connection(&app.acme.workspace, &id).await).await;
        watch::once(&app.broker, &mut look).await.unwrap();
        assert_eq!(status(&app, &connection).await, 400, "it is gone");
        app.stop().await;
        other.stop().await;
        here.close().await;
        there.close().await;
        database.remove().await;
    }
}

/// Whoever shows a key of another workspace does not profit from what is remembered.
#[tokio::test]
async fn what_is_remembered_of_one_workspace_is_not_there_for_another() {
    on_each(async |app| {
        let connection = connected(app).await;
        assert_eq!(status(app, &connection).await, 200);
        let stranger = app.tenant("Stranger").await;
        let answer = app.call(&stranger.key, &connection, "/me").await;
        answer.assert_problem(400, "connection_invalid");
    })
    .await;
}
