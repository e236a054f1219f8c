//! The one way out: every request that leaves Claviger is sent from here.
//!
//! A name is resolved once, every address it has is checked against the [`Policy`], and only a checked address
//! is connected to, with TLS for the name. Redirects are never followed. It must never log a header or a URL's
//! query, and nothing else in the engine may own a client. Read `connect` for the order of checks, `policy` for
//! what is refused, `pool` for the connections, `body` for the timeouts of a stream, `guard` for requests that may leave
//! for a while only, `identity` for requests with a certificate of ours, `spoken` for the version of HTTP, `tunnel` for
//! connections that stop being HTTP's.

mod body;
mod connect;
mod destination;
mod failure;
mod guard;
mod identity;
mod policy;
mod pool;
mod resolve;
mod spoken;
mod tls;
mod tunnel;
mod url;

use std::{
    future::{Future, poll_fn},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, Version, header, uri::PathAndQuery};
use http_body::Body as _;
use tokio::time::Instant;

pub(crate) use self::url::{Endpoint, read as endpoint};
pub use self::{
    body::{Body, BoxError, empty, full},
    destination::Destination,
    failure::{Failure, FailureKind},
    guard::{Guard, Moment},
    identity::{Identity, LONGEST_PEM, Pair, Problem, expires_at},
    policy::{Blocked, Policy},
    pool::take_lane,
    resolve::{Resolver, Script},
    tunnel::{Broke, Passed, join},
};
use self::{
    body::{Sent, Watched},
    connect::Gate,
    guard::Guarded,
    identity::Identities,
    pool::Pool,
    spoken::Spoken,
    tls::Trust,
};
use crate::{
    error::{Error, Result},
    time::Millis,
};

/// How requests leave.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which addresses may be connected to.
    pub policy: Policy,
    /// A PEM file of root certificates trusted beside the platform's.
    pub extra_ca: Option<PathBuf>,
    /// For resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// From the connection, or the last progress of the request's body, until the answer's headers.
    pub header_timeout: Duration,
    /// Between two frames of an answer's body.
    pub idle_timeout: Duration,
    /// For a whole [`Outbound::fetch`]; streams have no such bound.
    pub total_timeout: Duration,
    /// Sent when the request names no `User-Agent` of its own.
    pub user_agent: String,
    /// Whether plain http is refused unless all of the name's addresses are in the policy's allow list.
    pub require_https: bool,
    /// Hosts with their ports that are spoken to in HTTP/2 where there is no TLS.
    pub h2c: Vec<String>,
    /// How many threads have connections of their own; each says which it is with [`take_lane`].
    pub lanes: usize,
}

impl Default for Config {
    /// Nothing allowed beyond the public internet, https only. The timeouts are for whoever has none of their
    /// own: tests, a look at the certificates. A serving process takes its from the settings.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            extra_ca: None,
            connect_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(30),
            user_agent: "claviger".to_owned(),
            require_https: true,
            h2c: Vec::new(),
            lanes: 1,
        }
    }
}

/// The client. Cloning shares its connections.
#[derive(Clone)]
pub struct Outbound {
    pool: Pool,
    lanes: usize,
    header_timeout: Duration,
    idle_timeout: Duration,
    total_timeout: Duration,
    gate: Arc<Gate>,
    trust: Arc<Trust>,
    identities: Arc<Identities>,
    spoken: Arc<Spoken>,
    user_agent: HeaderValue,
}

impl Outbound {
    /// A client that resolves names as the system does.
    ///
    /// # Errors
    /// When the extra root certificates can't be read, no root certificate is found at all, the user agent is no
    /// header value, or a host that is spoken to in HTTP/2 is none.
    pub fn new(config: Config) -> Result<Self> {
        Self::with_resolver(config, Resolver::System)
    }

    /// A client with a resolver of one's own, so that a test can script what names resolve to.
    ///
    /// # Errors
    /// As for [`Outbound::new`].
    pub fn with_resolver(config: Config, resolver: Resolver) -> Result<Self> {
        let user_agent = HeaderValue::from_str(&config.user_agent)
            .map_err(|_| Error::invalid("user_agent", "is not a header value"))?;
        let spoken = Spoken::new(&config.h2c)?;
        let trust = Trust::read(config.extra_ca.as_deref())?;
        let gate = Arc::new(Gate {
            resolver,
            policy: config.policy,
            require_https: config.require_https,
            timeout: config.connect_timeout,
        });
        Ok(Self {
            pool: Pool::new(&gate, &trust.client_config(None)?, false, config.lanes),
            lanes: config.lanes,
            header_timeout: config.header_timeout,
            idle_timeout: config.idle_timeout,
            total_timeout: config.total_timeout,
            gate,
            trust: Arc::new(trust),
            identities: Arc::default(),
            spoken: Arc::new(spoken),
            user_agent,
        })
    }

    /// How long a whole [`Outbound::fetch`] takes at most.
    pub fn total_timeout(&self) -> Duration {
        self.total_timeout
    }

    /// The same way out with a client certificate: for TLS only, and over connections that no other certificate's
    /// requests, nor those without one, ever use.
    ///
    /// # Errors
    /// `Conflict` when the certificate or its key is not usable now; neither is repeated.
    pub fn showing(&self, pair: &Pair<'_>, now: Millis) -> Result<Self> {
        let build = |identity: &Identity| {
            let tls = self.trust.client_config(Some(identity))?;
            Ok(Pool::new(&self.gate, &tls, true, self.lanes))
        };
        Ok(Self { pool: self.identities.pool(pair, now, build)?, ..self.clone() })
    }

