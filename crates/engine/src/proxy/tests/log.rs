//! What is kept of calls: sums of all of them, rows of some, and nothing that holds a call up.

use std::sync::Arc;

use super::{
    super::{
        sample::Sampling,
        tallies::{SHARDS, Tallies},
        writing::Writer,
        *,
    },
    world::{T0, World, status, text, world},
};
use crate::{
    domain::{
        call_rollup::{CallRollup, FinishedCall},
        connection::Connection,
    },
    id::{ConnectionId, WorkspaceId},
    metrics::Metrics,
    name::Name,
    outbound::empty,
    store::{Minutes, Page},
    time::Millis,
};

const EVER: Minutes = Minutes { from: Millis(0), until: Millis(i64::MAX) };

async fn rollups(world: &World) -> Vec<CallRollup> {
    world.broker.logs.flush().await;
    let page = Page { offset: 0, limit: 100 };
    let ws = &world.connection.workspace_id;
    world.broker.store.read().await.unwrap().call_rollups(ws, EVER, &page).await.unwrap()
}

/// A call that ended so many milliseconds after the first.
fn finished(status: u16, at: i64) -> FinishedCall {
    FinishedCall { status, attempts: 1, at: Millis(T0.0 + at), ..FinishedCall::default() }
}

#[tokio::test]
async fn all_calls_are_summed_up_though_few_have_a_row() {
    let mut world = world(|n, _| status(if n == 3 { 404 } else { 200 })).await;
    let sampling = Sampling { share: 0, full_below: 1 };
    let broker = Arc::get_mut(&mut world.broker).unwrap();
    broker.logs = Recorder::new(broker.store.clone(), sampling, &broker.metrics);
    for _ in 0..5 {
        text(world.send("POST", "/x", "ab").await.unwrap()).await;
    }
    let rows: Vec<_> = world.log().await.iter().map(|row| row.status).collect();
    assert_eq!(rows, [200, 404], "the first of the second, and what went wrong");
    let sums = rollups(&world).await;
    let counted: Vec<_> = sums.iter().map(|one| (one.key.class, one.sums.calls, one.sums.bytes_in)).collect();
    assert_eq!(counted, [(2, 4, 8), (4, 1, 2)]);
    let (key, of_good) = (&sums[0].key, &sums[0].sums);
    assert_eq!(key.connection_id.as_ref(), Some(&world.connection.id));
    assert_eq!(key.integration_id, world.connection.integration_id);
    assert_eq!(key.minute.0, T0.0 - T0.0.rem_euclid(60_000));
    assert_eq!((of_good.attempts, of_good.ours, of_good.bytes_out), (4, 0, 4 * 6));
    assert_eq!(of_good.spread.0.iter().sum::<u64>(), 4);
    assert!(of_good.first_byte_us > 0 && of_good.waited_us + of_good.first_byte_us <= of_good.duration_us);
}

#[tokio::test]
async fn an_answer_of_ours_is_told_apart_and_asks_nobody() {
    let world = world(|_, _| status(200)).await;
    world.send("GET", "/../x", "").await.unwrap_err();
    let row = &world.log().await[0];
    assert_eq!((row.status, row.attempts, row.first_byte_ms), (400, 0, None));
    assert_eq!(row.waited_ms, Some(row.duration_ms), "all of it was spent before a provider was asked");
    let sums = &rollups(&world).await[0].sums;
    assert_eq!((sums.calls, sums.ours, sums.attempts, sums.first_byte_us), (1, 1, 0, 0));
}

#[tokio::test]
async fn a_trace_is_recorded_and_its_headers_pass_as_they_are() {
    let world = world(|_, _| status(200)).await;
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (parent, trace) in [(valid, Some("4bf92f3577b34da6a3ce929d0e0e4736")), ("00-what-ever-01", None)] {
        let request = Request::get("/x").header("traceparent", parent).header("tracestate", "a=1, b=2");
        forward(&world.broker, world.call(request.body(empty()).unwrap())).await.unwrap();
        let seen = world.provider.seen().pop().unwrap();
        assert_eq!(seen.headers["traceparent"], parent);
        assert_eq!(seen.headers["tracestate"], "a=1, b=2");
        assert_eq!(world.log().await.pop().unwrap().trace_id.as_deref(), trace);
    }
}

