//! Phase 9: one row of the request log per call, written off the caller's path.
//!
//! The row is complete when the answer's body ends or is dropped. Rows wait in a bounded queue for one task
//! that writes them in batches; when the queue is full a row is dropped and counted, the call is not held up.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};

use super::{
    Call, Caller, Target, named,
    proven::{self, Proven},
    used::{Noted, note},
};
use crate::{
    broker::Broker,
    domain::{audit::Actor, request_log::RequestLog},
    error::{Error, Result},
    id::LogId,
    metrics::Metrics,
    outbound::{Body, BoxError},
    refresh::Subject,
    store::Store,
    time::{Clock, Millis},
    watch::Ended,
};

/// How many rows may wait.
const QUEUE: usize = 4096;
/// How many rows are written at once.
const BATCH: usize = 256;
/// How long the first row of a batch waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// How much of a path is kept, in bytes.
const PATH: usize = 512;

/// Where rows are handed in. Cloning shares the queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Row(Box<RequestLog>),
    Proven(Proven, Millis),
    Flush(oneshot::Sender<()>),
}

impl Recorder {
    /// Starts the task that writes, on the runtime it is called in; it ends when the last clone is dropped and all rows are written.
    pub fn new(store: Store) -> Self {
        let (queue, rows) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(store, rows, Arc::clone(&dropped)));
        Self { queue, dropped }
    }

    /// Returns once everything handed in before is written, or given up.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _ended = written.await;
        }
    }

    /// How many rows were lost, to a full queue or a failing database.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn without_writer(room: usize) -> (Self, impl Sized) {
        let (queue, rows) = mpsc::channel(room);
        (Self { queue, dropped: Arc::default() }, rows)
    }

    pub(super) fn add(&self, row: RequestLog) {
        if self.queue.try_send(Message::Row(Box::new(row))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recorder {
    /// Hands in that a token works; when there is no room, another call will.
    pub(super) fn prove(&self, proven: Proven, at: Millis) {
        let _no_room = self.queue.try_send(Message::Proven(proven, at));
    }
}

async fn write(store: Store, mut queue: mpsc::Receiver<Message>, dropped: Arc<AtomicU64>) {
    let mut noted = Noted::default();
    while let Some(first) = queue.recv().await {
        let Batch { rows, proven, waiting } = gather(first, &mut queue).await;
        if let Err(error) = proven::note(&store, proven).await {
            tracing::warn!(error = ?error, "it was not noted which tokens work");
        }
        if let Err(error) = note(&store, &rows, &mut noted).await {
            tracing::warn!(error = ?error, "it was not noted which connections were used");
        }
        if let Err((lost, error)) = store_all(&store, &rows).await {
            dropped.fetch_add(lost, Ordering::Relaxed);
            tracing::warn!(lost, error = ?error, "rows of the request log were not written");
        }
        for done in waiting {
            let _gone = done.send(());
        }
    }
}

/// What is written at once, and who waits for it.
struct Batch {
    rows: Vec<RequestLog>,
    proven: Vec<(Proven, Millis)>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Takes a batch from the queue: what comes within a moment, at once when somebody waits for it.
async fn gather(first: Message, queue: &mut mpsc::Receiver<Message>) -> Batch {
    let (mut rows, mut proven, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    let until = tokio::time::Instant::now() + LINGER;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Row(row) => rows.push(*row),
            Message::Proven(token, at) => proven.push((token, at)),
            Message::Flush(done) => waiting.push(done),
        }
        let more = rows.len() < BATCH && waiting.is_empty();
        next =
            if more { tokio::time::timeout_at(until, queue.recv()).await.unwrap_or_default() } else { None };
    }
    Batch { rows, proven, waiting }
}

/// Writes a batch; when that fails, each row by itself, so that one which can't be written (its workspace is gone
/// meanwhile) takes no other with it. Says how many were lost, and the last reason.
async fn store_all(store: &Store, rows: &[RequestLog]) -> std::result::Result<(), (u64, Error)> {
    let Err(whole) = store_batch(store, rows).await else { return Ok(()) };
    // A database that takes nothing at all is not asked again for each row.
    if rows.len() < 2 || store.check_writable().await.is_err() {
        return Err((u64::try_from(rows.len()).unwrap_or(u64::MAX), whole));
    }
    let (mut lost, mut last) = (0, whole);
    for row in rows {
        if let Err(error) = store_batch(store, std::slice::from_ref(row)).await {
            (lost, last) = (lost + 1, error);
        }
    }
    if lost == 0 { Ok(()) } else { Err((lost, last)) }
}

async fn store_batch(store: &Store, rows: &[RequestLog]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = rows.iter().map(|row| row.at).max().unwrap_or_default();
    let mut conn = store.begin(Actor::System, now).await?;
    conn.any_add_request_logs(rows).await?;
    conn.commit().await
}

/// A row in the making. Dropping it hands it in, so that a caller who hangs up is on record too.
pub(super) struct Entry {
    row: Option<RequestLog>,
    /// How often the provider was asked.
    pub attempts: u32,
    bytes_in: Arc<AtomicU64>,
    /// Whether the answer was ours rather than the provider's.
    ours: bool,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    clock: Clock,
    said: fn(&Error) -> (u16, &'static str),
}

impl Entry {
    /// Begins a row when the call's connection is known.
    pub fn open(broker: &Broker, call: &Call, subject: &Subject) -> Self {
        let (api_key_id, user_id) = match &call.caller {
            Caller::Key { key, .. } => (Some(key.id.clone()), None),
            Caller::Member { member, .. } => (None, Some(member.user.id.clone())),
            Caller::Customer { .. } => (None, None),
        };
        let path = match &call.target {
            Target::Path => cut(call.request.uri().path()),
            Target::Url(text) => cut(&named::shown(text)),
        };
        let row = RequestLog {
            id: LogId::new(),
            request_id: call.request_id.clone(),
            workspace_id: subject.workspace_id.clone(),
            api_key_id,
            user_id,
            connection_id: subject.connection.id.clone(),
            integration_id: subject.integration.id.clone(),
            method: call.request.method().as_str().to_owned(),
            path,
            status: 499,
            error: Some("caller_gone".to_owned()),
            attempts: 0,
            bytes_in: 0,
            bytes_out: 0,
            duration_ms: 0,
            at: broker.clock.now(),
        };
        Self {
            row: Some(row),
            attempts: 0,
            bytes_in: Arc::default(),
            ours: true,
            recorder: broker.logs.clone(),
            metrics: Arc::clone(&broker.metrics),
            clock: broker.clock.clone(),
            said: call.said,
        }
    }

    #[cfg(test)]
    pub(super) fn with(mut self, recorder: Recorder) -> Self {
        self.recorder = recorder;
        self
    }

    /// The counter of bytes read from the caller.
    pub fn bytes_in(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_in)
    }

    /// The call failed with an error of ours.
    pub fn failed(&mut self, error: &Error) {
        let (status, code) = (self.said)(error);
        self.set(|row| (row.status, row.error) = (status, Some(code.to_owned())));
    }

    fn set(&mut self, change: impl FnOnce(&mut RequestLog)) {
        if let Some(row) = &mut self.row {
            change(row);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Some(mut row) = self.row.take() else { return };
        row.attempts = self.attempts;
        row.bytes_in = self.bytes_in.load(Ordering::Relaxed);
        let took = self.clock.now().since(row.at);
        row.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.metrics.call(row.status, self.ours, took.as_secs_f64());
        self.recorder.add(row);
    }
}

fn cut(path: &str) -> String {
    path.get(..path.floor_char_boundary(PATH)).unwrap_or_default().to_owned()
}

/// Hands the answer on and completes its row when the body is through.
pub(super) fn watch(answer: Response<Body>, mut entry: Entry) -> Response<Body> {
    let status = answer.status().as_u16();
    entry.ours = false;
    entry.set(|row| (row.status, row.error) = (status, None));
    answer.map(|body| Body::new(Watched { body, entry, ended: false }))
}

struct Watched {
    body: Body,
    entry: Entry,
    ended: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            None => this.ended = true,
            Some(Err(error)) => {
                this.ended = true;
                let why = if error.is::<Ended>() { "access_ended" } else { "upstream_broken" };
                this.entry.set(|row| row.error = Some(why.to_owned()));
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.entry.set(|row| row.bytes_out += u64::try_from(bytes).unwrap_or(u64::MAX));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.entry.set(|row| row.error = Some("caller_gone".to_owned()));
        }
    }
}
