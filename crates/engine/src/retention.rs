//! Retention: what nobody needs any more is forgotten.
//!
//! Hourly, in small transactions with a pause after each: the writer is shared with calls. What a process
//! does not get done, the next run or another process does. Never touched here: connections and the
//! credentials that they have now, the audit log, revocations, and an event that an enabled endpoint is still to be told. An
//! endpoint that is disabled may come back: what waits for it is kept twice as long, then given up.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    domain::audit::Actor,
    error::Result,
    store::{EventMark, EventPart, EventWindow},
    time::Millis,
};

/// How long things are kept after their end.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Flows with their one-time codes, and the requests by which somebody listens for their ends.
    pub flows: Duration,
    /// Events with their deliveries and attempts.
    pub events: Duration,
    /// The request log.
    pub request_logs: Duration,
    /// Rollups of calls.
    pub rollups: Duration,
    /// How many rows the request log may have, however young; `None` for any number.
    pub request_log_rows: Option<i64>,
    /// How many rollups there may be. Minutes go as a whole, so that there may be one minute's more.
    pub rollup_rows: Option<i64>,
}

/// How many rows were forgotten, by table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Flows.
    pub flows: i64,
    /// Events.
    pub events: i64,
    /// Deliveries of those events.
    pub deliveries: i64,
    /// Attempts of those deliveries.
    pub attempts: i64,
    /// Rows of the request log.
    pub request_logs: i64,
    /// Rollups of calls.
    pub rollups: i64,
    /// Rows of the change log.
    pub changes: i64,
    /// Sessions that were over.
    pub sessions: i64,
    /// Those of operators.
    pub operator_sessions: i64,
    /// Connect requests that were over.
    pub connect_requests: i64,
    /// Credentials that others took the place of.
    pub previous_credentials: i64,
    /// Refresh tokens that were sent, as far as it is known what came of it.
    pub refresh_intents: i64,
}

impl Pruned {
    /// Every table that is pruned, as metrics name it.
    pub const TABLES: [&str; 12] = [
        "flow",
        "event",
        "delivery",
        "delivery_attempt",
        "request_log",
        "call_rollup",
        "change_log",
        "session",
        "operator_session",
        "connect_request",
        "previous_credential",
        "refresh_intent",
    ];

    fn total(&self) -> i64 {
        let of_events = self.events + self.deliveries + self.attempts;
        let of_refreshes = self.previous_credentials + self.refresh_intents;
        let of_calls = self.request_logs + self.rollups;
        let of_people = self.sessions + self.operator_sessions;
        let others = of_calls + self.changes + of_people + self.connect_requests;
        self.flows + of_events + of_refreshes + others
    }
}

/// How long after its start a process looks for the first time: a start is busy enough.
const FIRST: Duration = Duration::from_secs(60);
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3600);
/// Rows of one transaction.
const BATCH: i64 = 1000;
/// Between two transactions.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the change log is kept; processes read it each second.
const CHANGES: Duration = Duration::from_secs(3600);
/// How much longer than others an event is kept that only disabled endpoints are still to be told.
const FOR_DISABLED: u32 = 2;

/// Forgets what is past its time, now and then, until `stop`; then also in the middle of it.
pub async fn run(broker: Arc<Broker>, keep: Keep, stop: CancellationToken) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        // Dropped at `stop`, a transaction under way is undone.
        let pruned = tokio::select! {
            () = stop.cancelled() => return,
            pruned = prune(&broker, &keep) => pruned,
        };
        match pruned {
            Ok(pruned) => tell(&pruned),
            Err(error) => tracing::warn!(error = ?error, "old rows were not forgotten"),
        }
    }
}

fn tell(pruned: &Pruned) {
    if pruned.total() > 0 {
        let Pruned {
            flows,
            events,
            deliveries,
            attempts,
            request_logs,
            rollups,
            changes,
            sessions,
            operator_sessions,
            connect_requests,
            previous_credentials,
            refresh_intents,
        } = pruned;
        tracing::info!(
            flows,
            events,
            deliveries,
            attempts,
            request_logs,
            rollups,
            changes,
            sessions,
            operator_sessions,
            connect_requests,
            previous_credentials,
            refresh_intents,
            "old rows were forgotten"
        );
    }
}

/// Forgets once what is past its time, and says how much that was.
///
/// # Errors
/// `Internal` when the database fails; what was forgotten before that stays so.
pub async fn prune(broker: &Broker, keep: &Keep) -> Result<Pruned> {
    let mut pruned = Pruned {
        flows: all(broker, Table::Flow, keep.flows).await?,
        request_logs: all(broker, Table::RequestLog, keep.request_logs).await?,
        rollups: all(broker, Table::Rollup, keep.rollups).await?,
        changes: all(broker, Table::ChangeLog, CHANGES).await?,
        sessions: all(broker, Table::Session, broker.sessions.idle).await?,
        operator_sessions: all(broker, Table::OperatorSession, broker.sessions.idle).await?,
        connect_requests: all(broker, Table::ConnectRequest, keep.flows).await?,
        previous_credentials: all(broker, Table::PreviousCredential, Duration::ZERO).await?,
        refresh_intents: all(broker, Table::RefreshIntent, keep.events).await?,
        ..Pruned::default()
    };
    pruned.request_logs += request_logs_beyond(broker, keep.request_log_rows).await?;
    pruned.rollups += rollups_beyond(broker, keep.rollup_rows).await?;
    events(broker, keep.events, &mut pruned).await?;
    Ok(pruned)
}

