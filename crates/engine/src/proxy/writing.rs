//! Writing what calls came to: one task, off everybody's path. Rows are written as they come, a batch to a transaction;
//! the sums every few seconds, in a transaction with whatever rows are there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior},
};

use super::{
    proven::{self, Proven},
    tallies::{MOST, Tallies},
    used::{self, Noted},
};
use crate::{
    domain::{
        audit::Actor,
        call_rollup::{CallRollup, RollupKey, Sums},
        request_log::RequestLog,
    },
    error::{Error, Result},
    metrics::Metrics,
    store::Store,
    time::Millis,
};

/// How many rows are written at once.
const BATCH: usize = 256;
/// How long the first row of a batch waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// How long sums wait: the more calls go into one row, the less it costs.
const EVERY: Duration = Duration::from_secs(5);

/// What the task is handed.
pub(super) enum Message {
    Row(Box<RequestLog>),
    Proven(Proven, Millis),
    Flush(oneshot::Sender<()>),
}

/// Writes until nobody can hand in anything more, and then what is left.
pub(super) async fn run(
    store: Store,
    mut queue: mpsc::Receiver<Message>,
    tallies: Arc<Tallies>,
    metrics: Arc<Metrics>,
) {
    let mut writer = Writer::new(store, tallies, metrics);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = true;
    while open {
        let mut batch = Batch::default();
        let due = tokio::select! {
            _ = tick.tick() => true,
            message = queue.recv() => {
                open = message.is_some();
                batch.gather(message, &mut queue).await;
                false
            }
        };
        if due {
            batch.take_what_is_there(&mut queue);
        }
        if due || !open || !batch.waiting.is_empty() {
            writer.sum_up().await;
        }
        writer.write_batch(batch).await;
    }
}

/// What is written at once, and who waits for it.
#[derive(Default)]
struct Batch {
    rows: Vec<RequestLog>,
    proven: Vec<(Proven, Millis)>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Batch {
    /// Takes what comes within a moment, and no more when somebody waits for it.
    async fn gather(&mut self, first: Option<Message>, queue: &mut mpsc::Receiver<Message>) {
        let until = Instant::now() + LINGER;
        let mut next = first;
        while let Some(message) = next {
            self.add(message);
            if !self.has_room() {
                return;
            }
            next = tokio::time::timeout_at(until, queue.recv()).await.unwrap_or_default();
        }
    }

    fn take_what_is_there(&mut self, queue: &mut mpsc::Receiver<Message>) {
        while self.has_room()
            && let Ok(message) = queue.try_recv()
        {
            self.add(message);
        }
    }

    fn has_room(&self) -> bool {
        self.rows.len() < BATCH && self.waiting.is_empty()
    }

    fn add(&mut self, message: Message) {
        match message {
            Message::Row(row) => self.rows.push(*row),
            Message::Proven(token, at) => self.proven.push((token, at)),
            Message::Flush(done) => self.waiting.push(done),
        }
    }
}

pub(super) struct Writer {
    store: Store,
    tallies: Arc<Tallies>,
    metrics: Arc<Metrics>,
    noted: Noted,
    /// What goes with the next batch.
    pub sums: BTreeMap<RollupKey, Sums>,
}

impl Writer {
    pub fn new(store: Store, tallies: Arc<Tallies>, metrics: Arc<Metrics>) -> Self {
        Self { store, tallies, metrics, noted: Noted::default(), sums: BTreeMap::new() }
    }

    async fn write_batch(&mut self, batch: Batch) {
        if let Err(error) = proven::note(&self.store, batch.proven).await {
            tracing::warn!(error = ?error, "it was not noted which tokens work");
        }
        self.metrics.log.rows_taken(batch.rows.len());
        self.write(&batch.rows).await;
        for done in batch.waiting {
            let _gone = done.send(());
        }
    }

    /// Takes what was summed up since the last time, and notes which connections it used.
    pub async fn sum_up(&mut self) {
        let taken = self.tallies.take();
        self.keep(taken.sums);
        if let Err(error) = used::note(&self.store, taken.used, &mut self.noted).await {
            tracing::warn!(error = ?error, "it was not noted which connections were used");
        }
    }

    /// Adds sums to those that are still to be written; of what never fits in, it is counted that it was lost.
    fn keep(&mut self, sums: BTreeMap<RollupKey, Sums>) {
        for (key, sums) in sums {
            if self.sums.len() >= 2 * MOST && !self.sums.contains_key(&key) {
                self.metrics.log.calls_unsummed(sums.calls);
            } else {
                self.sums.entry(key).or_default().merge(&sums);
            }
        }
    }

    /// Writes a batch; when that fails, what can be written of it.
    pub async fn write(&mut self, rows: &[RequestLog]) {
        let sums: Vec<_> =
            std::mem::take(&mut self.sums).into_iter().map(|(key, sums)| CallRollup { key, sums }).collect();
        let Err(whole) = self.store_batch(rows, &sums).await else { return };
        // A database that takes nothing at all is not asked again for each row. Sums wait until it does.
        if self.store.check_writable().await.is_err() {
            self.lost(rows.len(), &whole);
            self.keep(sums.into_iter().map(|one| (one.key, one.sums)).collect());
            return;
        }
        // What can't be written (its workspace is gone meanwhile) takes nothing else with it.
        for row in rows {
            if let Err(error) = self.store_batch(std::slice::from_ref(row), &[]).await {
                self.lost(1, &error);
            }
        }
        for of_one in sums.chunk_by(|one, next| one.key.workspace_id == next.key.workspace_id) {
            if let Err(error) = self.store_batch(&[], of_one).await {
                self.metrics.log.calls_unsummed(of_one.iter().map(|one| one.sums.calls).sum());
                tracing::warn!(error = ?error, "sums of calls were not written");
            }
        }
    }

    fn lost(&self, rows: usize, error: &Error) {
        if rows > 0 {
            self.metrics.log.rows_dropped(rows);
            tracing::warn!(lost = rows, error = ?error, "rows of the request log were not written");
        }
    }

    async fn store_batch(&self, rows: &[RequestLog], sums: &[CallRollup]) -> Result<()> {
        let latest = rows.iter().map(|row| row.at).chain(sums.iter().map(|one| one.key.minute)).max();
        let Some(now) = latest else { return Ok(()) };
        let mut conn = self.store.begin(Actor::System, now).await?;
        conn.any_add_request_logs(rows).await?;
        conn.any_add_call_rollups(sums).await?;
        conn.commit().await?;
        self.metrics.log.rows_written(rows.len());
        self.metrics.log.rollups_written(sums.len());
        Ok(())
    }
}
