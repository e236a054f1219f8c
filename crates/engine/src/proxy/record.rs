//! Phase 9: what a call came to, known when its answer's body ends or is dropped: added to the sums, and written into
//! a row of the request log where it is to have one. Nothing is copied for a row that there won't be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Method, StatusCode, Uri};

use super::{Call, Caller, Target, limit::Permit, named, ready::Ready, trace::TraceId};
use crate::{
    access::{Holder, Member, Who},
    broker::Broker,
    domain::{api_key::ApiKey, call_rollup::FinishedCall, connection::Connection, request_log::RequestLog},
    error::Error,
    id::{ApiKeyId, CustomerId, LogId, RequestId, UserId},
    name::Name,
    outbound::Passed,
    time::Millis,
};

/// How much of a path is kept, in bytes.
const PATH: usize = 512;

/// A call on its way. Dropping it hands it in, so that a caller who hangs up is on record too.
pub(super) struct Entry {
    broker: Arc<Broker>,
    connection: Arc<Connection>,
    /// Of the connection's id.
    name: Name,
    who: Person,
    request_id: RequestId,
    method: Method,
    place: Place,
    trace: Option<TraceId>,
    said: fn(&Error) -> (u16, &'static str),
    at: Millis,
    began: Instant,
    /// When the provider was asked for the first and for the last time.
    asked: Option<(Instant, Instant)>,
    first_byte: Option<Duration>,
    attempts: u32,
    status: u16,
    error: Option<&'static str>,
    /// The call's places, free once this is dropped.
    pub permit: Option<Permit>,
    /// Whether the answer was ours rather than the provider's.
    ours: bool,
    bytes_in: u64,
    /// The counter of bytes read from the caller, where there is a body.
    pub reading: Option<Arc<AtomicU64>>,
    bytes_out: u64,
}

/// Where a call goes, as a row may show it.
enum Place {
    Path(Uri),
    Named(String),
}

/// Who calls.
enum Person {
    Key(Arc<ApiKey>),
    Member(Arc<Member>),
    Customer(Arc<Holder>),
}

impl Entry {
    /// Begins when the call's connection is known.
    pub fn open(broker: &Arc<Broker>, call: &Call, subject: &Ready) -> Self {
        let place = match &call.target {
            Target::Path => Place::Path(call.request.uri().clone()),
            Target::Url(text) => Place::Named(named::shown(text)),
        };
        let name = subject.name();
        broker.metrics.call_begins(name);
        Self {
            broker: Arc::clone(broker),
            connection: Arc::clone(&subject.connection),
            name,
            who: Person::of(&call.caller),
            request_id: call.request_id.clone(),
            method: call.request.method().clone(),
            place,
            trace: TraceId::of(call.request.headers()),
            permit: None,
            said: call.said,
            at: broker.clock.now(),
            began: Instant::now(),
            asked: None,
            first_byte: None,
            attempts: 0,
            status: 499,
            error: Some("caller_gone"),
            ours: true,
            bytes_in: 0,
            reading: None,
            bytes_out: 0,
        }
    }

    /// When it began.
    pub fn began(&self) -> Millis {
        self.at
    }

    /// The provider is asked now.
    pub fn asks(&mut self) {
        let now = Instant::now();
        self.asked = Some((self.asked.map_or(now, |(first, _)| first), now));
        self.first_byte = None;
        self.attempts += 1;
    }

    /// It answered, the head of its answer being there, or the attempt failed. Gives the time.
    pub fn hears(&mut self, answered: bool) -> Millis {
        let now = Instant::now();
        self.first_byte = self.asked.filter(|_| answered).map(|(_, last)| now.duration_since(last));
        self.broker.clock.later(self.at, now.duration_since(self.began))
    }

    /// The call failed with an error of ours.
    pub fn failed(&mut self, error: &Error) {
        let (status, code) = (self.said)(error);
        (self.status, self.error) = (status, Some(code));
    }

    /// The provider's answer has this status.
    pub fn answered(&mut self, status: StatusCode) {
        (self.ours, self.status, self.error) = (false, status.as_u16(), None);
    }

    /// So many bytes of its body went to the caller.
    pub fn passes(&mut self, bytes: usize) {
        self.bytes_out += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Its body did not come to its end.
    pub fn broke(&mut self, why: &'static str) {
        self.error = Some(why);
    }

    /// The call went on as a WebSocket, which ended so.
    pub fn passed(&mut self, passed: &Passed, error: Option<&'static str>) {
        (self.bytes_in, self.reading) = (passed.inward.load(Ordering::Relaxed), None);
        self.bytes_out = passed.outward.load(Ordering::Relaxed);
        self.error = error;
    }

    fn finished(&self) -> FinishedCall {
        let took = self.began.elapsed();
        FinishedCall {
            status: self.status,
            ours: self.ours,
            attempts: self.attempts,
            bytes_in: self.reading.as_ref().map_or(self.bytes_in, |read| read.load(Ordering::Relaxed)),
            bytes_out: self.bytes_out,
            waited: self.asked.map_or(took, |(first, _)| first.saturating_duration_since(self.began)),
            first_byte: self.first_byte,
            took,
            at: self.broker.clock.later(self.at, took),
        }
    }

    fn row(&self, call: &FinishedCall) -> RequestLog {
        let (api_key_id, user_id, customer_id) = self.who.ids();
        RequestLog {
            id: LogId::new(),
            request_id: self.request_id.clone(),
            workspace_id: self.connection.workspace_id.clone(),
            api_key_id,
            user_id,
            customer_id,
            connection_id: self.connection.id.clone(),
            integration_id: self.connection.integration_id.clone(),
            method: self.method.as_str().to_owned(),
            path: match &self.place {
                Place::Path(uri) => cut(uri.path()),
                Place::Named(text) => cut(text),
            },
            status: call.status,
            error: self.error.map(str::to_owned),
            attempts: call.attempts,
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            trace_id: self.trace.map(|trace| trace.to_string()),
            waited_ms: Some(millis(call.waited)),
            first_byte_ms: call.first_byte.map(millis),
            duration_ms: millis(call.took),
            at: self.at,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let call = self.finished();
        let logs = &self.broker.logs;
        self.broker.metrics.call(self.name, &call);
        logs.sum(self.name, &self.connection, &call);
        let failed = self.error.is_some() || call.status >= 400;
        if logs.wants_row(failed, &call, &self.request_id) {
            logs.add(self.row(&call));
        }
    }
}

impl Person {
    fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Key { key, .. } => Self::Key(Arc::clone(key)),
            Caller::Member { member, .. } => Self::Member(Arc::clone(member)),
            Caller::Customer { holder, .. } => Self::Customer(Arc::clone(holder)),
        }
    }

    /// Its id, each kind at its place.
    fn ids(&self) -> (Option<ApiKeyId>, Option<UserId>, Option<CustomerId>) {
        match self {
            Self::Key(key) => (Some(key.id.clone()), None, None),
            Self::Member(member) => (None, Some(member.user.id.clone()), None),
            Self::Customer(holder) => match &holder.who {
                Who::Customer(customer) => (None, None, Some(customer.id.clone())),
                Who::Admin | Who::Workspace => (None, None, None),
            },
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn cut(path: &str) -> String {
    path.get(..path.floor_char_boundary(PATH)).unwrap_or_default().to_owned()
}
