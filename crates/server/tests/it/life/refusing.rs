//! A database that takes no write, at the point where a refresh needs it: nothing is sent, whoever has a good token calls
//! on, and afterwards all is well. The same with whole processes and real disks and lines: e2e/tests/test_refusing.py.

use std::time::Duration;

use claviger_engine::{
    domain::{connection::Status, event::EventKind},
    store::trial,
};

use crate::{
    refresh::mint::Mint,
    support::{Browser, TestApp, on_each},
};

const HOUR: Duration = Duration::from_secs(3600);
/// What only a refresh writes.
const WRITTEN: &str = "refresh_intent";

async fn assert_well(app: &TestApp, mint: &Mint, id: &str) {
    trial::find_table(&app.broker.store, WRITTEN).await;
    app.drift(60).await;
    let answer = app.call(&app.acme.key, id, "/x").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(mint.spent(), ["refresh-1"], "refreshed once, when it could be");
    let connection = app.connection(&app.acme, id).await;
    assert_eq!((connection.status, connection.status_reason), (Status::Active, None));
    let events = app.events(&app.acme).await;
    assert!(
        events.iter().all(|event| event.kind == EventKind::ConnectionCreated),
        "nobody was told anything"
    );
}

#[tokio::test]
async fn a_refresh_that_can_t_be_written_down_is_not_made() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        trial::lose_table(&app.broker.store, WRITTEN).await;
        for _ in 0..3 {
            app.call(&app.acme.key, &id, "/x").await.assert_problem(500, "internal_error");
        }
        assert_eq!((mint.spent().len(), mint.used().len()), (0, 0), "nothing was sent to anybody");
        assert_well(app, &mint, &id).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_still_good_is_used_meanwhile() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR - Duration::from_secs(200));
        trial::lose_table(&app.broker.store, WRITTEN).await;
        for _ in 0..3 {
            let answer = app.call(&app.acme.key, &id, "/x").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(mint.used(), ["Bearer access-1"; 3]);
        assert_eq!(mint.spent().len(), 0);
        assert_well(app, &mint, &id).await;
    })
    .await;
}

#[tokio::test]
async fn a_401_that_nothing_can_be_done_about_is_the_providers_answer() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-1".into());
        app.pass(Duration::from_secs(61));
        trial::lose_table(&app.broker.store, WRITTEN).await;
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401);
        assert_eq!((mint.spent().len(), mint.used().len()), (0, 1));
        assert_well(app, &mint, &id).await;
    })
    .await;
}

#[tokio::test]
async fn readiness_wants_a_write_that_lasts() {
    on_each(async |app| {
        let ready = async || Browser::new().get(&format!("{}/readyz", app.origin)).await;
        assert_eq!(ready().await.status, 200);
        // Whatever lies in the way of a commit is noticed, not what lies in the way of a statement alone.
        let count = async || {
            let all = trial::contents(&app.broker.store).await;
            all.into_iter().find(|(place, _)| place == "change_head.checked").expect("it is counted").1
        };
        let before = count().await;
        assert_eq!(ready().await.status, 200);
        assert_ne!(count().await, before, "it was kept");
        trial::lose_table(&app.broker.store, "change_head").await;
        let answer = ready().await;
        assert_eq!((answer.status.as_u16(), answer.json()["database"].as_str()), (503, Some("failing")));
        trial::find_table(&app.broker.store, "change_head").await;
        assert_eq!(ready().await.status, 200);
    })
    .await;
}
