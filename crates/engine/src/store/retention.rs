//! Removing what is past its time, so many rows at once; and counting what is waiting, for monitoring.
//!
//! Each removal takes a limit, so that no transaction holds the writer for long, and finds its rows by an index
//! on their age. Events are walked in windows, because some of the old ones stay: each is looked at once.

use super::{
    Conn,
    statement::{Statement, sql},
};
use crate::{error::Result, time::Millis};

/// What goes with an event, in the order in which it must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventPart {
    /// Attempts of its deliveries.
    Attempts,
    /// Its deliveries.
    Deliveries,
    /// The event itself.
    Event,
}

impl EventPart {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::Attempts, Self::Deliveries, Self::Event];
}

/// A place among events, ordered by when they were made; before the first by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventMark {
    at: Millis,
    id: String,
}

/// Which events may go: those of one stretch, unless they are still to be told.
#[derive(Debug, Clone)]
pub struct EventWindow {
    /// After this one,
    pub after: EventMark,
    /// up to this one.
    pub until: EventMark,
    /// Made before this, an event no longer waits for endpoints that are disabled.
    pub disabled_before: Millis,
}

/// A row of the request log, as the last that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMark {
    at: Millis,
    id: String,
}

/// How many deliveries wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries still to be made to endpoints that are enabled.
    pub pending: i64,
    /// When the oldest of them was made.
    pub oldest: Option<Millis>,
}

/// The events of a window that may go: none of their deliveries is still to be made to an endpoint that is
/// enabled, nor, while they are young enough, to one that is disabled. `$joined` says what belongs to an event.
///
/// `cross join` keeps SQLite to the order written here: on its own it looks through all attempts of the workspace
/// for each event. The first bounds are there for PostgreSQL, which finds no range in the ones behind them.
macro_rules! of_window {
    ($delete:literal, $joined:literal) => {
        concat!(
            $delete,
            " where ",
            $joined,
            "e.created_at >= $1 and e.created_at <= $3",
            " and (e.created_at > $1 or (e.created_at = $1 and e.id > $2))",
            " and (e.created_at < $3 or (e.created_at = $3 and e.id <= $4)) and not exists (",
            "select 1 from delivery w join webhook_endpoint p ",
            "on p.workspace_id = w.workspace_id and p.id = w.endpoint_id ",
            "where w.workspace_id = e.workspace_id and w.event_id = e.id and w.next_at is not null ",
            "and (p.disabled_at is null or e.created_at >= $5)) limit $6)"
        )
    };
}

