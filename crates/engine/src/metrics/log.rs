//! Metrics of the request log: what was written, what was lost, and how many rows wait.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Outcome;

/// What was kept of proxied calls.
#[derive(Default)]
pub struct Log {
    rows: Family<Outcome, Counter>,
    rows_waiting: Gauge,
    rollups: Counter,
    unsummed: Counter,
}

impl Log {
    pub(super) fn register(&self, to: &mut Registry) {
        for outcome in ["written", "dropped"] {
            let _made = self.rows.get_or_create(&Outcome { outcome });
        }
        let help = "Rows of the request log: written, or lost to a full queue or a failing database";
        to.register("request_log_rows", help, self.rows.clone());
        to.register(
            "request_log_waiting",
            "Rows of the request log that wait to be written",
            self.rows_waiting.clone(),
        );
        to.register("call_rollups", "Sums of calls that were written", self.rollups.clone());
        let help = "Proxied calls that are in no sum, lost to a failing database";
        to.register("call_rollup_lost_calls", help, self.unsummed.clone());
    }

    /// A row waits.
    pub fn row_waits(&self) {
        self.rows_waiting.inc();
    }

    /// Rows wait no longer.
    pub fn rows_taken(&self, rows: usize) {
        self.rows_waiting.dec_by(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    /// Rows were written.
    pub fn rows_written(&self, rows: usize) {
        self.count("written", rows);
    }

    /// Rows were lost.
    pub fn rows_dropped(&self, rows: usize) {
        self.count("dropped", rows);
    }

    /// How many rows were lost so far.
    pub fn rows_dropped_so_far(&self) -> u64 {
        self.rows.get_or_create(&Outcome { outcome: "dropped" }).get()
    }

    /// Sums were written.
    pub fn rollups_written(&self, rollups: usize) {
        self.rollups.inc_by(wide(rollups));
    }

    /// Calls were lost to the sums.
    pub fn calls_unsummed(&self, calls: u64) {
        self.unsummed.inc_by(calls);
    }

    fn count(&self, outcome: &'static str, rows: usize) {
        self.rows.get_or_create(&Outcome { outcome }).inc_by(wide(rows));
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
