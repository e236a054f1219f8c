//! Processes: keys are rotated only when every process that serves is ready for it.

use super::*;

fn process_with(keys: &[&str], at: Millis) -> Process {
    Process {
        id: ProcessId::new(),
        version: "0".into(),
        key_ids: keys.iter().map(|&key| key.to_owned()).collect(),
        started_at: at,
        seen_at: at,
    }
}

/// A process that says of itself what it likes.
async fn announce(broker: &Broker, keys: &[&str]) -> Process {
    let now = broker.clock.now();
    let process = process_with(keys, now);
    let mut conn = broker.store.begin(Actor::System, now).await.unwrap();
    conn.any_announce_process(&process).await.unwrap();
    conn.commit().await.unwrap();
    process
}

fn conflict(result: claviger_engine::error::Result<rotate::Report>) -> String {
    match result {
        Err(Error::Conflict { message }) => message,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

#[tokio::test]
async fn processes_that_are_not_ready_are_named_and_nothing_is_touched() {
    on_each_old(async |app| {
        fill(app).await;
        let middle = beside(app, both()).await;
        let all = under(app, "k1").await;
        let refused = async || conflict(rotate(&middle.broker, |_| {}).await);
        let ready = announce(&middle.broker, &["k2", "k1"]).await;
        let lacks = announce(&middle.broker, &["k1"]).await;
        let message = refused().await;
        assert!(message.contains(&format!("{} holds k1 only", lacks.id)), "{message}");
        assert!(!message.contains(ready.id.as_str()) && message.contains("Restart"), "{message}");
        assert_eq!(conflict(rotate::rehearse(&middle.broker, |_| {}).await), message);

        // Silent for long enough, it counts as gone.
        middle.pass(process::ALIVE);
        assert!(refused().await.contains(lacks.id.as_str()));
        middle.pass(Duration::from_millis(1));
        let seals = announce(&middle.broker, &["k1", "k2"]).await;
        let message = refused().await;
        assert!(message.contains(seals.id.as_str()) && message.contains("seals with"), "{message}");
        assert!(!message.contains(lacks.id.as_str()), "{message}");
        assert_eq!(under(app, "k1").await, all);
        middle.pass(process::ALIVE + Duration::from_millis(1));
        assert_eq!(rotated(&middle.broker).await, all);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_comes_in_the_middle_stops_it() {
    on_each_old(async |app| {
        bulk(app, 250).await;
        let middle = beside(app, both()).await;
        // Holds what the first batch is about to change, and tells of itself when it lets go.
        let now = app.broker.clock.now();
        let mut conn = app.broker.store.begin(Actor::System, now).await.unwrap();
        let acme = conn.workspace(&app.acme.workspace).await.unwrap().unwrap();
        conn.update_workspace(&acme.id, &acme.name, &acme.settings).await.unwrap();
        conn.any_announce_process(&process_with(&["k1"], now)).await.unwrap();
        let broker = middle.broker.clone();
        let running = tokio::spawn(async move { rotate(&broker, |_| {}).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        conn.commit().await.unwrap();
        assert!(conflict(running.await.unwrap()).contains("holds k1 only"));
        assert!(under(app, "k1").await > 0);
        assert_eq!(opened(app, &both()).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_serving_process_is_there_from_before_its_start_until_after_its_end() {
    on_each_old(async |app| {
        let middle = beside(app, both()).await;
        let presence = process::announce(&app.broker).await.unwrap();
        let other = process::announce(&middle.broker).await.unwrap();
        let alive = process::alive(&app.broker).await.unwrap();
        let mut keys: Vec<_> = alive.iter().map(|process| process.key_ids.join(",")).collect();
        keys.sort();
        assert_eq!(keys, ["k1", "k2,k1"]);
        assert!(conflict(rotate(&middle.broker, |_| {}).await).contains("holds k1 only"));
        presence.leave().await;
        rotated(&middle.broker).await;
        other.leave().await;
        assert_eq!(process::alive(&app.broker).await.unwrap(), []);
        let all = trial::contents(&app.broker.store).await;
        assert!(all.iter().all(|(place, _)| !place.starts_with("process.")), "no row stays");
    })
    .await;
}

#[tokio::test]
async fn a_serving_process_says_again_and_again_that_it_lives() {
    on_each_old(async |app| {
        let presence = process::announce(&app.broker).await.unwrap();
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        for _ in 0..2 {
            let silent = app.broker.clock.now().plus(process::ALIVE);
            // Each second of the clock takes a moment: it is heard of again long after one beat would be forgotten.
            while !process::alive(&app.broker).await.unwrap().iter().any(|one| one.seen_at > silent) {
                assert!(std::time::Instant::now() < limit, "it is silent");
                app.pass(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        presence.leave().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_took_no_leave_goes_out_of_date() {
    on_each_old(async |app| {
        drop(process::announce(&app.broker).await.unwrap());
        assert_eq!(process::alive(&app.broker).await.unwrap().len(), 1);
        for _ in 0..60 {
            app.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(process::alive(&app.broker).await.unwrap(), []);
    })
    .await;
}
