//! The pool: connections to providers, and which of them are used again, and by whom.
//!
//! Each thread that serves calls has a lane: its connections are opened, used and closed on that thread, and no call waits for
//! another one's. A connection of HTTP/1.1 is one request's until its answer has ended, one of HTTP/2 is everybody's. What may
//! be sent only once has a connection of its own: one that waited may be closed by its other end just as the request
//! leaves, and then nobody knows whether it arrived.

use std::{
    cell::Cell,
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::Either;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::{
    client::legacy::connect::Connection as _,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{runtime::Handle, task::AbortHandle};
use tower_service::Service as _;

use super::{
    body::Body,
    connect::{Connector, Gate, Versions},
    destination::Destination,
    failure::{Failure, FailureKind},
    spoken::Version,
};
use crate::{limit::timer::Timer, name::AsItIs};

/// How often it is looked for connections that nobody uses.
const ROUND: Duration = Duration::from_secs(15);
/// After so many rounds one is closed: a minute.
const ROUNDS: u32 = 4;
/// How long a connection may take to be ready again when its answer has ended: what is left of a request's body may still be
/// under way. Beyond it the connection is cut, or a provider that reads no more would hold it for ever.
const SETTLE: Duration = Duration::from_secs(30);
/// Bytes of an answer's head.
const HEAD: usize = 256 * 1024;
/// Bytes of an answer over HTTP/2 that may be under way before somebody takes them.
const STREAM_WINDOW: u32 = 512 * 1024;
/// Bytes of a request's body over HTTP/2 that may wait for the connection.
const SEND_BUFFER: usize = 256 * 1024;
/// How long an HTTP/2 connection with requests under way may be silent before it is asked whether it is there, and then to
/// say so.
const PING: Duration = Duration::from_secs(20);

thread_local! {
    /// The first one is for threads that took none.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// Says which of [`super::Config::lanes`] this thread's requests take, counted from 0. Threads that say nothing share one
/// more, so that no connection of theirs is another thread's.
pub fn take_lane(lane: usize) {
    LANE.set(lane + 1);
}

/// The connections over one connector. Cloning shares them.
#[derive(Clone)]
pub(super) struct Pool {
    lanes: Arc<[Arc<Lane>]>,
    usual: Connector,
    http1: Connector,
}

#[derive(Default)]
struct Lane(Mutex<Waiting>);

/// The connections of a lane that wait to be used.
#[derive(Default)]
struct Waiting {
    by_destination: HashMap<Destination, Kept, BuildHasherDefault<AsItIs>>,
    /// How often it was looked for those that nobody uses.
    round: u32,
    /// Whether somebody does so.
    looked_after: bool,
}

/// The connections to one destination, each with the round in which it was last used.
#[derive(Default)]
struct Kept {
    /// The one that was used last is used next.
    http1: Vec<(Http1, u32)>,
    http2: Option<(http2::SendRequest<Body>, u32)>,
}

struct Http1 {
    sender: http1::SendRequest<Body>,
    /// What carries its bytes.
    task: AbortHandle,
    timer: Timer,
}

/// A connection as one request has it. Dropped, it is closed, or has one request less; [`Lease::give_back`] keeps it.
pub(super) struct Lease {
    sender: Sender,
    /// For whoever waits for the connection.
    pub timer: Timer,
    /// Where it waits afterwards; nowhere, when it is used once.
    home: Option<(Arc<Lane>, Destination)>,
}

enum Sender {
    Http1(http1::SendRequest<Body>, AbortHandle),
    Http2(http2::SendRequest<Body>),
}

/// Why a request got no answer; and the request, where it never left.
pub(super) type Unsent = TrySendError<Request<Body>>;

impl Pool {
    /// With so many lanes, and one for who took none. `https_only`: for requests that go nowhere without TLS.
    pub fn new(gate: &Arc<Gate>, tls: &rustls::ClientConfig, https_only: bool, lanes: usize) -> Self {
        let connector = |versions| Connector::new(Arc::clone(gate), tls.clone(), https_only, versions);
        let lanes = (0..=lanes).map(|_| Arc::default()).collect();
        Self { lanes, usual: connector(Versions::Both), http1: connector(Versions::Http1) }
    }

    /// A connection in a version of HTTP, and whether it was used before. `once` gives one that no other request uses.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn lease(
        &self,
        to: &Destination,
        version: Version,
        once: bool,
    ) -> Result<(Lease, bool), Failure> {
        let lane = &self.lanes[LANE.get() % self.lanes.len()];
        let home = || Some((Arc::clone(lane), to.clone()));
        if !once && let Some((sender, timer)) = lane.waiting().take(to, version) {
            return Ok((Lease { sender, timer, home: home() }, true));
        }
        // Seldom, and large: on the heap, so that calls need not carry room for it.
        let sender = Box::pin(self.connect(to, version)).await?;
        let home = home().filter(|_| !once);
        let Sender::Http2(own) = sender else {
            return Ok((Lease { sender, timer: Timer::default(), home }, false));
        };
        // Of many that began to connect at once, all use the connection that was there first.
        let mut first = own;
        if home.is_some() {
            lane.keep(to, |kept, round| match &kept.http2 {
                Some((theirs, _)) if theirs.is_ready() => first = theirs.clone(),
                _ => kept.http2 = Some((first.clone(), round)),
            });
        }
        Ok((Lease { sender: Sender::Http2(first), timer: Timer::default(), home }, false))
    }

    /// How many connections of HTTP/1.1 to there wait for this thread.
    #[cfg(test)]
    pub fn waiting(&self, to: &Destination) -> usize {
        let lane = &self.lanes[LANE.get() % self.lanes.len()];
        lane.waiting().by_destination.get(to).map_or(0, |kept| kept.http1.len())
    }

    async fn connect(&self, to: &Destination, version: Version) -> Result<Sender, Failure> {
        let mut connector = if version == Version::Old { self.http1.clone() } else { self.usual.clone() };
        let stream = connector.call(to.origin().clone()).await?;
        let broke = |error: hyper::Error| Failure::unsent(FailureKind::Connect, error.to_string());
        if version == Version::Clear || stream.connected().is_negotiated_h2() {
            let (sender, connection) = http2_settings().handshake(stream).await.map_err(broke)?;
            tokio::spawn(carry(connection));
            Ok(Sender::Http2(sender))
        } else {
            let (sender, connection) = http1_settings().handshake(stream).await.map_err(broke)?;
            let task = tokio::spawn(carry(connection.with_upgrades()));
            Ok(Sender::Http1(sender, task.abort_handle()))
        }
    }
}

/// Carries a connection's bytes until it ends. Whoever waits for an answer is told why.
async fn carry(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to a provider broke");
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one client there is")]
fn http1_settings() -> http1::Builder {
    let mut settings = http1::Builder::new();
    // Room for more than hyper's hundred headers would be taken from the heap for each answer.
    settings.max_buf_size(HEAD).preserve_header_case(true);
    settings
}

#[expect(clippy::disallowed_methods, reason = "this is the one client there is")]
fn http2_settings() -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX))
        // What nobody takes of one answer must not keep others of its connection waiting: together the streams have more
        // than a hundred of them need. Windows that adapt would be the connection's and each stream's alike.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW * 128)
        .max_send_buf_size(SEND_BUFFER)
        // A connection that died without a word is found out while somebody waits for it.
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    settings
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection, and sees to it that it is closed one day.
    fn keep(self: &Arc<Self>, to: &Destination, put: impl FnOnce(&mut Kept, u32)) {
        let mut waiting = self.waiting();
        let round = waiting.round;
        match waiting.by_destination.get_mut(to) {
            Some(kept) => put(kept, round),
            None => put(waiting.by_destination.entry(to.clone()).or_default(), round),
        }
        if !std::mem::replace(&mut waiting.looked_after, true) {
            tokio::spawn(look_after(Arc::downgrade(self)));
        }
    }
}

