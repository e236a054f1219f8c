//! A connection ends while another process refreshes it.

use std::time::Duration;

use claviger_engine::{connect, error::Error, store::Lease};

use super::*;

/// Another process takes the refresh of a connection, for so long.
async fn taken(app: &TestApp, id: &ConnectionId, lease: Duration) {
    let now = app.broker.clock.now();
    let lease = Lease { owner: "another process", now, until: now.plus(lease) };
    let fence = app.change(async |to| to.conn.take_refresh(&app.acme.workspace, id, lease).await).await;
    assert!(fence.is_some());
}

async fn end(app: &TestApp, id: &ConnectionId) {
    connect::end(&app.broker, &app.acme.workspace, id, Actor::Cli).await.expect("it ends");
}

#[tokio::test]
async fn an_end_waits_for_the_refresh_of_another_process() {
    on_each(async |app| {
        let id = connect_as(app, "o", "alice").await;
        app.pass(Duration::from_secs(1));
        taken(app, &id, Duration::from_secs(45)).await;
        let refreshing = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(app.sandbox.stats().await.revoke_requests, 0, "it waits");
            let ws = &app.acme.workspace;
            app.change(async |to| to.conn.leave_refresh(ws, &id, "another process").await).await;
        };
        tokio::join!(end(app, &id), refreshing);
        assert!(app.sandbox.stats().await.revocations >= 1);
        assert!(app.connections(&app.acme).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_end_waits_no_longer_than_the_lease_of_a_process_that_died() {
    on_each(async |app| {
        let id = connect_as(app, "o", "alice").await;
        taken(app, &id, Duration::from_secs(45)).await;
        let dying = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            app.pass(Duration::from_secs(46));
        };
        tokio::join!(end(app, &id), dying);
        assert!(app.connections(&app.acme).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn nobody_refreshes_a_connection_that_is_ending() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        let id = connect_at(app, &at, "o").await;
        stub.reply("/revoke", Reply::Hang);
        let looking = async {
            while !stub.seen().iter().any(|seen| seen.path == "/revoke") {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let now = app.broker.clock.now();
            let lease = Lease { owner: "another process", now, until: now.plus(Duration::from_secs(45)) };
            let ws = &app.acme.workspace;
            app.change(async |to| to.conn.take_refresh(ws, &id, lease).await).await
        };
        let fence = tokio::select! {
            () = end(app, &id) => panic!("the provider hangs"),
            fence = looking => fence,
        };
        assert_eq!(fence, None);
    })
    .await;
}

#[tokio::test]
async fn one_that_was_to_end_and_lives_on_keeps_its_grant() {
    on_each(async |app| {
        let (lives, ends) = (connect_as(app, "a", "alice").await, connect_as(app, "b", "alice").await);
        // Its process said so, and died.
        let ws = &app.acme.workspace;
        app.change(async |to| to.conn.mark_ending(ws, &lives).await).await;
        app.pass(Duration::from_secs(3601));
        end(app, &ends).await;
        assert_eq!(app.sandbox.stats().await.revocations, 0, "its grant is another's as well");
        assert_eq!(app.call(&app.acme.key, lives.as_str(), "/me").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn one_whose_end_failed_keeps_its_grant() {
    on_each(async |app| {
        let (lives, ends) = (connect_as(app, "a", "alice").await, connect_as(app, "b", "alice").await);
        app.pass(Duration::from_secs(1));
        trial::lose_table(&app.broker.store, "refresh_state").await;
        let failed = connect::end(&app.broker, &app.acme.workspace, &lives, Actor::Cli).await;
        assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
        trial::find_table(&app.broker.store, "refresh_state").await;
        end(app, &ends).await;
        assert_eq!(app.sandbox.stats().await.revocations, 0, "its grant is another's as well");
        assert_eq!(app.call(&app.acme.key, lives.as_str(), "/me").await.status, 200);
    })
    .await;
}
