//! Cores: threads that serve proxied calls, each with a runtime of its own.
//!
//! A connection stays on the thread that it was given to, and so do the calls on it, their connections to providers among them
//! ([`outbound::take_lane`]): nothing that a call needs is woken on another thread. The other doors stay on the program's own
//! runtime, as do the jobs.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use claviger_engine::outbound;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The threads. Dropped, they end, and with them what still runs there.
pub struct Cores(Vec<Core>);

struct Core {
    handle: Handle,
    /// How many connections it has.
    busy: Arc<AtomicUsize>,
    /// Dropped at the end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A connection's place on a thread. Dropped, the place is free.
pub struct Place {
    /// Where to spawn what serves it.
    pub handle: Handle,
    busy: Arc<AtomicUsize>,
}

impl Cores {
    /// Starts so many threads.
    ///
    /// # Errors
    /// When the system gives no thread, or no means to wait for sockets.
    pub fn start(count: usize) -> io::Result<Self> {
        (0..count.max(1)).map(Core::start).collect::<io::Result<_>>().map(Self)
    }

    /// The threads' runtimes.
    pub fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().map(|core| &core.handle)
    }

    /// A place on the thread that has the fewest connections.
    pub fn place(&self) -> Option<Place> {
        let core = self.0.iter().min_by_key(|core| core.busy.load(Ordering::Relaxed))?;
        core.busy.fetch_add(1, Ordering::Relaxed);
        Some(Place { handle: core.handle.clone(), busy: core.busy.clone() })
    }
}

impl Core {
    fn start(lane: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("proxy-{lane}")).spawn(move || {
            outbound::take_lane(lane);
            let _stopped = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, busy: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_go_where_the_fewest_are_and_stay_there() {
        let cores = Cores::start(2).unwrap();
        let busy = || cores.0.iter().map(|core| core.busy.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (one, two, three) = (cores.place().unwrap(), cores.place().unwrap(), cores.place().unwrap());
        assert_eq!(busy(), [2, 1]);
        drop((one, three));
        assert_eq!(busy(), [0, 1]);
        let name = async || std::thread::current().name().map(str::to_owned);
        let at = |place: &Place| place.handle.spawn(name());
        assert_eq!(at(&two).await.unwrap().as_deref(), Some("proxy-1"));
        assert_eq!(at(&cores.place().unwrap()).await.unwrap().as_deref(), Some("proxy-0"));
    }

    #[tokio::test]
    async fn what_runs_at_the_end_is_dropped() {
        let cores = Cores::start(1).unwrap();
        let running = cores.place().unwrap().handle.spawn(std::future::pending::<()>());
        drop(cores);
        assert!(running.await.unwrap_err().is_cancelled());
    }
}