/// Closes what nobody uses, round by round, until nothing waits.
async fn look_after(lane: Weak<Lane>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(lane) = lane.upgrade() else { return };
        let mut waiting = lane.waiting();
        waiting.next_round();
        if waiting.by_destination.is_empty() {
            waiting.looked_after = false;
            return;
        }
    }
}

impl Waiting {
    /// A connection that can take a request now.
    fn take(&mut self, to: &Destination, version: Version) -> Option<(Sender, Timer)> {
        let round = self.round;
        let kept = self.by_destination.get_mut(to)?;
        if let Some((sender, used)) = &mut kept.http2 {
            if sender.is_ready() && version != Version::Old {
                *used = round;
                return Some((Sender::Http2(sender.clone()), Timer::default()));
            }
            kept.http2 = None;
        }
        while let Some((Http1 { sender, task, timer }, _)) = kept.http1.pop() {
            if sender.is_ready() {
                return Some((Sender::Http1(sender, task), timer));
            }
        }
        None
    }

    fn next_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        let round = self.round;
        let stays = |closed: bool, used: u32| !closed && round.wrapping_sub(used) < ROUNDS;
        self.by_destination.retain(|_, kept| {
            kept.http1.retain(|(conn, used)| stays(conn.sender.is_closed(), *used));
            kept.http2.take_if(|(sender, used)| !stays(sender.is_closed(), *used));
            !kept.http1.is_empty() || kept.http2.is_some()
        });
    }
}

