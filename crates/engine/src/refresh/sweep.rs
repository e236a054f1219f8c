//! The sweep: what keeps connections alive though nobody calls.
//!
//! Each process looks about twice a minute for credentials that will soon end, or whose refresh tokens would die of not
//! being used (`due`), and for connections whose provider is to be asked now and then whether it still takes
//! them (`probe`). A provider gets few requests at once and a place of its own to wait in, so that one which is
//! slow holds nobody else up. It decides nothing about a credential: `run` does, over all processes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{ahead, due, line::place, probe};
use crate::{
    broker::Broker,
    error::Result,
    id::ConnectionId,
    secret,
    store::{Due, DueBy, DueMark},
    time::Millis,
};

/// How often it is looked, give or take a sixth.
const EVERY: Duration = Duration::from_secs(30);
/// How often it is looked for what dies of idleness, and for what is to be verified: these go by hours and days.
const SELDOM: Duration = Duration::from_secs(300);
/// How often it is looked for what expired longer than `LAPSED` ago.
const RARELY: Duration = Duration::from_secs(3600);
/// What expired longer ago than this is hardly ever due: nobody uses it, or it would have been refreshed. It may be most of
/// what there is.
const LAPSED: Duration = Duration::from_secs(86_400);
/// Requests at once, of all providers.
const AT_ONCE: usize = 32;
/// Requests at once to one provider.
const EACH: usize = 4;
/// How many connections of one provider wait at most; the others are found again the next time.
const WAITING: usize = 200;
/// Rows that are looked at together.
const PAGE: i64 = 500;

/// How far it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Far {
    /// For what expires now.
    Near,
    /// Also for what dies of idleness, and for what is to be verified.
    Seldom,
    /// Also for what expired long ago.
    Rarely,
}

/// When it was last looked how far.
#[derive(Default)]
struct Looked {
    seldom: Option<Millis>,
    rarely: Option<Millis>,
}

impl Looked {
    /// How far to look now.
    fn next(&mut self, now: Millis) -> Far {
        let over = |last: Option<Millis>, every| last.is_none_or(|last| now.since(last) >= every);
        if over(self.rarely, RARELY) {
            (self.seldom, self.rarely) = (Some(now), Some(now));
            Far::Rarely
        } else if over(self.seldom, SELDOM) {
            self.seldom = Some(now);
            Far::Seldom
        } else {
            Far::Near
        }
    }
}

/// One thing to do.
pub(super) enum Work {
    /// To make a credential anew.
    Refresh(Due),
    /// To ask whether one is still taken.
    Probe(probe::Probe),
}

impl Work {
    fn connection(&self) -> &ConnectionId {
        match self {
            Self::Refresh(due) => &due.connection_id,
            Self::Probe(probe) => &probe.connection_id,
        }
    }
}

/// Looks now and then, until `stop`. What it began by then comes to its end by itself.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let mut sweep = Sweep::new(&broker);
    let mut looked = Looked::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause()) => {}
        }
        sweep.reap();
        let far = looked.next(broker.clock.now());
        if let Err(error) = sweep.look(far).await {
            tracing::warn!(error = ?error, "what is due could not be looked up");
        }
    }
}

/// Looks once for everything, and waits until all that is due is done. Gives how many connections that were.
///
/// # Errors
/// `Internal` when the database fails. A refresh or a verification that fails is no error here.
pub async fn once(broker: &Arc<Broker>) -> Result<usize> {
    let mut sweep = Sweep::new(broker);
    sweep.look(Far::Rarely).await?;
    let many = sweep.under_way.len();
    sweep.finish().await;
    Ok(many)
}

fn pause() -> Duration {
    let jitter = secret::random::<1>().map_or(127, |[byte]| byte);
    EVERY * 5 / 6 + EVERY / 3 * u32::from(jitter) / 255
}

/// What one process is at.
struct Sweep {
    broker: Arc<Broker>,
    all: Arc<Semaphore>,
    places: HashMap<String, Place>,
    under_way: HashSet<ConnectionId>,
    tasks: JoinSet<Done>,
}

/// A place to wait in.
struct Place {
    turns: Arc<Semaphore>,
    waiting: usize,
}

/// What came to its end.
struct Done {
    connection: ConnectionId,
    /// Where it waited.
    at: String,
}

