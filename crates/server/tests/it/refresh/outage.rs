//! A database that fails for a while after the provider was told, or told us: its word is written all the same.

use std::time::Duration;

use claviger_engine::{
    connect,
    domain::{audit::Actor, connection::Status, event::EventKind},
    id::ConnectionId,
    store::trial,
};

use super::{HOUR, Mint};
use crate::support::{TestApp, app::ALL, on_each};

/// Gives a table back after some tries, and lets the next one come.
async fn comes_back(app: &TestApp, table: &'static str) {
    app.pass(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(50)).await;
    trial::find_table(&app.broker.store, table).await;
    app.drift(60).await;
}

async fn kinds(app: &TestApp) -> Vec<EventKind> {
    app.events(&app.acme).await.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_refused_refresh_is_noted_when_the_database_is_back() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.instead.lock().unwrap().push_back((400, r#"{"error":"invalid_grant"}"#));
        app.pass(HOUR);
        trial::lose_table(&app.broker.store, "change_log").await;
        let (answer, ()) = tokio::join!(app.call(&app.acme.key, &id, "/x"), async {
            while !mint.instead.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            comes_back(app, "change_log").await;
        });
        answer.assert_problem(401, "connection_refresh_failed");
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::NeedsReauth);
        let expired = kinds(app).await.into_iter().filter(|kind| *kind == EventKind::ConnectionExpired);
        assert_eq!(expired.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_end_that_the_provider_knows_of_is_written_when_the_database_is_back() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let of = ConnectionId::parse(&id).unwrap();
        let revoked = || mint.up.seen().iter().filter(|seen| seen.target == "/revoke").count();
        trial::lose_table(&app.broker.store, "revocation").await;
        let end = connect::end(&app.broker, &app.acme.workspace, &of, Actor::Cli);
        let (ended, ()) = tokio::join!(end, async {
            while revoked() == 0 {
                tokio::task::yield_now().await;
            }
            comes_back(app, "revocation").await;
        });
        ended.expect("an end");
        let told = revoked();
        let mut conn = app.read().await;
        assert!(conn.connection(&app.acme.workspace, &of).await.unwrap().is_none());
        assert!(conn.credential(&app.acme.workspace, &of).await.unwrap().is_none());
        assert_eq!(conn.revocations(&app.acme.workspace, &ALL).await.unwrap().len(), 1);
        drop(conn);
        let deleted = kinds(app).await.into_iter().filter(|kind| *kind == EventKind::ConnectionDeleted);
        assert_eq!((deleted.count(), revoked()), (1, told), "once, and nobody was asked again");
    })
    .await;
}
