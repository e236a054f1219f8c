//! What happened to one connection arrives in order; what happened to another waits for nothing.

use std::{collections::BTreeSet, time::Duration};

use claviger_engine::{domain::webhook::Standing, store::trial, vault::KeyRing};

use super::*;
use crate::support::{Options, on_each};

#[tokio::test]
async fn nothing_overtakes_an_earlier_event_of_its_connection() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let (stuck, free) = (connection(app), connection(app));
        let first = tell(app, &stuck, EventKind::ConnectionCreated).await;
        hook.rule(move |told| Rule::Say(if told.id() == first { 500 } else { 200 }));
        tell(app, &stuck, EventKind::ConnectionUpdated).await;
        for kind in [EventKind::ConnectionCreated, EventKind::ConnectionUpdated, EventKind::ConnectionDeleted]
        {
            tell(app, &free, kind).await;
        }
        assert_eq!(rounds(app).await, 4);
        assert_eq!(kinds_of(&hook.seen(), &stuck), ["connection.created"]);
        assert_eq!(
            kinds_of(&hook.seen(), &free),
            ["connection.created", "connection.updated", "connection.deleted"]
        );
        for made in 2..=7 {
            app.pass(Duration::from_secs(12 * 3600));
            assert_eq!(rounds(app).await, 1);
            assert_eq!(kinds_of(&hook.seen(), &stuck), vec!["connection.created"; made]);
        }
        // The last attempt: it is given up, and only then comes what is behind it.
        app.pass(Duration::from_secs(12 * 3600));
        assert_eq!(rounds(app).await, 2);
        assert_eq!(kinds_of(&hook.seen(), &stuck).last(), Some(&"connection.updated"));
        let standings: Vec<_> = deliveries(app, &to).await.iter().map(Standing::of).collect();
        assert_eq!(standings.iter().filter(|s| **s == Standing::Failed).count(), 1);
        assert_eq!(standings.iter().filter(|s| **s == Standing::Delivered).count(), 4);
    })
    .await;
}

#[tokio::test]
async fn after_hours_of_outage_everything_arrives_in_order() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        hook.rule(|_| Rule::Say(503));
        let all: Vec<_> = (0..3).map(|_| connection(app)).collect();
        let life = [
            EventKind::ConnectionCreated,
            EventKind::ConnectionUpdated,
            EventKind::ConnectionExpired,
            EventKind::ConnectionDeleted,
        ];
        for kind in life {
            for of in &all {
                tell(app, of, kind).await;
            }
            for _ in 0..6 {
                round(app).await;
                app.pass(Duration::from_secs(15 * 60));
            }
        }
        let before = hook.seen().len();
        for of in &all {
            assert!(kinds_of(&hook.seen(), of).iter().all(|kind| *kind == "connection.created"));
        }
        hook.rule(|_| Rule::Say(200));
        app.pass(Duration::from_secs(12 * 3600));
        assert_eq!(rounds(app).await, 12);
        let seen = hook.seen().split_off(before);
        for of in &all {
            assert_eq!(kinds_of(&seen, of), life.map(EventKind::as_str));
        }
        assert!(deliveries(app, &to).await.iter().all(|one| Standing::of(one) == Standing::Delivered));
    })
    .await;
}

#[tokio::test]
async fn two_processes_send_each_once_and_in_order() {
    trial::on_each(async |store| {
        let keys = KeyRing::generate().unwrap().expose().to_owned();
        let options = || Options { keys: Some(keys.clone()), ..Options::default() };
        let one = TestApp::start(store.clone(), options()).await;
        let two = TestApp::start(store, options()).await;
        let hook = Hook::start().await;
        let (to, secret) = endpoint(&one, &hook.url).await;
        let all: Vec<_> = (0..20).map(|_| connection(&one)).collect();
        for kind in [EventKind::ConnectionCreated, EventKind::ConnectionUpdated, EventKind::ConnectionDeleted]
        {
            for of in &all {
                tell(&one, of, kind).await;
            }
        }
        loop {
            let (here, there) = tokio::join!(round(&one), round(&two));
            if here + there == 0 {
                break;
            }
        }
        let seen = hook.seen();
        assert_eq!(seen.len(), 60, "each once");
        assert_eq!(seen.iter().map(Told::id).collect::<BTreeSet<_>>().len(), 60);
        for of in &all {
            let order = kinds_of(&seen, of);
            assert_eq!(order, ["connection.created", "connection.updated", "connection.deleted"]);
        }
        assert!(seen.iter().all(|told| told.signed_standard(secret.expose())));
        assert!(deliveries(&one, &to).await.iter().all(|d| (d.attempts, d.next_at) == (1, None)));
        one.stop().await;
        two.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_pass_gives_an_endpoint_eight_at_most_and_another_its_own() {
    on_each(async |app| {
        let (crowded, quiet) = (Hook::start().await, Hook::start().await);
        let (to, _) = endpoint(app, &crowded.url).await;
        for _ in 0..30 {
            tell(app, &connection(app), EventKind::ConnectionCreated).await;
        }
        endpoint(app, &quiet.url).await;
        tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(round(app).await, 9);
        assert_eq!((crowded.seen().len(), quiet.seen().len()), (8, 1));
        assert_eq!(rounds(app).await, 31 - 8);
        assert_eq!(deliveries(app, &to).await.len(), 31);
    })
    .await;
}
