//! A newer program brings the schema further while this one runs: on PostgreSQL, what is added does not stop it. An SQLite
//! file has one serving process, which is stopped first.

use super::*;
use crate::store::{Kind, Topic, trial};

async fn on_postgres(test: impl AsyncFn(Store)) {
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            test(store).await;
        }
    })
    .await;
}

/// Several connections have read and written before.
async fn busy(store: &Store, scene: &Scene) {
    let several = (0..6).map(|_| async { read(store).await.workspace(&scene.ws).await.unwrap() });
    assert!(futures_util::future::join_all(several).await.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_wider_table_is_read_on() {
    on_postgres(async |store| {
        let scene = scene(&store).await;
        busy(&store, &scene).await;
        trial::widen_table(&store, "workspace").await;
        // Each of the connections that had prepared it, and at once.
        busy(&store, &scene).await;
        let mut conn = read(&store).await;
        assert_eq!(conn.any_workspaces().await.unwrap().len(), 2);
        assert!(conn.integration(&scene.ws, &scene.integration.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_wider_table_is_written_on_but_for_what_was_under_way() {
    on_postgres(async |store| {
        let scene = scene(&store).await;
        let change = async || {
            let mut conn = begin(&store).await;
            let is = conn.workspace(&scene.ws).await?.unwrap();
            conn.update_workspace(&scene.ws, "another name", &is.settings).await?;
            conn.commit().await
        };
        change().await.unwrap();
        trial::widen_table(&store, "workspace").await;
        // Within a transaction nothing can be repeated: the first that meets a connection of before fails, whole, and with it
        // all connections of before are given up.
        let mut failed = 0;
        for _ in 0..12 {
            match change().await {
                Ok(()) => {}
                Err(Error::Internal(_)) => failed += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(failed <= 1, "{failed} failed");
        assert_eq!(read(&store).await.workspace(&scene.ws).await.unwrap().unwrap().name, "another name");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_a_kind_that_is_not_known_is_one_of_some_kind() {
    on_each(async |store| {
        let scene = scene(&store).await;
        trial::rename_topics(&store, "of_the_future").await;
        let changes = read(&store).await.any_changes_after(0).await.unwrap();
        assert!(!changes.is_empty() && changes.iter().all(|change| change.topic == Topic::Other));
        assert!(changes.iter().any(|change| change.workspace_id.as_ref() == Some(&scene.ws)));
    })
    .await;
}
