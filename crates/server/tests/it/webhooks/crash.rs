//! A process dies in the middle of a delivery: it arrives all the same, under the same id.

use std::time::Duration;

use claviger_engine::{
    domain::{audit::Actor, webhook::Standing},
    store::{Claim, trial},
};

use super::*;
use crate::support::on_each;

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn between_claim_and_send() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let of = connection(app);
        let first = tell(app, &of, EventKind::ConnectionCreated).await;
        let second = tell(app, &of, EventKind::ConnectionDeleted).await;
        // Another process claims, and is never heard of again.
        let at = app.broker.clock.now();
        let mut conn = app.broker.store.begin(Actor::System, at).await.unwrap();
        let claim = Claim { endpoint: &to.id, limit: 8, lease: "of the dead", until: at.plus(LEASE) };
        assert_eq!(conn.any_claim_deliveries(&claim).await.unwrap().len(), 1);
        conn.commit().await.unwrap();

        app.pass(LEASE - Duration::from_millis(1));
        assert_eq!(rounds(app).await, 0, "it may still be at it");
        app.pass(Duration::from_millis(1));
        assert_eq!(rounds(app).await, 2);
        assert_eq!(hook.seen().iter().map(Told::id).collect::<Vec<_>>(), [first, second]);
    })
    .await;
}

#[tokio::test]
async fn between_send_and_record() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let of = connection(app);
        let first = tell(app, &of, EventKind::ConnectionCreated).await;
        let second = tell(app, &of, EventKind::ConnectionDeleted).await;
        trial::lose_table(&app.broker.store, "delivery_attempt").await;
        assert_eq!(round(app).await, 1, "sent, and no word of it can be written");
        trial::find_table(&app.broker.store, "delivery_attempt").await;
        assert_eq!(rounds(app).await, 0);
        app.pass(LEASE);
        assert_eq!(rounds(app).await, 2);
        assert_eq!(
            hook.seen().iter().map(Told::id).collect::<Vec<_>>(),
            [first.as_str(), first.as_str(), second.as_str()],
            "twice under one id, and before what happened later"
        );
        assert!(deliveries(app, &to).await.iter().all(|one| Standing::of(one) == Standing::Delivered));
    })
    .await;
}

#[tokio::test]
async fn whoever_comes_back_after_its_lease_decides_nothing() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        let made = delivery(app, &to).await;
        hook.rule(|_| Rule::Wait);
        let meanwhile = async {
            hook.saw(1).await;
            // It takes so long that its lease ends, and another process sends it too, in vain.
            app.pass(LEASE);
            hook.rule(|_| Rule::Say(500));
            assert_eq!(round(app).await, 1);
            hook.release();
        };
        let (sent, ()) = tokio::join!(round(app), meanwhile);
        assert_eq!(sent, 1);
        let kept = attempts(app, &made.id).await;
        assert_eq!(
            kept.iter().map(|a| a.status).collect::<Vec<_>>(),
            [Some(500), Some(204)],
            "both are on record"
        );
        let now = delivery(app, &to).await;
        assert_eq!(
            (now.attempts, Standing::of(&now)),
            (1, Standing::Pending),
            "the one with the lease decides"
        );
        hook.rule(|_| Rule::Say(200));
        app.pass(Duration::from_secs(6));
        assert_eq!(rounds(app).await, 1);
        assert_eq!(Standing::of(&delivery(app, &to).await), Standing::Delivered);
    })
    .await;
}