/// What ages row by row.
#[derive(Clone, Copy)]
enum Table {
    Flow,
    RequestLog,
    Rollup,
    ChangeLog,
    /// As old as its last use; one that has come to its end goes, however old.
    Session,
    /// Likewise.
    OperatorSession,
    /// Like the flow that it is of.
    ConnectRequest,
    /// A column: each has its own time.
    PreviousCredential,
    /// As long as an event, after it was found out what came of it.
    RefreshIntent,
}

/// Forgets all rows of a table that are older than `keep`.
async fn all(broker: &Broker, table: Table, keep: Duration) -> Result<i64> {
    older(broker, table, broker.clock.now().minus(keep)).await
}

async fn older(broker: &Broker, table: Table, before: Millis) -> Result<i64> {
    let mut total = 0;
    loop {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let (name, gone) = match table {
            Table::Flow => ("flow", conn.any_purge_flows(before, BATCH).await?),
            Table::RequestLog => ("request_log", conn.any_purge_request_logs(before, BATCH).await?),
            Table::Rollup => ("call_rollup", conn.any_purge_call_rollups(before, BATCH).await?),
            Table::ChangeLog => ("change_log", conn.any_purge_changes(before, BATCH).await?),
            Table::Session => {
                let now = broker.clock.now();
                ("session", conn.any_purge_sessions(now, before, BATCH).await?)
            }
            Table::OperatorSession => {
                let now = broker.clock.now();
                ("operator_session", conn.any_purge_operator_sessions(now, before, BATCH).await?)
            }
            Table::ConnectRequest => {
                ("connect_request", conn.any_purge_connect_requests(before, BATCH).await?)
            }
            Table::PreviousCredential => {
                ("previous_credential", conn.any_erase_previous_credentials(before, BATCH).await?)
            }
            Table::RefreshIntent => ("refresh_intent", conn.any_purge_refresh_intents(before, BATCH).await?),
        };
        conn.commit().await?;
        broker.metrics.pruned(name, gone);
        total += gone;
        if gone < BATCH {
            return Ok(total);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forgets the oldest rows of the request log beyond so many.
async fn request_logs_beyond(broker: &Broker, most: Option<i64>) -> Result<i64> {
    let Some(most) = most else { return Ok(0) };
    let Some(mark) = broker.store.read().await?.any_request_log_beyond(most).await? else { return Ok(0) };
    let mut total = 0;
    loop {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let gone = conn.any_purge_request_logs_until(&mark, BATCH).await?;
        conn.commit().await?;
        broker.metrics.pruned("request_log", gone);
        total += gone;
        if gone < BATCH {
            return Ok(total);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forgets the oldest minutes beyond so many rollups.
async fn rollups_beyond(broker: &Broker, most: Option<i64>) -> Result<i64> {
    let Some(most) = most else { return Ok(0) };
    let minute = broker.store.read().await?.any_call_rollup_beyond(most).await?;
    match minute {
        Some(minute) => older(broker, Table::Rollup, minute).await,
        None => Ok(0),
    }
}

/// Walks the events that are older than `keep`, a window at a time, and forgets those that may go.
async fn events(broker: &Broker, keep: Duration, pruned: &mut Pruned) -> Result<()> {
    let now = broker.clock.now();
    let (before, disabled_before) = (now.minus(keep), now.minus(keep.saturating_mul(FOR_DISABLED)));
    let mut after = EventMark::default();
    loop {
        let next = broker.store.read().await?.any_next_events(&after, before, BATCH).await?;
        let Some(until) = next else { return Ok(()) };
        let window = EventWindow { after, until: until.clone(), disabled_before };
        for part in EventPart::ALL {
            let gone = of_window(broker, part, &window).await?;
            match part {
                EventPart::Attempts => pruned.attempts += gone,
                EventPart::Deliveries => pruned.deliveries += gone,
                EventPart::Event => pruned.events += gone,
            }
        }
        after = until;
    }
}

async fn of_window(broker: &Broker, part: EventPart, window: &EventWindow) -> Result<i64> {
    let name = match part {
        EventPart::Attempts => "delivery_attempt",
        EventPart::Deliveries => "delivery",
        EventPart::Event => "event",
    };
    let mut total = 0;
    loop {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let gone = conn.any_purge_events(part, window, BATCH).await?;
        conn.commit().await?;
        broker.metrics.pruned(name, gone);
        total += gone;
        tokio::time::sleep(PAUSE).await;
        if gone < BATCH {
            return Ok(total);
        }
    }
}
