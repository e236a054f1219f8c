//! The request log and revocations.

use super::*;
use crate::{
    domain::{
        call_rollup::{CallRollup, RollupKey, Sums},
        request_log::RequestLog,
    },
    id::{CustomerId, LogId, RequestId, RevocationId},
    store::Minutes,
};

fn log(ws: &WorkspaceId, integration: &IntegrationId, at: Millis) -> RequestLog {
    RequestLog {
        id: LogId::new(),
        request_id: RequestId::new(),
        workspace_id: ws.clone(),
        api_key_id: Some(ApiKeyId::new()),
        user_id: None,
        customer_id: Some(CustomerId::new()),
        connection_id: ConnectionId::new(),
        integration_id: integration.clone(),
        method: "GET".to_owned(),
        path: "/me\0".to_owned(),
        status: 502,
        error: Some("upstream_unreachable".to_owned()),
        attempts: 3,
        bytes_in: 0,
        bytes_out: u64::MAX,
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        waited_ms: Some(3),
        first_byte_ms: Some(7),
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
        assert_eq!((&one.customer_id, &one.trace_id), (&made.customer_id, &made.trace_id));
        assert_eq!((one.waited_ms, one.first_byte_ms), (Some(3), Some(7)));
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
async fn rows_beyond_a_number_go_oldest_first() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        // More than one statement's worth, and all of one instant but the first.
        let mut rows: Vec<_> = (0..70).map(|_| log(&ws, &integration.id, later(1))).collect();
        rows[0].at = T0;
        let mut conn = begin(&store).await;
        conn.any_add_request_logs(&rows).await.unwrap();
        assert_eq!(conn.any_request_log_beyond(70).await.unwrap(), None);
        let mark = conn.any_request_log_beyond(3).await.unwrap().unwrap();
        let mut gone = Vec::new();
        for _ in 0..3 {
            gone.push(conn.any_purge_request_logs_until(&mark, 40).await.unwrap());
        }
        assert_eq!(gone, [40, 27, 0]);
        let left = conn.request_logs(&ws, &ALL).await.unwrap();
        assert_eq!(
            left.iter().map(|row| &row.id).collect::<Vec<_>>(),
            [&rows[69].id, &rows[68].id, &rows[67].id]
        );
    })
    .await;
}

fn rollup(ws: &WorkspaceId, connection: Option<&ConnectionId>, minute: Millis, calls: u64) -> CallRollup {
    let mut sums = Sums {
        calls,
        ours: 1,
        attempts: 2,
        bytes_in: 3,
        bytes_out: 4,
        waited_us: 5,
        first_byte_us: 6,
        duration_us: 7,
        ..Sums::default()
    };
    for (n, count) in (10..).zip(&mut sums.spread.0) {
        *count = n;
    }
    let key = RollupKey {
        workspace_id: ws.clone(),
        minute,
        integration_id: IntegrationId::from_row("int_1".to_owned()),
        connection_id: connection.cloned(),
        class: 2,
    };
    CallRollup { key, sums }
}

#[tokio::test]
async fn sums_of_calls_add_up_by_workspace_and_minute_and_age() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let id = ConnectionId::new();
        let made = [
            rollup(&ws, None, T0, 1),
            rollup(&ws, Some(&id), T0, 10),
            rollup(&ws, Some(&id), later(1), 100),
            rollup(&other, Some(&id), T0, 1_000),
        ];
        let mut conn = begin(&store).await;
        for _ in 0..2 {
            conn.any_add_call_rollups(&made).await.unwrap();
        }
        let ever = Minutes { from: Millis(0), until: Millis(i64::MAX) };
        let found = conn.call_rollups(&ws, ever, &ALL).await.unwrap();
        let twice = |one: &CallRollup| {
            let mut sums = one.sums;
            sums.merge(&one.sums);
            CallRollup { key: one.key.clone(), sums }
        };
        assert_eq!(found, [twice(&made[2]), twice(&made[0]), twice(&made[1])]);
        let early = Minutes { from: T0, until: later(1) };
        assert_eq!(conn.call_rollups(&ws, early, &ALL).await.unwrap().len(), 2);

        assert_eq!(conn.any_call_rollup_beyond(4).await.unwrap(), None);
        assert_eq!(conn.any_call_rollup_beyond(3).await.unwrap(), Some(T0), "a minute goes as a whole");
        assert_eq!(conn.any_purge_call_rollups(T0, 9).await.unwrap(), 0);
        assert_eq!(conn.any_purge_call_rollups(later(1), 2).await.unwrap(), 2);
        assert_eq!(conn.any_purge_call_rollups(later(1), 2).await.unwrap(), 1);
        assert_eq!(conn.call_rollups(&ws, ever, &ALL).await.unwrap().len(), 1);
        // More than one statement's worth.
        let ids: Vec<_> = (0..120).map(|_| ConnectionId::new()).collect();
        let many: Vec<_> = ids.iter().map(|id| rollup(&other, Some(id), T0, 1)).collect();
        conn.any_add_call_rollups(&many).await.unwrap();
        let found = conn.call_rollups(&other, ever, &Page { offset: 0, limit: 500 }).await.unwrap();
        assert_eq!(found.iter().filter(|one| one.sums.calls == 1).count(), 120);
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
