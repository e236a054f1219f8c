//! The unit of work: all or nothing, and the change log that commits write.

use super::*;
use crate::store::Topic;

#[tokio::test]
async fn dropped_means_undone() {
    on_each(async |store| {
        let ws = workspace("one");
        let mut conn = begin(&store).await;
        conn.create_workspace(&ws).await.unwrap();
        assert!(conn.workspace(&ws.id).await.unwrap().is_some());
        drop(conn);
        let mut conn = read(&store).await;
        assert!(conn.workspace(&ws.id).await.unwrap().is_none());
        assert!(conn.audits(&ws.id, &ALL).await.unwrap().is_empty());
        assert_eq!(conn.any_last_change().await.unwrap(), 0);
        drop(conn);
        // The writer is free again.
        let mut conn = begin(&store).await;
        conn.create_workspace(&ws).await.unwrap();
        conn.commit().await.unwrap();
        assert!(read(&store).await.workspace(&ws.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_connection_for_reading_changes_nothing() {
    on_each(async |store| {
        let ws = workspace("one");
        assert!(matches!(read(&store).await.create_workspace(&ws).await, Err(Error::Internal(_))));
        read(&store).await.commit().await.unwrap();
        assert!(read(&store).await.any_workspaces().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn commits_number_what_changed() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let mut conn = read(&store).await;
        let seen = conn.any_last_change().await.unwrap();
        let all = conn.any_changes_after(0).await.unwrap();
        assert_eq!(all.iter().map(|c| c.seq).collect::<Vec<_>>(), (1..=seen).collect::<Vec<_>>());
        drop(conn);

        let key = api_key(&scene.ws, "ck_00000000");
        let mut conn = begin(&store).await;
        conn.create_api_key(&scene.ws, &key).await.unwrap();
        conn.revoke_api_key(&scene.ws, &key.id, later(1)).await.unwrap();
        conn.update_workspace(&scene.other, "two", &Settings::default()).await.unwrap();
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        let new = conn.any_changes_after(seen).await.unwrap();
        let got: Vec<_> =
            new.iter().map(|c| (c.seq, c.workspace_id.as_ref(), c.topic, c.target.as_str())).collect();
        assert_eq!(
            got,
            [
                (seen + 1, Some(&scene.ws), Topic::ApiKey, key.id.as_str()),
                (seen + 2, Some(&scene.other), Topic::Workspace, scene.other.as_str()),
            ]
        );
        assert_eq!(conn.any_last_change().await.unwrap(), seen + 2);
        drop(conn);

        let mut conn = begin(&store).await;
        assert_eq!(conn.any_purge_changes(T0, 100).await.unwrap(), 0);
        assert_eq!(conn.any_purge_changes(later(1), 100).await.unwrap(), seen + 2);
        conn.commit().await.unwrap();
        // The numbers go on where they were.
        assert_eq!(read(&store).await.any_last_change().await.unwrap(), seen + 2);
    })
    .await;
}

#[tokio::test]
async fn changes_become_visible_in_order_under_load() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (store, ws) = (store.clone(), scene.ws.clone());
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let mut conn = begin(&store).await;
                        conn.update_workspace(&ws, "one", &Settings::default()).await.unwrap();
                        conn.commit().await.unwrap();
                    }
                })
            })
            .collect();
        let (mut seen, mut count) = (0, 0);
        let last = 4 + 40;
        while seen < last {
            for change in read(&store).await.any_changes_after(seen).await.unwrap() {
                assert_eq!(change.seq, seen + 1, "a number was missed");
                (seen, count) = (change.seq, count + 1);
            }
            // Not at once: a loop that only reads leaves a busy machine no time to write.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(count, last);
        for writer in writers {
            writer.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn the_actor_signs() {
    on_each(async |store| {
        let ws = workspace("one");
        let mut conn = store.begin(Actor::ApiKey("key_1".to_owned()), later(5)).await.unwrap();
        conn.create_workspace(&ws).await.unwrap();
        conn.commit().await.unwrap();
        let rows = read(&store).await.audits(&ws.id, &ALL).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].actor.as_str(), rows[0].at), ("api_key:key_1", later(5)));
        assert_eq!(rows[0].workspace_id.as_ref(), Some(&ws.id));
    })
    .await;
}