impl Conn {
    /// Removes at most `limit` flows that, code included, were over before `before`. Says how many.
    pub async fn any_purge_flows(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from flow where id in (select id from flow where expires_at < $1 \
                          and (code_expires_at is null or code_expires_at < $1) order by expires_at limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }

    /// Removes at most `limit` rows of calls that arrived before `before`. Says how many.
    pub async fn any_purge_request_logs(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from request_log where id in \
                          (select id from request_log where at < $1 order by at limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }

    /// The latest row of the request log that is not among the latest `most`.
    pub async fn any_request_log_beyond(&mut self, most: i64) -> Result<Option<LogMark>> {
        let query = sql("select at, id from request_log order by at desc, id desc limit 1 offset $1");
        let row = self.row(query.int(most)).await?;
        row.map(|row| Ok(LogMark { at: row.at("at")?, id: row.text("id")? })).transpose()
    }

    /// Removes at most `limit` rows up to this one. Says how many.
    pub async fn any_purge_request_logs_until(&mut self, mark: &LogMark, limit: i64) -> Result<i64> {
        let delete = sql("delete from request_log where id in (select id from request_log \
                          where at < $1 or (at = $1 and id <= $2) order by at, id limit $3)");
        self.execute(delete.at(mark.at).text(&mark.id).int(limit)).await
    }

    /// The minute of the latest rollup that is not among the latest `most`: the minutes before it may go.
    pub async fn any_call_rollup_beyond(&mut self, most: i64) -> Result<Option<Millis>> {
        let query = sql("select minute from call_rollup order by minute desc limit 1 offset $1");
        self.row(query.int(most)).await?.map(|row| row.at("minute")).transpose()
    }

    /// Removes at most `limit` rollups of minutes that began before `before`. Says how many.
    pub async fn any_purge_call_rollups(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql(
            "delete from call_rollup where (workspace_id, minute, integration_id, connection_id, status_class) in \
                 (select workspace_id, minute, integration_id, connection_id, status_class from call_rollup \
                 where minute < $1 order by minute limit $2)",
        );
        self.execute(delete.at(before).int(limit)).await
    }

    /// Removes at most `limit` changes made before `before`; every process has read them by then. Says how many.
    pub async fn any_purge_changes(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from change_log where seq in \
                          (select seq from change_log where at < $1 order by at limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }

    /// The last of the next `size` events made before `before`; `None` when there are none after `after`.
    pub async fn any_next_events(
        &mut self,
        after: &EventMark,
        before: Millis,
        size: i64,
    ) -> Result<Option<EventMark>> {
        let query = sql(
            "select created_at, id from (select created_at, id from event where created_at < $3 \
                         and (created_at > $1 or (created_at = $1 and id > $2)) \
                         order by created_at, id limit $4) stretch order by created_at desc, id desc limit 1",
        );
        let row = self.row(query.at(after.at).text(&after.id).at(before).int(size)).await?;
        row.map(|row| Ok(EventMark { at: row.at("created_at")?, id: row.text("id")? })).transpose()
    }

    /// Removes at most `limit` rows of the events of a window that may go. Says how many. An event goes only
    /// when its deliveries went before, and those when their attempts did.
    pub async fn any_purge_events(
        &mut self,
        part: EventPart,
        window: &EventWindow,
        limit: i64,
    ) -> Result<i64> {
        let delete = sql(purge(part));
        self.execute(bounds(delete, window).int(limit)).await
    }

    /// What is still to be delivered.
    pub async fn any_backlog(&mut self) -> Result<Backlog> {
        let query = sql("select count(*) as n, min(d.created_at) as oldest from webhook_endpoint p \
                         join delivery d on d.workspace_id = p.workspace_id and d.endpoint_id = p.id \
                         where p.disabled_at is null and d.next_at is not null");
        let row = self.row(query).await?;
        row.map_or(Ok(Backlog { pending: 0, oldest: None }), |row| {
            Ok(Backlog { pending: row.int("n")?, oldest: row.maybe_at("oldest")? })
        })
    }

    /// How many connections there are in each status, as it is kept.
    pub async fn any_connections_by_status(&mut self) -> Result<Vec<(String, i64)>> {
        let rows = self.rows(sql("select status, count(*) as n from connection group by status")).await?;
        rows.iter().map(|row| Ok((row.text("status")?, row.int("n")?))).collect()
    }
}

/// The statement that removes a part of the events that may go.
pub(super) fn purge(part: EventPart) -> &'static str {
    match part {
        EventPart::Attempts => of_window!(
            "delete from delivery_attempt where id in (select a.id from event e cross join delivery d \
             cross join delivery_attempt a",
            "d.workspace_id = e.workspace_id and d.event_id = e.id \
             and a.workspace_id = d.workspace_id and a.delivery_id = d.id and "
        ),
        EventPart::Deliveries => of_window!(
            "delete from delivery where id in (select d.id from event e cross join delivery d",
            "d.workspace_id = e.workspace_id and d.event_id = e.id and "
        ),
        EventPart::Event => of_window!("delete from event where id in (select e.id from event e", ""),
    }
}

fn bounds(delete: Statement, window: &EventWindow) -> Statement {
    let delete = delete.at(window.after.at).text(&window.after.id);
    delete.at(window.until.at).text(&window.until.id).at(window.disabled_before)
}
