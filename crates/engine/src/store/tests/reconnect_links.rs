//! Reconnect links: found by their token's hash, used once, by one browser.

use super::*;
use crate::{domain::reconnect_link::ReconnectLink, id::LinkId};

const HASH: &str = "5d41402abc4b2a76b9719d911017c592";

async fn use_it(store: &Store, browser: &str, seconds: u64) -> Option<ReconnectLink> {
    let mut conn = store.begin(Actor::System, later(seconds)).await.unwrap();
    let used = conn.any_use_reconnect_link(HASH, browser, later(seconds.saturating_sub(60))).await.unwrap();
    conn.commit().await.unwrap();
    used
}

#[tokio::test]
async fn a_link_is_used_once_and_twice_only_by_the_same_browser_at_once() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let made = connection(&ws, &integration.id, Some("alice"));
        conn.create_connection(&ws, &made).await.unwrap();
        let link = ReconnectLink {
            id: LinkId::new(),
            workspace_id: ws.clone(),
            connection_id: made.id.clone(),
            token_hash: HASH.to_owned(),
            redirect_uri: Some("https://app.example/done".to_owned()),
            expires_at: later(3600),
            used_at: None,
            browser_hash: None,
            created_at: T0,
        };
        conn.create_reconnect_link(&ws, &link).await.unwrap();
        assert_eq!(conn.any_reconnect_link(HASH).await.unwrap(), Some(link.clone()));
        assert_eq!(conn.any_reconnect_link("another").await.unwrap(), None);
        conn.commit().await.unwrap();

        assert_eq!(use_it(&store, "one", 3600).await, None, "too late");
        let used =
            ReconnectLink { used_at: Some(later(100)), browser_hash: Some("one".to_owned()), ..link.clone() };
        assert_eq!(use_it(&store, "one", 100).await, Some(used.clone()));
        assert_eq!(use_it(&store, "other", 100).await, None);
        assert_eq!(use_it(&store, "one", 159).await, Some(used), "pressed twice");
        assert_eq!(use_it(&store, "one", 160).await, None, "a minute after the first time");

        let mut conn = begin(&store).await;
        for (ws, browser, at) in [(&other, "one", 100), (&ws, "other", 100), (&ws, "one", 159)] {
            conn.release_reconnect_link(ws, &link.id, browser, later(at)).await.unwrap();
            assert!(
                conn.any_reconnect_link(HASH).await.unwrap().unwrap().used_at.is_some(),
                "{browser} {at}"
            );
        }
        conn.release_reconnect_link(&ws, &link.id, "one", later(100)).await.unwrap();
        assert_eq!(conn.any_reconnect_link(HASH).await.unwrap(), Some(link));
        assert_eq!(conn.any_forget_reconnect_links(later(3600)).await.unwrap(), 0);
        assert_eq!(conn.any_forget_reconnect_links(later(3601)).await.unwrap(), 1);
        assert_eq!(conn.any_reconnect_link(HASH).await.unwrap(), None);
    })
    .await;
}
