//! Lines: what waits behind a delivery, what is put back, and what goes with its endpoint.

use super::{
    deliveries::{attempt, claim, settle, told},
    webhooks::endpoint,
    *,
};
use crate::{
    domain::webhook::{DisabledReason, Endpoint},
    id::{DeliveryId, EndpointId},
    store::{After, Kind},
};

/// An endpoint and deliveries to it about one connection, first to last.
async fn line(store: &Store, scene: &Scene, length: usize) -> (Endpoint, Connection, Vec<DeliveryId>) {
    let to = endpoint(&scene.ws, &EventKind::ALL);
    let of = connection(&scene.ws, &scene.integration.id, None);
    let mut conn = begin(store).await;
    conn.create_endpoint(&scene.ws, &to).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..length {
        ids.push(told(&mut conn, &of, &to, T0).await.id);
    }
    conn.commit().await.unwrap();
    (to, of, ids)
}

/// When each is due, and its place.
async fn due(
    store: &Store,
    ws: &WorkspaceId,
    to: &EndpointId,
    ids: &[DeliveryId],
) -> Vec<(Option<Millis>, i64)> {
    let mut conn = read(store).await;
    let mut all = Vec::new();
    for id in ids {
        let found = conn.delivery(ws, to, id).await.unwrap().unwrap().delivery;
        all.push((found.next_at, found.nth));
    }
    all
}

