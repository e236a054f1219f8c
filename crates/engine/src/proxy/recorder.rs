//! The recorder: where calls that are over are handed in. Their sums and some rows wait in memory for the one task that
//! writes them ([`super::writing`]); nobody's call waits for it. When there are too many rows, one is dropped and counted.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{
    proven::Proven,
    sample::{Sampler, Sampling},
    tallies::{self, Tallies},
    writing::{self, Message},
};
use crate::{
    domain::{call_rollup::FinishedCall, connection::Connection, request_log::RequestLog},
    id::RequestId,
    metrics::Metrics,
    name::Name,
    store::Store,
    time::Millis,
};

/// How many rows may wait.
const QUEUE: usize = 4096;

/// Where calls are handed in. Cloning shares it.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<Message>,
    tallies: Arc<Tallies>,
    sampler: Sampler,
    metrics: Arc<Metrics>,
}

/// The end of an id is random.
fn draw(id: &RequestId) -> u64 {
    let text = id.as_str();
    let last = text.len().checked_sub(8).and_then(|from| text.get(from..));
    last.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

impl Recorder {
    /// Starts the task that writes, on the runtime it is called in; it ends when the last clone is dropped and everything
    /// is written.
    pub fn new(store: Store, sampling: Sampling, metrics: &Arc<Metrics>) -> Self {
        let (this, messages) = Self::with_room(QUEUE, sampling, metrics);
        tokio::spawn(writing::run(store, messages, Arc::clone(&this.0.tallies), Arc::clone(metrics)));
        this
    }

    fn with_room(room: usize, sampling: Sampling, metrics: &Arc<Metrics>) -> (Self, mpsc::Receiver<Message>) {
        let (queue, messages) = mpsc::channel(room);
        let tallies = Arc::new(Tallies::new(tallies::MOST));
        let inner = Inner { queue, tallies, sampler: Sampler::new(sampling), metrics: Arc::clone(metrics) };
        (Self(Arc::new(inner)), messages)
    }

    #[cfg(test)]
    pub(super) fn without_writer(room: usize) -> (Self, impl Sized) {
        Self::with_room(room, Sampling::ALL, &Arc::default())
    }

    /// Returns once everything handed in before is written, or given up.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.queue.send(Message::Flush(done)).await.is_ok() {
            let _ended = written.await;
        }
    }

    /// How many rows were lost, to a full queue or a failing database.
    pub fn dropped(&self) -> u64 {
        self.0.metrics.log.rows_dropped_so_far()
    }

    /// Adds a call to the sums.
    pub(super) fn sum(&self, name: Name, connection: &Connection, call: &FinishedCall) {
        self.0.tallies.add(name, connection, call);
    }

    /// Whether a call gets a row.
    pub(super) fn wants_row(&self, failed: bool, call: &FinishedCall, id: &RequestId) -> bool {
        self.0.sampler.wants(failed, call.at, draw(id))
    }

    /// Hands in a row.
    pub(super) fn add(&self, row: RequestLog) {
        match self.0.queue.try_send(Message::Row(Box::new(row))) {
            Ok(()) => self.0.metrics.log.row_waits(),
            Err(_) => self.0.metrics.log.rows_dropped(1),
        }
    }

    /// Hands in that a token works; when there is no room, another call will.
    pub(super) fn prove(&self, proven: Proven, at: Millis) {
        let _no_room = self.0.queue.try_send(Message::Proven(proven, at));
    }
}
