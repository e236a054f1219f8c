//! Rollups of calls: added to what is there, by whichever process, and read by the minute.

use std::sync::LazyLock;

use super::{
    Conn, Page,
    request_log::clamp,
    seeded::insert,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::{
        call_rollup::{CallRollup, RollupKey, Sums},
        spread::Spread,
    },
    error::Result,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// Rows of one statement.
const AT_ONCE: usize = 50;

macro_rules! key {
    () => {
        "workspace_id, minute, integration_id, connection_id, status_class"
    };
}

macro_rules! sums {
    () => {
        "calls, ours, attempts, bytes_in, bytes_out, waited_us, first_byte_us, duration_us, to_5, to_10, to_25, \
         to_50, to_100, to_250, to_500, to_1000, to_2500, to_10000, to_60000, longer"
    };
}

/// The columns of a spread, in the order of its buckets.
const SPREAD: [&str; 12] = [
    "to_5", "to_10", "to_25", "to_50", "to_100", "to_250", "to_500", "to_1000", "to_2500", "to_10000",
    "to_60000", "longer",
];

static ONE: LazyLock<String> = LazyLock::new(|| upsert(1));
static MANY: LazyLock<String> = LazyLock::new(|| upsert(AT_ONCE));

fn upsert(rows: usize) -> String {
    let insert = insert("call_rollup", concat!(key!(), ", ", sums!()), rows);
    let adds: Vec<_> =
        sums!().split(", ").map(|sum| format!("{sum} = call_rollup.{sum} + excluded.{sum}")).collect();
    format!("{insert} on conflict ({}) do update set {}", key!(), adds.join(", "))
}

/// Some of a workspace's minutes.
#[derive(Debug, Clone, Copy)]
pub struct Minutes {
    /// From the minute that begins here,
    pub from: Millis,
    /// to the one before this.
    pub until: Millis,
}

impl Conn {
    /// Adds sums to those that are there, each under its own workspace. They come in the order of their keys, no key
    /// twice.
    pub async fn any_add_call_rollups(&mut self, rollups: &[CallRollup]) -> Result<()> {
        for some in rollups.chunks(AT_ONCE) {
            if some.len() == AT_ONCE {
                self.execute(some.iter().fold(sql(&MANY), values)).await?;
                continue;
            }
            for one in some {
                self.execute(values(sql(&ONE), one)).await?;
            }
        }
        Ok(())
    }

    /// What the workspace's calls of these minutes came to, the latest minute first.
    pub async fn call_rollups(
        &mut self,
        ws: &WorkspaceId,
        minutes: Minutes,
        page: &Page,
    ) -> Result<Vec<CallRollup>> {
        let query = sql(
            "select * from call_rollup where workspace_id = $1 and minute >= $2 and minute < $3 \
                         order by minute desc, integration_id, connection_id, status_class limit $4 offset $5",
        );
        let query = query.text(ws.as_str()).at(minutes.from).at(minutes.until);
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }
}

fn values(insert: Statement, rollup: &CallRollup) -> Statement {
    let CallRollup { key, sums } = rollup;
    let insert = insert.text(key.workspace_id.as_str()).at(key.minute).text(key.integration_id.as_str());
    let insert =
        insert.text(key.connection_id.as_ref().map_or("", ConnectionId::as_str)).int(key.class.into());
    let counts = [sums.calls, sums.ours, sums.attempts, sums.bytes_in, sums.bytes_out];
    let times = [sums.waited_us, sums.first_byte_us, sums.duration_us];
    let all = counts.into_iter().chain(times).chain(sums.spread.0);
    all.fold(insert, |insert, number| insert.int(clamp(number)))
}

fn read(row: &Row) -> Result<CallRollup> {
    let connection = row.text("connection_id")?;
    let key = RollupKey {
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        minute: row.at("minute")?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        connection_id: Some(connection).filter(|id| !id.is_empty()).map(ConnectionId::from_row),
        class: row.number("status_class")?,
    };
    Ok(CallRollup { key, sums: sums_of(row)? })
}

/// The sums in a row that names them as the table does.
pub(super) fn sums_of(row: &Row) -> Result<Sums> {
    let mut spread = Spread::default();
    for (count, column) in spread.0.iter_mut().zip(SPREAD) {
        *count = row.number(column)?;
    }
    Ok(Sums {
        calls: row.number("calls")?,
        ours: row.number("ours")?,
        attempts: row.number("attempts")?,
        bytes_in: row.number("bytes_in")?,
        bytes_out: row.number("bytes_out")?,
        waited_us: row.number("waited_us")?,
        first_byte_us: row.number("first_byte_us")?,
        duration_us: row.number("duration_us")?,
        spread,
    })
}