    /// Where a URL points, if that could be sent to at all, before any name is resolved: well formed, no userinfo, and if
    /// its host is an address, one that the policy admits.
    ///
    /// # Errors
    /// A [`Failure`] that says what is wrong.
    pub fn destination(&self, uri: &Uri) -> std::result::Result<Destination, Failure> {
        let to = Destination::read(uri)?;
        self.gate.check_literal(to.endpoint())?;
        Ok(to)
    }

    /// Sends and hands back the answer as soon as its headers are there; its body streams, and fails when the
    /// provider stalls. Dropping the future or the body aborts the exchange.
    ///
    /// # Errors
    /// A [`Failure`]; a status such as 500 is an answer, not an error.
    pub async fn send(&self, request: Request<Body>) -> std::result::Result<Response<Body>, Failure> {
        let to = self.destination(request.uri())?;
        self.send_to(&to, request).await
    }

    /// The same to a destination that [`Outbound::destination`] gave for this URL, or for another one of the same place.
    ///
    /// # Errors
    /// As for [`Outbound::send`]; also when the request's URL points elsewhere.
    pub fn send_to<'a>(
        &'a self,
        to: &'a Destination,
        request: Request<Body>,
    ) -> impl Future<Output = std::result::Result<Response<Body>, Failure>> + 'a {
        self.send_over(to, false, request)
    }

    /// Sends over a connection; `switching` one that may stop being HTTP's. One that was used before may have been closed by
    /// its other end meanwhile: what never left is sent over another one.
    // In one piece: what waits for an answer is carried by each call, and each function would have a request of its own.
    async fn send_over(
        &self,
        to: &Destination,
        switching: bool,
        mut request: Request<Body>,
    ) -> std::result::Result<Response<Body>, Failure> {
        if !to.is_of(request.uri()) {
            return Err(Failure::unsent(
                FailureKind::BadUrl,
                "the URL points to another place than was checked",
            ));
        }
        let guard = guarded(&mut request)?;
        let once = switching || guard.is_some();
        let progress = Sent::watch(&mut request);
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().entry(header::USER_AGENT).or_insert_with(|| self.user_agent.clone());
        // What may stop being HTTP's can do so in HTTP/1.1 only.
        let version = if switching { spoken::Version::Old } else { self.spoken.to(to.endpoint()) };
        let (answer, lease) = loop {
            let (mut lease, used_before) = self.pool.lease(to, version, once).await?;
            address(&mut request, to, lease.is_http1());
            let begun = Instant::now();
            let outcome = {
                let (sending, timer) = lease.send(request);
                let mut sending = pin!(sending);
                poll_fn(|cx| {
                    if let Poll::Ready(outcome) = sending.as_mut().poll(cx) {
                        return Poll::Ready(Some(outcome));
                    }
                    let last = progress.as_ref().map_or(begun, |progress| progress.last().max(begun));
                    timer.poll(cx, last + self.header_timeout).map(|()| None)
                })
                .await
            };
            match outcome {
                Some(Ok(answer)) => break (answer, lease),
                Some(Err(mut unsent)) => match unsent.take_message() {
                    Some(again) if used_before => request = again,
                    handed_back => {
                        let error = unsent.into_error();
                        if failure::wants_http1(&error) {
                            self.spoken.remember_old(to.endpoint());
                        }
                        let failure = Failure::from_exchange(&error);
                        return Err(Failure {
                            nothing_sent: failure.nothing_sent || handed_back.is_some(),
                            ..failure
                        });
                    }
                },
                None => return Err(Failure::timed_out("the answer's headers did not come in time")),
            }
        };
        if let Some(guard) = guard {
            guard.answered(answer.status().as_u16());
        }
        Ok(Watched::new(answer, lease, self.idle_timeout).map(Body::new))
    }

    /// Sends and reads the whole answer, at most `cap` bytes of body, within the total timeout.
    ///
    /// # Errors
    /// As for [`Outbound::send`], and [`FailureKind::TooLarge`] for a longer body.
    pub async fn fetch(
        &self,
        request: Request<Bytes>,
        cap: usize,
    ) -> std::result::Result<Response<Bytes>, Failure> {
        let whole = async {
            let (head, body) = self.send(request.map(full)).await?.into_parts();
            Ok(Response::from_parts(head, body::read(body, cap).await?))
        };
        tokio::time::timeout(self.total_timeout, whole)
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out("the whole answer did not come in time")))
    }
}

/// Says in a request where it goes: in HTTP/1.1 a path in its first line and the host in a header, in HTTP/2 the whole URL.
fn address(request: &mut Request<Body>, to: &Destination, http1: bool) {
    let mut url = std::mem::take(request.uri_mut()).into_parts();
    url.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    if http1 {
        (url.scheme, url.authority) = (None, None);
        request.headers_mut().insert(header::HOST, to.host().clone());
    } else {
        let origin = to.origin().clone().into_parts();
        (url.scheme, url.authority) = (origin.scheme, origin.authority);
        request.headers_mut().remove(header::HOST);
    }
    // Parts of two URLs that were read before make one.
    *request.uri_mut() = Uri::from_parts(url).unwrap_or_default();
}

/// Takes the guard from a request, where it has one: it is looked at now, and once more when the body is written.
fn guarded(request: &mut Request<Body>) -> std::result::Result<Option<Guard>, Failure> {
    let Some(guard) = request.extensions_mut().remove::<Guard>() else { return Ok(None) };
    guard.check()?;
    if request.body().is_end_stream() {
        // All of it is in the head, whose writing can't be watched.
        guard.leaves();
    } else {
        let body = std::mem::replace(request.body_mut(), empty());
        *request.body_mut() = Body::new(Guarded::new(body, guard.clone()));
    }
    Ok(Some(guard))
}

#[cfg(test)]
mod tests;