#[tokio::test]
async fn sums_are_told_apart_by_connection_minute_and_class_up_to_a_bound() {
    let world = world(|_, _| status(200)).await;
    let tallies = Tallies::new(1);
    let one = &world.connection;
    let name = |connection: &Connection| Name::of(connection.id.as_str());
    // Of the same shard: it has room for one.
    let shard = name(one).part(SHARDS);
    let mut others = std::iter::repeat_with(|| Connection { id: ConnectionId::new(), ..one.clone() })
        .filter(|other| name(other).part(SHARDS) == shard);
    let others = [others.next().unwrap(), others.next().unwrap()];
    for (connection, status, at) in [
        (one, 200, 0),
        (one, 204, 1),
        (one, 500, 2),
        (one, 200, 60_000),
        (&others[0], 200, 0),
        (&others[1], 200, 0),
    ] {
        tallies.add(name(connection), connection, &finished(status, at));
    }
    let taken = tallies.take();
    let told: Vec<_> = taken
        .sums
        .iter()
        .map(|(key, sums)| (key.connection_id.as_ref(), key.minute.0 - T0.0, key.class, sums.calls))
        .collect();
    let begin = -T0.0.rem_euclid(60_000);
    let id = Some(&one.id);
    assert_eq!(told, [(None, begin, 2, 2), (id, begin, 2, 2), (id, begin, 5, 1), (id, begin + 60_000, 2, 1)]);
    let used: Vec<_> = taken.used.iter().map(|(id, (_, at))| (id, at.0 - T0.0)).collect();
    assert_eq!(used, [(&one.id, 60_000)]);
    assert!(tallies.take().sums.is_empty(), "once");
}

#[tokio::test]
async fn two_connections_of_one_name_are_not_taken_for_each_other() {
    let world = world(|_, _| status(200)).await;
    let (one, tallies, name) = (&world.connection, Tallies::new(100), Name::of("both"));
    let other = Connection { id: ConnectionId::new(), ..one.clone() };
    for connection in [one, &other, one] {
        tallies.add(name, connection, &finished(200, 0));
    }
    let taken = tallies.take();
    let told: Vec<_> =
        taken.sums.iter().map(|(key, sums)| (key.connection_id.as_ref(), sums.calls)).collect();
    assert_eq!(told, [(None, 1), (Some(&one.id), 2)]);
}

#[tokio::test]
async fn sums_that_can_not_be_written_take_no_others_with_them() {
    let world = world(|_, _| status(200)).await;
    let (tallies, metrics) = (Arc::new(Tallies::new(10)), Arc::new(Metrics::default()));
    let gone = Connection { workspace_id: WorkspaceId::new(), ..world.connection.clone() };
    let mut writer = Writer::new(world.broker.store.clone(), Arc::clone(&tallies), Arc::clone(&metrics));
    tallies.add(Name::of("gone"), &gone, &finished(200, 0));
    tallies.add(Name::of("here"), &world.connection, &finished(200, 0));
    writer.sum_up().await;
    writer.write(&[]).await;
    assert_eq!(rollups(&world).await[0].sums.calls, 1);
    assert!(metrics.text().unwrap().contains("claviger_call_rollup_lost_calls_total 1\n"));
    assert!(writer.sums.is_empty());
}

#[tokio::test]
async fn sums_wait_while_the_database_takes_nothing() {
    let world = world(|_, _| status(200)).await;
    drop(world.send("GET", "/x", "").await);
    let row = world.log().await.remove(0);
    let (tallies, metrics) = (Arc::new(Tallies::new(10)), Arc::new(Metrics::default()));
    let mut writer = Writer::new(world.broker.store.clone(), Arc::clone(&tallies), Arc::clone(&metrics));
    world.broker.store.close().await;
    for _ in 0..2 {
        tallies.add(Name::of("here"), &world.connection, &finished(200, 0));
        writer.sum_up().await;
        writer.write(std::slice::from_ref(&row)).await;
    }
    assert_eq!(writer.sums.values().map(|sums| sums.calls).collect::<Vec<_>>(), [2]);
    assert_eq!(metrics.log.rows_dropped_so_far(), 2, "rows do not");
}
