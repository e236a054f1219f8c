//! The request log and revocations.

use super::*;
use crate::{
    domain::request_log::RequestLog,
    id::{LogId, RequestId, RevocationId},
};

fn log(ws: &WorkspaceId, integration: &IntegrationId, at: Millis) -> RequestLog {
    RequestLog {
        id: LogId::new(),
        request_id: RequestId::new(),
        workspace_id: ws.clone(),
        api_key_id: Some(ApiKeyId::new()),
        user_id: None,
        connection_id: ConnectionId::new(),
        integration_id: integration.clone(),
        method: "GET".to_owned(),
        path: "/me\0".to_owned(),
        status: 502,
        error: Some("upstream_unreachable".to_owned()),
        attempts: 3,
        bytes_in: 0,
        bytes_out: u64::MAX,
        duration_ms: 12,
        at,
    }
}

#[tokio::test]
async fn the_request_log_is_kept_by_workspace_and_ages() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        let rows = [
            log(&ws, &integration.id, T0),
            log(&other, &foreign.id, T0),
            log(&ws, &integration.id, later(1)),
        ];
        let mut conn = begin(&store).await;
        conn.any_add_request_logs(&rows).await.unwrap();
        conn.any_add_request_logs(&[]).await.unwrap();
        let found = conn.request_logs(&ws, &ALL).await.unwrap();
        assert_eq!(found.iter().map(|l| &l.id).collect::<Vec<_>>(), [&rows[2].id, &rows[0].id]);
        let (one, made) = (&found[0], &rows[2]);
        assert_eq!((&one.request_id, &one.connection_id), (&made.request_id, &made.connection_id));
        assert_eq!(
            (one.api_key_id.as_ref(), &one.integration_id),
            (made.api_key_id.as_ref(), &made.integration_id)
        );
        assert_eq!((one.status, one.attempts, one.duration_ms, one.bytes_in), (502, 3, 12, 0));
        assert_eq!((one.path.as_str(), one.error.as_deref()), ("/me", Some("upstream_unreachable")));
        assert_eq!(one.bytes_out, u64::try_from(i64::MAX).unwrap());
        assert_eq!(conn.request_logs(&other, &ALL).await.unwrap().len(), 1);
        assert_eq!(conn.any_purge_request_logs(later(1), 100).await.unwrap(), 2);
        assert_eq!(conn.request_logs(&ws, &ALL).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn revocations_outlive_their_connection() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (id, gone) = (RevocationId::new(), ConnectionId::new());
        let mut conn = begin(&store).await;
        let made =
            conn.create_revocation(&ws, &id, &gone, &integration.id, "failed", "HTTP 500", later(3)).await;
        made.unwrap();
        let found = conn.revocations(&ws, &ALL).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].id, &found[0].connection_id), (&id, &gone));
        assert_eq!((found[0].outcome.as_str(), found[0].detail.as_str()), ("failed", "HTTP 500"));
        assert_eq!((&found[0].integration_id, found[0].at), (&integration.id, later(3)));
        assert!(conn.revocations(&other, &ALL).await.unwrap().is_empty());
    })
    .await;
}