#[tokio::test]
async fn what_waits_behind_a_failed_one_is_not_looked_at_before_it() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let ws = &scene.ws;
        let (to, of, ids) = line(&store, &scene, 4).await;
        let (elsewhere, _, others) = line(&store, &scene, 2).await;
        let mut conn = begin(&store).await;
        let apart = told(&mut conn, &connection(ws, &scene.integration.id, None), &to, T0).await.id;
        conn.commit().await.unwrap();
        let at = |seconds| Some(later(seconds));
        let times = async |ids: &[DeliveryId]| {
            due(&store, ws, &to.id, ids).await.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
        };

        claim(&store, &to.id, 8, "a", T0).await;
        assert!(!settle(&store, ws, &ids[0], "lost", After::Again(later(900))).await);
        assert_eq!(times(&ids[1..]).await, [Some(T0); 3], "a lost lease moves nobody");
        assert!(settle(&store, ws, &ids[0], "a", After::Again(later(50))).await);
        assert_eq!(times(&ids).await, [at(50); 4]);
        assert_eq!(times(&[apart]).await, [at(60)], "another line");
        let there = due(&store, ws, &elsewhere.id, &others).await;
        assert_eq!(there, [(Some(T0), 1), (Some(T0), 2)], "another endpoint");

        // What comes later is due at once and still waits; it is moved with the next attempt.
        let mut conn = begin(&store).await;
        let late = told(&mut conn, &of, &to, later(20)).await.id;
        conn.commit().await.unwrap();
        assert!(claim(&store, &to.id, 8, "b", later(49)).await.is_empty());
        assert_eq!(claim(&store, &to.id, 8, "c", later(50)).await, ids[..1]);
        assert!(settle(&store, ws, &ids[0], "c", After::Again(later(500))).await);
        assert_eq!(times(&[ids[1].clone(), late]).await, [at(500); 2]);

        // Put back in line, it arrives early: the next goes at once, and when that is given up the one behind it.
        let mut conn = store.begin(Actor::Cli, later(5)).await.unwrap();
        assert!(conn.requeue_delivery(ws, &to.id, &ids[0]).await.unwrap());
        conn.commit().await.unwrap();
        assert_eq!(claim(&store, &to.id, 8, "d", later(5)).await, ids[..1]);
        let none = std::time::Duration::ZERO;
        let woken = async || tokio::time::timeout(none, store.deliverable()).await.is_ok();
        woken().await;
        assert!(settle(&store, ws, &ids[0], "d", After::Delivered).await);
        assert_eq!(times(&ids[..3]).await, [None, at(9), at(500)]);
        assert!(woken().await, "whoever sends is told");
        assert_eq!(claim(&store, &to.id, 8, "e", later(9)).await, ids[1..2]);
        assert!(settle(&store, ws, &ids[1], "e", After::GivenUp).await);
        assert_eq!(times(&ids[1..4]).await, [None, at(9), at(500)]);
        assert_eq!(claim(&store, &to.id, 8, "f", later(9)).await, ids[2..3]);
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_again_holds_up_nothing_that_is_newer() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let ws = &scene.ws;
        let (to, _, ids) = line(&store, &scene, 3).await;
        for (id, lease, after) in [(&ids[0], "a", After::Delivered), (&ids[1], "b", After::GivenUp)] {
            claim(&store, &to.id, 8, lease, later(9)).await;
            assert!(settle(&store, ws, id, lease, after).await);
        }
        let requeue = async |id| {
            let mut conn = store.begin(Actor::Cli, later(10)).await.unwrap();
            assert!(conn.requeue_delivery(ws, &to.id, id).await.unwrap());
            conn.commit().await.unwrap();
        };
        requeue(&ids[0]).await;
        requeue(&ids[1]).await;
        requeue(&ids[2]).await;
        let now = Some(later(10));
        assert_eq!(due(&store, ws, &to.id, &ids).await, [(now, 4), (now, 5), (now, 3)]);
        requeue(&ids[0]).await;
        assert_eq!(due(&store, ws, &to.id, &ids[..1]).await, [(now, 4)], "one that waits keeps its place");
        assert_eq!(claim(&store, &to.id, 8, "c", later(10)).await, ids[2..]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_goes_is_emptied_bit_by_bit() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, other) = (&scene.ws, &scene.other);
        let (to, _, ids) = line(&store, &scene, 5).await;
        let (elsewhere, _, others) = line(&store, &scene, 1).await;
        let mut conn = begin(&store).await;
        assert!(conn.add_attempt(ws, &attempt(&ids[0], Some(500))).await.unwrap());
        assert!(!conn.retire_endpoint(other, &to.id).await.unwrap());
        assert_eq!(conn.drop_deliveries(other, &to.id, 9).await.unwrap(), 0);
        assert!(conn.endpoint(ws, &to.id).await.unwrap().unwrap().disabled_at.is_none());
        assert!(conn.retire_endpoint(ws, &to.id).await.unwrap());
        conn.commit().await.unwrap();
        let retired = read(&store).await.endpoint(ws, &to.id).await.unwrap().unwrap();
        assert_eq!((retired.disabled_at, retired.disabled_reason), (Some(T0), Some(DisabledReason::Asked)));
        let wanted = read(&store).await.endpoints_for(ws, EventKind::ConnectionUpdated).await.unwrap();
        assert_eq!(wanted.iter().map(|one| &one.id).collect::<Vec<_>>(), [&elsewhere.id]);

        let mut conn = begin(&store).await;
        for dropped in [2, 2, 1, 0] {
            assert_eq!(conn.drop_deliveries(ws, &to.id, 2).await.unwrap(), dropped);
        }
        assert!(conn.attempts(ws, &ids[0]).await.unwrap().is_empty());
        conn.commit().await.unwrap();
        assert_eq!(due(&store, ws, &elsewhere.id, &others).await, [(Some(T0), 1)]);
        let gone = Endpoint {
            disabled_reason: Some(DisabledReason::Gone),
            disabled_at: Some(later(1)),
            ..elsewhere
        };
        let mut conn = begin(&store).await;
        conn.update_endpoint(ws, &gone).await.unwrap();
        assert!(conn.retire_endpoint(ws, &gone.id).await.unwrap());
        let still = conn.endpoint(ws, &gone.id).await.unwrap().unwrap();
        assert_eq!((still.disabled_at, still.disabled_reason), (gone.disabled_at, gone.disabled_reason));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_whose_delivery_goes_meanwhile_ends_its_transaction() {
    on_each(async |store| {
        if store.kind() == Kind::Sqlite {
            return; // It has one writer.
        }
        let scene = scene(&store).await;
        let (to, _, ids) = line(&store, &scene, 1).await;
        let mut removal = begin(&store).await;
        assert_eq!(removal.drop_deliveries(&scene.ws, &to.id, 1).await.unwrap(), 1);
        let (elsewhere, ws, made) = (store.clone(), scene.ws.clone(), attempt(&ids[0], Some(200)));
        let kept = tokio::spawn(async move { begin(&elsewhere).await.add_attempt(&ws, &made).await });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(!kept.is_finished(), "it waits for the removal");
        removal.commit().await.unwrap();
        let kept = kept.await.unwrap();
        assert!(matches!(kept, Err(Error::Internal(_))), "nothing more can be done in it: {kept:?}");
    })
    .await;
}
