//! Watch: calls under way are cut when what they stand on ends, in whichever process that was said.
//!
//! Each proxied call has a `Ticket` while it lasts. Every second a job reads what changed since it last looked (see
//! [`crate::store::change`]) and looks again at whatever calls stand on it: a connection that was frozen or ended, an
//! API key that was revoked, a user who was disabled or signed out, an integration that the user no longer sees. It must
//! never decide anything that the proxy would decide otherwise: who may call is said in [`crate::proxy`] alone.

use std::{
    collections::HashMap,
    fmt,
    hash::BuildHasherDefault,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::task::AtomicWaker;

use crate::{
    error::Error,
    id::{ConnectionId, IntegrationId, WorkspaceId},
    name::AsItIs,
    proxy::Caller,
};

mod cut;
mod look;

pub use crate::memory::BLIND;
pub(crate) use cut::{Ended, until_cut};
use look::Seen;
pub use look::{EVERY, Look, once, run};

/// Calls are kept in so many parts, each with a lock of its own.
const PARTS: usize = 16;
/// How often it is looked whether all are through, when the process ends.
const LOOK: Duration = Duration::from_millis(20);

/// The calls under way in this process.
#[derive(Default)]
pub struct Watch {
    parts: [Mutex<Part>; PARTS],
    next: AtomicU64,
    /// How often something was found changed. Who enters with an older number may have read what was before it.
    turn: AtomicU64,
    /// Calls that entered so.
    late: Mutex<Vec<Arc<Open>>>,
}

/// By a number that no other call has.
type Part = HashMap<u64, Arc<Open>, BuildHasherDefault<AsItIs>>;

/// Odd, so that numbers that are counted up stay different, and are spread over all bits (Knuth's).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a call stands on.
pub(crate) struct Standing {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection that it is made with.
    pub connection: ConnectionId,
    /// The connection's integration.
    pub integration: IntegrationId,
    /// Who calls.
    pub caller: Caller,
}

/// A call under way.
struct Open {
    standing: Standing,
    cut: AtomicBool,
    why: Mutex<Option<Error>>,
    waker: AtomicWaker,
}

/// A call's place among those that are watched. Dropped, the place is given up.
pub(crate) struct Ticket {
    of: Arc<Watch>,
    number: u64,
    open: Arc<Open>,
}

impl Watch {
    /// Which turn it is. Read it before what a call stands on is read.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    /// Takes a place for a call whose standing was read in or after this turn.
    pub(crate) fn enter(self: &Arc<Self>, turn: u64, standing: Standing) -> Ticket {
        let open =
            Open { standing, cut: AtomicBool::new(false), why: Mutex::default(), waker: AtomicWaker::new() };
        let number = self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(SPREAD);
        let open = Arc::new(open);
        self.part(number).insert(number, open.clone());
        // After the insertion: whoever moves the turn on from here finds the call in its place.
        if self.turn() != turn {
            lock(&self.late).push(open.clone());
        }
        Ticket { of: self.clone(), number, open }
    }

    /// How many calls are under way.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At the end of the process: waits until no call is under way, and cuts those that still are after so long. Calls
    /// that became WebSockets are no listener's any more, so nobody else would.
    pub async fn leave(&self, limit: Duration) {
        let through = async {
            while !self.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(limit, through).await.is_err() {
            for open in self.all() {
                open.cut(Error::Denied { message: "Claviger is being stopped".to_owned() });
            }
        }
    }

    /// All calls under way.
    fn all(&self) -> Vec<Arc<Open>> {
        self.parts.iter().flat_map(|part| lock(part).values().cloned().collect::<Vec<_>>()).collect()
    }

    fn part(&self, number: u64) -> MutexGuard<'_, Part> {
        // Other bits than those by which a table finds its entries.
        let part = usize::try_from((number >> 32) % PARTS as u64).unwrap_or_default();
        lock(&self.parts[part])
    }

    /// The calls that any of these changes may be about.
    fn touched(&self, seen: &Seen) -> Vec<Arc<Open>> {
        let mut found: Vec<_> = lock(&self.late).drain(..).collect();
        if seen.is_empty() {
            return found;
        }
        for part in &self.parts {
            let part = lock(part);
            found.extend(part.values().filter(|open| seen.concerns(&open.standing)).cloned());
        }
        found
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("calls", &self.len()).finish_non_exhaustive()
    }
}

impl Open {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn cut(&self, why: Error) {
        lock(&self.why).get_or_insert(why);
        self.cut.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Ticket {
    /// Ready once the call is cut. One task at a time may ask.
    pub(crate) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cut() {
            return Poll::Ready(());
        }
        self.open.waker.register(cx.waker());
        // Once more: it may have been cut before the waker was there.
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the call is cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.open.is_cut()
    }

    /// Waits until the call is cut, and says why.
    pub(crate) async fn cut(&self) -> Error {
        std::future::poll_fn(|cx| self.poll_cut(cx)).await;
        lock(&self.open.why).take().unwrap_or_else(|| Error::Denied { message: OVER.to_owned() })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.of.part(self.number).remove(&self.number);
    }
}

/// What a caller reads whose call was cut for no better reason.
const OVER: &str = "Whether this call may go on can't be told at present";

#[cfg(test)]
mod tests;
