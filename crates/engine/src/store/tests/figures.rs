//! Counts and sums over a whole workspace.

use std::time::Duration;

use super::*;
use crate::{
    domain::{
        call_rollup::{CallRollup, RollupKey, Sums},
        connection::Standing,
    },
    store::{CallsOf, Minutes},
};

fn rollup(ws: &WorkspaceId, integration: &IntegrationId, minute: i64, class: u8, calls: u64) -> CallRollup {
    let key = RollupKey {
        workspace_id: ws.clone(),
        minute: Millis(minute * 60_000),
        integration_id: integration.clone(),
        connection_id: None,
        class,
    };
    let mut sums = Sums { calls, attempts: calls, ours: 1, duration_us: 7, ..Sums::default() };
    sums.spread.0[3] = calls;
    CallRollup { key, sums }
}

#[tokio::test]
async fn connections_are_counted_by_how_they_stand() {
    on_each(async |store| {
        let Scene { ws, other, integration: on, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let before: i64 = sum(&conn.count_connections_by_standing(&ws).await.unwrap());
        for (status, frozen) in [
            (Status::Active, false),
            (Status::Active, false),
            (Status::Active, true),
            (Status::NeedsReauth, false),
            (Status::NeedsReauth, true),
        ] {
            let made = Connection { status, frozen_at: frozen.then_some(T0), ..Connection::unborn(&on, T0) };
            conn.create_connection(&ws, &made).await.unwrap();
        }
        let counts = conn.count_connections_by_standing(&ws).await.unwrap();
        let of = |wanted| counts.iter().find(|(it, _)| *it == wanted).unwrap().1;
        assert_eq!((of(Standing::NeedsReauth), of(Standing::Frozen)), (1, 2));
        assert_eq!(sum(&counts), before + 5);
        assert_eq!(sum(&conn.count_connections_by_standing(&other).await.unwrap()), 0);
        for standing in Standing::ALL {
            assert_eq!(Standing::parse(standing.as_str()), Some(standing));
        }
    })
    .await;
}

fn sum(counts: &[(Standing, i64)]) -> i64 {
    counts.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn calls_are_summed_up_by_stretches_of_time_and_by_integration() {
    on_each(async |store| {
        let Scene { ws, other, integration: on, .. } = scene(&store).await;
        let second = IntegrationId::new();
        let mut conn = begin(&store).await;
        for one in [
            rollup(&ws, &on.id, 100, 2, 3),
            rollup(&ws, &second, 100, 2, 4),
            rollup(&ws, &on.id, 104, 2, 5),
            rollup(&ws, &on.id, 104, 5, 6),
            rollup(&ws, &second, 105, 4, 7),
            rollup(&ws, &on.id, 110, 2, 100),
            rollup(&other, &on.id, 101, 2, 100),
        ] {
            conn.any_add_call_rollups(&[one]).await.unwrap();
        }
        let minutes = Minutes { from: Millis(100 * 60_000), until: Millis(110 * 60_000) };
        let found = conn.calls_over_time(&ws, minutes, Duration::from_secs(300)).await.unwrap();
        let shown: Vec<_> = found.iter().map(|it| (it.from.0 / 60_000, it.class, it.sums.calls)).collect();
        assert_eq!(shown, [(100, 2, 12), (100, 5, 6), (105, 4, 7)]);
        assert_eq!((found[0].sums.ours, found[0].sums.duration_us, found[0].sums.spread.0[3]), (3, 21, 12));
        let by = conn.calls_by_integration(&ws, minutes, 9).await.unwrap();
        let of = |integration_id: &IntegrationId, calls, failed| CallsOf {
            integration_id: integration_id.clone(),
            calls,
            failed,
        };
        assert_eq!(by, [of(&second, 11, 7), of(&on.id, 14, 6)]);
        assert_eq!(conn.calls_by_integration(&ws, minutes, 1).await.unwrap().len(), 1);
    })
    .await;
}