impl Sweep {
    fn new(broker: &Arc<Broker>) -> Self {
        Self {
            broker: Arc::clone(broker),
            all: Arc::new(Semaphore::new(AT_ONCE)),
            places: HashMap::new(),
            under_way: HashSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Begins all that is due, as far as it is looked.
    async fn look(&mut self, far: Far) -> Result<()> {
        let refreshes = self.broker.refresh.ahead;
        if let Some(ahead) = longest_lead(&self.broker).filter(|_| refreshes) {
            let now = self.broker.clock.now();
            let from = if far < Far::Rarely { DueMark::from(now.minus(LAPSED)) } else { DueMark::start() };
            self.refreshes(DueBy::Expiry, from, now.plus(ahead)).await?;
        }
        if far < Far::Seldom {
            return Ok(());
        }
        if let Some(age) = shortest_idleness(&self.broker).filter(|_| refreshes) {
            self.refreshes(DueBy::Age, DueMark::start(), self.broker.clock.now().minus(age)).await?;
        }
        for probe in probe::due(&self.broker).await? {
            let Some(provider) = self.broker.catalog.get(&probe.provider) else { continue };
            self.begin(place(&provider, &probe.integration_id), Work::Probe(probe));
        }
        Ok(())
    }

    async fn refreshes(&mut self, by: DueBy, from: DueMark, until: Millis) -> Result<()> {
        let mut mark = Some(from);
        while let Some(after) = mark {
            let now = self.broker.clock.now();
            // Closed before anything is begun: who is to be refreshed waits for connections to the database too.
            let (page, next) = {
                let mut conn = self.broker.store.read().await?;
                conn.any_due(by, until, &after, now, PAGE).await?
            };
            for one in shuffled(page) {
                // One that left the catalog can't be asked.
                let Some(provider) = self.broker.catalog.get(&one.provider) else { continue };
                if due::is_due(&provider, &one, now) {
                    let place = place(&provider, &one.integration_id);
                    self.begin(place, Work::Refresh(one));
                }
            }
            mark = next;
        }
        Ok(())
    }

    /// Begins one thing, when it is the turn of its provider, unless it is under way or too many wait.
    fn begin(&mut self, at: String, work: Work) {
        let place = self
            .places
            .entry(at.clone())
            .or_insert_with(|| Place { turns: Arc::new(Semaphore::new(EACH)), waiting: 0 });
        let connection = work.connection().clone();
        if place.waiting >= WAITING || !self.under_way.insert(connection.clone()) {
            return;
        }
        place.waiting += 1;
        let (broker, turns, all) =
            (Arc::clone(&self.broker), Arc::clone(&place.turns), Arc::clone(&self.all));
        let done = Done { connection, at };
        self.tasks.spawn(async move {
            // The provider's turn first: whoever waits for a slow one must not hold a turn of all.
            if let (Some(_one), Some(_of_all)) = (turn(&turns).await, turn(&all).await) {
                perform(&broker, work).await;
            }
            done
        });
    }

    /// Forgets what came to its end.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            self.ended(ended.ok());
        }
    }

    async fn finish(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended.ok());
        }
    }

    fn ended(&mut self, done: Option<Done>) {
        let Some(done) = done else { return };
        self.under_way.remove(&done.connection);
        if let Some(place) = self.places.get_mut(&done.at) {
            place.waiting -= 1;
        }
    }
}

async fn turn(of: &Semaphore) -> Option<SemaphorePermit<'_>> {
    of.acquire().await.ok()
}

async fn perform(broker: &Arc<Broker>, work: Work) {
    let connection = work.connection().clone();
    let done = match work {
        Work::Refresh(due) => ahead::refresh(broker, &due).await,
        Work::Probe(probe) => probe::verify(broker, &probe).await,
    };
    if let Err(error) = done {
        tracing::info!(%connection, %error, "a connection could not be kept alive ahead of time");
    }
}

/// In an order of this process's own, so that processes which look at the same time begin with different ones.
fn shuffled(mut page: Vec<Due>) -> Vec<Due> {
    let seed = secret::random::<8>().map_or(0, u64::from_le_bytes);
    let mut state = seed | 1;
    for n in (1..page.len()).rev() {
        // A multiplier of Knuth's; nothing hangs on how good it is.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let span = u64::try_from(n).unwrap_or(u64::MAX).saturating_add(1);
        page.swap(n, usize::try_from((state >> 33) % span).unwrap_or(0));
    }
    page
}

/// How long before their expiry credentials are looked at: the longest that any provider's can be due by.
fn longest_lead(broker: &Broker) -> Option<Duration> {
    broker.catalog.iter().map(|provider| due::longest_lead(provider)).max()
}

/// How old credentials are at least that may be due for their idleness; `None` when no provider knows such a thing.
fn shortest_idleness(broker: &Broker) -> Option<Duration> {
    broker.catalog.iter().filter_map(|provider| due::earliest_idleness(provider)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_idle_is_looked_for_seldom_and_what_ended_long_ago_rarely() {
        let (mut looked, at) = (Looked::default(), |seconds| Millis(0).plus(Duration::from_secs(seconds)));
        for (seconds, far) in [
            (0, Far::Rarely),
            (30, Far::Near),
            (299, Far::Near),
            (300, Far::Seldom),
            (330, Far::Near),
            (3599, Far::Seldom),
            (3600, Far::Rarely),
            (3899, Far::Near),
            (3900, Far::Seldom),
        ] {
            assert_eq!(looked.next(at(seconds)), far, "{seconds}");
        }
    }

    #[test]
    fn it_is_looked_about_twice_a_minute() {
        for _ in 0..64 {
            let pause = pause();
            assert!((25..=35).contains(&pause.as_secs()), "{pause:?}");
        }
    }
}
