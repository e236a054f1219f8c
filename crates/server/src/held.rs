//! What is held: connections of callers, and tasks, counted when monitoring asks.

use std::sync::Arc;

use claviger_engine::metrics::{self, RUNTIMES};
use tokio::runtime::Handle;

use crate::{cores::Cores, listen::Limits};

/// Where it is counted. Cloning is cheap. Without listeners and threads there is nothing to count.
#[derive(Clone, Default)]
pub struct Held(Option<Arc<Places>>);

struct Places {
    listeners: Limits,
    /// By the names of [`RUNTIMES`].
    runtimes: [Vec<Handle>; RUNTIMES.len()],
}

impl Held {
    /// By listeners with these limits, the runtime that asks, and those of the threads.
    pub fn of(listeners: Limits, cores: &Cores) -> Self {
        let runtimes = [vec![Handle::current()], cores.handles().cloned().collect()];
        Self(Some(Arc::new(Places { listeners, runtimes })))
    }

    /// Counts.
    pub fn count(&self, into: &metrics::Held) {
        let Some(places) = &self.0 else { return };
        into.clients(places.listeners.open());
        for (name, handles) in RUNTIMES.into_iter().zip(&places.runtimes) {
            into.tasks(name, handles.iter().map(|handle| handle.metrics().num_alive_tasks()).sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_engine::metrics::Metrics;

    use super::*;

    fn told(metrics: &Metrics, line: &str) -> bool {
        metrics.text().unwrap().lines().any(|l| l == line)
    }

    #[tokio::test]
    async fn connections_and_tasks_are_counted_while_there_are_any() {
        let (limits, cores, metrics) =
            (Limits::from(Duration::ZERO), Cores::start(2).unwrap(), Metrics::default());
        let held = Held::of(limits.clone(), &cores);
        let taken = limits.enter();
        let here = tokio::spawn(std::future::pending::<()>());
        let there: Vec<_> = cores.handles().map(|core| core.spawn(std::future::pending::<()>())).collect();
        held.count(&metrics.held);
        for line in [
            "claviger_client_connections 1",
            "claviger_tasks{runtime=\"main\"} 1",
            "claviger_tasks{runtime=\"proxy\"} 2",
        ] {
            assert!(told(&metrics, line), "{line} in\n{}", metrics.text().unwrap());
        }
        drop(taken);
        for task in std::iter::once(here).chain(there) {
            task.abort();
            let _aborted = task.await;
        }
        // Whoever waits for a task hears of its end a moment before the runtime has forgotten it.
        for _ in 0..1000 {
            held.count(&metrics.held);
            if told(&metrics, "claviger_tasks{runtime=\"proxy\"} 0") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for line in [
            "claviger_client_connections 0",
            "claviger_tasks{runtime=\"main\"} 0",
            "claviger_tasks{runtime=\"proxy\"} 0",
        ] {
            assert!(told(&metrics, line), "{line} in\n{}", metrics.text().unwrap());
        }
    }
}
