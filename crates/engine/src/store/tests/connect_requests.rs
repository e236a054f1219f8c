//! Connect requests: an id is owned once, and ends once.

use super::*;
use crate::store::RequestEnd;

const HASH: &str = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b";

#[tokio::test]
async fn an_id_belongs_to_whoever_used_it_first() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let claims: Vec<_> = [ws.clone(), other.clone(), ws.clone(), other]
            .map(|whose| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut conn = begin(&store).await;
                    let first = conn.claim_connect_request(&whose, HASH, later(600)).await.unwrap();
                    conn.commit().await.unwrap();
                    first
                })
            })
            .into_iter()
            .collect();
        let mut first = 0;
        for claim in claims {
            first += usize::from(claim.await.unwrap());
        }
        assert_eq!(first, 1);
        let mut conn = begin(&store).await;
        assert!(conn.claim_connect_request(&ws, "another", later(600)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_request_ends_once_and_is_told_to_whoever_asks() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let id = ConnectionId::new();
        assert!(conn.claim_connect_request(&ws, HASH, later(600)).await.unwrap());
        assert_eq!(conn.any_ended_request(HASH).await.unwrap(), None);
        assert!(!conn.end_connect_request(&other, HASH, Some(&id), None).await.unwrap());
        assert!(!conn.end_connect_request(&ws, "unknown", Some(&id), None).await.unwrap());
        assert!(conn.end_connect_request(&ws, HASH, Some(&id), None).await.unwrap());
        assert!(!conn.end_connect_request(&ws, HASH, None, Some("{}")).await.unwrap(), "it has ended");
        let ended = RequestEnd { workspace_id: ws.clone(), connection_id: Some(id), error: None };
        assert_eq!(conn.any_ended_request(HASH).await.unwrap(), Some(ended));

        assert!(conn.claim_connect_request(&ws, "failed", later(600)).await.unwrap());
        assert!(conn.claim_connect_request(&ws, "open", later(600)).await.unwrap());
        assert!(conn.end_connect_request(&ws, "failed", None, Some("{}")).await.unwrap());
        let failed = conn.any_ended_request("failed").await.unwrap().unwrap();
        assert_eq!((failed.connection_id, failed.error.as_deref()), (None, Some("{}")));
        let mut since = conn.any_ended_requests(T0).await.unwrap();
        since.sort();
        assert_eq!(since, [HASH, "failed"]);
        assert!(conn.any_ended_requests(later(1)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn requests_go_when_they_are_over() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        for (hash, at) in [("a", 10), ("b", 20), ("c", 30)] {
            assert!(conn.claim_connect_request(&ws, hash, later(at)).await.unwrap());
        }
        assert_eq!(conn.any_purge_connect_requests(later(30), 1).await.unwrap(), 1);
        assert_eq!(conn.any_purge_connect_requests(later(30), 10).await.unwrap(), 1);
        assert_eq!(conn.any_purge_connect_requests(later(30), 10).await.unwrap(), 0);
        assert!(!conn.claim_connect_request(&ws, "c", later(60)).await.unwrap(), "it stays");
        assert!(conn.claim_connect_request(&ws, "a", later(60)).await.unwrap());
    })
    .await;
}
