//! Figures: sums and counts over many rows, for whoever looks at the whole of a workspace.

use std::time::Duration;

use super::{
    Conn, Minutes,
    call_rollup::sums_of,
    statement::{Row, sql},
};
use crate::{
    domain::{
        call_rollup::Sums,
        connection::{Standing, Status},
    },
    error::Result,
    id::{IntegrationId, WorkspaceId},
    time::Millis,
};

/// What calls of one stretch of time came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallsAt {
    /// When the stretch begins.
    pub from: Millis,
    /// The class of their status, 1 to 5.
    pub class: u8,
    /// What they came to.
    pub sums: Sums,
}

/// What calls of one integration came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallsOf {
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// How many.
    pub calls: u64,
    /// How many of them failed: a status of 400 and above.
    pub failed: u64,
}

impl Conn {
    /// How many connections the workspace has, by how they stand.
    pub async fn count_connections_by_standing(&mut self, ws: &WorkspaceId) -> Result<Vec<(Standing, i64)>> {
        let query = sql("select status, count(*) as n, count(frozen_at) as frozen from connection \
                         where workspace_id = $1 group by status");
        let mut counts: Vec<_> = Standing::ALL.into_iter().map(|standing| (standing, 0)).collect();
        for row in self.rows(query.text(ws.as_str())).await? {
            let (all, frozen) = (row.int("n")?, row.int("frozen")?);
            let status = row.word("status", Status::parse)?;
            for (standing, count) in &mut counts {
                if *standing == Standing::Frozen {
                    *count += frozen;
                } else if *standing == Standing::of(status, false) {
                    *count += all - frozen;
                }
            }
        }
        Ok(counts)
    }

    /// What the workspace's calls came to, in stretches of `step`, by class of status, oldest first.
    pub async fn calls_over_time(
        &mut self,
        ws: &WorkspaceId,
        minutes: Minutes,
        step: Duration,
    ) -> Result<Vec<CallsAt>> {
        let query = sql("select minute - minute % $4 as bucket, status_class, \
             cast(sum(calls) as bigint) as calls, cast(sum(ours) as bigint) as ours, \
             cast(sum(attempts) as bigint) as attempts, cast(sum(bytes_in) as bigint) as bytes_in, \
             cast(sum(bytes_out) as bigint) as bytes_out, cast(sum(waited_us) as bigint) as waited_us, \
             cast(sum(first_byte_us) as bigint) as first_byte_us, \
             cast(sum(duration_us) as bigint) as duration_us, \
             cast(sum(to_5) as bigint) as to_5, cast(sum(to_10) as bigint) as to_10, \
             cast(sum(to_25) as bigint) as to_25, cast(sum(to_50) as bigint) as to_50, \
             cast(sum(to_100) as bigint) as to_100, cast(sum(to_250) as bigint) as to_250, \
             cast(sum(to_500) as bigint) as to_500, cast(sum(to_1000) as bigint) as to_1000, \
             cast(sum(to_2500) as bigint) as to_2500, cast(sum(to_10000) as bigint) as to_10000, \
             cast(sum(to_60000) as bigint) as to_60000, cast(sum(longer) as bigint) as longer \
             from call_rollup where workspace_id = $1 and minute >= $2 and minute < $3 \
             group by 1, 2 order by 1, 2");
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(60_000);
        let query = query.text(ws.as_str()).at(minutes.from).at(minutes.until).int(step);
        self.rows(query).await?.iter().map(calls_at).collect()
    }

    /// What the workspace's calls came to by integration, those with the most failed calls first.
    pub async fn calls_by_integration(
        &mut self,
        ws: &WorkspaceId,
        minutes: Minutes,
        limit: i64,
    ) -> Result<Vec<CallsOf>> {
        let query = sql("select integration_id, cast(sum(calls) as bigint) as calls, \
             cast(sum(case when status_class >= 4 then calls else 0 end) as bigint) as failed \
             from call_rollup where workspace_id = $1 and minute >= $2 and minute < $3 \
             group by integration_id order by 3 desc, 2 desc limit $4");
        let query = query.text(ws.as_str()).at(minutes.from).at(minutes.until).int(limit);
        let read = |row: &Row| {
            Ok(CallsOf {
                integration_id: row.id("integration_id", IntegrationId::from_row)?,
                calls: row.number("calls")?,
                failed: row.number("failed")?,
            })
        };
        self.rows(query).await?.iter().map(read).collect()
    }
}

fn calls_at(row: &Row) -> Result<CallsAt> {
    Ok(CallsAt { from: row.at("bucket")?, class: row.number("status_class")?, sums: sums_of(row)? })
}
