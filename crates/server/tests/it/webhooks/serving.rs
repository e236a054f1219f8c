//! A serving process: it hears of what was committed, and a dead endpoint slows nothing else.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::on_each;

/// Delivers as a serving process does while the story goes on, and stops in order.
async fn serving(app: &TestApp, story: impl AsyncFnOnce()) {
    let stop = CancellationToken::new();
    let running = tokio::spawn(deliver::run(Arc::clone(&app.broker), stop.clone()));
    story().await;
    stop.cancel();
    running.await.unwrap();
    app.broker.tasks.close();
}

#[tokio::test]
async fn what_is_committed_is_sent_at_once() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        serving(app, async || {
            for round in 1..=3 {
                tell(app, &connection(app), EventKind::ConnectionCreated).await;
                hook.saw(round).await;
            }
        })
        .await;
        app.broker.settle(Duration::from_secs(10)).await;
        assert_eq!(hook.seen().len(), 3);
        assert!(deliveries(app, &to).await.iter().all(|one| one.delivered_at.is_some()));
    })
    .await;
}

#[tokio::test]
async fn a_dead_endpoint_holds_its_eight_and_slows_no_other() {
    on_each(async |app| {
        let (dead, alive) = (Hook::start().await, Hook::start().await);
        dead.rule(|_| Rule::Wait);
        let (stuck, _) = endpoint(app, &dead.url).await;
        for _ in 0..40 {
            tell(app, &connection(app), EventKind::ConnectionCreated).await;
        }
        let (to, _) = endpoint(app, &alive.url).await;
        serving(app, async || {
            dead.saw(8).await;
            for _ in 0..30 {
                tell(app, &connection(app), EventKind::ConnectionCreated).await;
            }
            alive.saw(30).await;
            assert_eq!(dead.seen().len(), 8, "no attempt at the dead one ended meanwhile, and none began");
            dead.release();
        })
        .await;
        app.broker.settle(Duration::from_secs(10)).await;
        assert!(deliveries(app, &to).await.iter().all(|one| one.delivered_at.is_some()));
        let arrived = deliveries(app, &stuck).await.iter().filter(|one| one.delivered_at.is_some()).count();
        assert!(arrived >= 8, "what was under way came to its end");
    })
    .await;
}