impl Lease {
    /// Whether it is of HTTP/1.1.
    pub fn is_http1(&self) -> bool {
        matches!(self.sender, Sender::Http1(..))
    }

    /// Sends, and waits for the answer's head. The other half waits with the caller: the timer.
    pub fn send(
        &mut self,
        request: Request<Body>,
    ) -> (impl Future<Output = Result<Response<Incoming>, Unsent>>, &mut Timer) {
        let sending = match &mut self.sender {
            Sender::Http1(sender, _) => Either::Left(sender.try_send_request(request)),
            Sender::Http2(sender) => Either::Right(sender.try_send_request(request)),
        };
        (sending, &mut self.timer)
    }

    /// The answer has ended, or nobody wants the rest of it: the connection waits for another request, where it may and can.
    pub fn give_back(self) {
        let Self { sender, timer, home } = self;
        // One of HTTP/2 was there all the time.
        let Sender::Http1(mut sender, task) = sender else { return };
        if sender.is_ready() {
            return wait(home, Http1 { sender, task, timer });
        }
        let (false, Ok(runtime)) = (sender.is_closed(), Handle::try_current()) else { return };
        runtime.spawn(async move {
            match tokio::time::timeout(SETTLE, sender.ready()).await {
                Ok(Ok(())) => wait(home, Http1 { sender, task, timer }),
                Ok(Err(_)) => {}
                Err(_) => task.abort(),
            }
        });
    }
}

/// Has a connection wait at home, where it has one.
fn wait(home: Option<(Arc<Lane>, Destination)>, connection: Http1) {
    if let Some((lane, to)) = home {
        lane.keep(&to, |kept, round| kept.http1.push((connection, round)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_used_for_four_rounds_is_closed() {
        let (near, mut far) = tokio::io::duplex(1024);
        let (sender, connection) =
            http1_settings().handshake(hyper_util::rt::TokioIo::new(near)).await.unwrap();
        let task = tokio::spawn(carry(connection)).abort_handle();
        let to = Destination::read(&"http://a.test/".parse().unwrap()).unwrap();
        let lane = Arc::new(Lane::default());
        wait(Some((lane.clone(), to.clone())), Http1 { sender, task, timer: Timer::default() });
        for _ in 1..ROUNDS {
            lane.waiting().next_round();
        }
        assert!(lane.waiting().by_destination.contains_key(&to), "not yet");
        lane.waiting().next_round();
        assert!(lane.waiting().by_destination.is_empty());
        let mut end = [0];
        assert_eq!(tokio::io::AsyncReadExt::read(&mut far, &mut end).await.unwrap(), 0, "it was closed");
    }
}
