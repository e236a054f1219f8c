//! Jobs: what a serving process does without being asked.
//!
//! Each is a loop in a file of its own that ends when told to. Everything that lasts is in the store, so any
//! number of processes may run them over one database, and a process may die in the middle of any.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    connect::device,
    gauges, refresh,
    retention::{self, Keep},
    scrub, watch,
    webhook::deliver,
};

/// The jobs of one process.
pub struct Jobs {
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Jobs {
    /// Starts them all.
    pub fn start(broker: &Arc<Broker>, keep: Keep) -> Self {
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(deliver::run(broker.clone(), stop.clone()));
        running.spawn(retention::run(broker.clone(), keep, stop.clone()));
        running.spawn(scrub::run(broker.clone(), stop.clone()));
        running.spawn(gauges::run(broker.clone(), stop.clone()));
        running.spawn(device::run(broker.clone(), stop.clone()));
        running.spawn(refresh::sweep::run(broker.clone(), stop.clone()));
        running.spawn(refresh::expiring::run(broker.clone(), stop.clone()));
        running.spawn(watch::run(broker.clone(), stop.clone()));
        Self { stop, running }
    }

    /// Begins nothing new, and waits until each has ended what it is in the middle of.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}
