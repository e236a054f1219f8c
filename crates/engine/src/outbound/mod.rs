//! The one way out: every request that leaves Claviger is sent from here.
//!
//! A name is resolved once, every address it has is checked against the [`Policy`], and only a checked address
//! is connected to, with TLS for the name. Redirects are never followed. It must never log a header or a URL's
//! query, and nothing else in the engine may own a client. Read `connect` for the order of checks, `policy` for
//! what is refused, `body` for the timeouts of a stream, `guard` for requests that may leave
//! for a while only, `identity` for requests with a certificate of ours, `spoken` for the version of HTTP, `tunnel` for
//! connections that stop being HTTP's.

mod body;
mod clients;
mod connect;
mod failure;
mod guard;
mod identity;
mod policy;
mod resolve;
mod spoken;
mod tls;
mod tunnel;
mod url;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body as _;
use hyper_util::client::legacy::{Client, connect::capture_connection};

pub(crate) use self::url::{Endpoint, read as endpoint};
pub use self::{
    body::{Body, BoxError, empty, full},
    clients::take_lane,
    failure::{Failure, FailureKind},
    guard::{Guard, Moment},
    identity::{Identity, LONGEST_PEM, Pair, Problem, expires_at},
    policy::{Blocked, Policy},
    resolve::{Resolver, Script},
    tunnel::{Broke, Passed, join},
};
use self::{
    body::{Progress, Sent, Watched},
    clients::Clients,
    connect::{Connector, Gate},
    guard::Guarded,
    identity::Identities,
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
    clients: Clients,
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
            clients: Clients::new(&gate, &trust.client_config(None)?, false, config.lanes),
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
            Ok(Clients::new(&self.gate, &tls, true, self.lanes))
        };
        Ok(Self { clients: self.identities.clients(pair, now, build)?, ..self.clone() })
    }

    /// Whether a URL of this scheme and host could be sent to at all, before any name is resolved: well formed,
    /// no userinfo, and if its host is an address, one that the policy admits.
    ///
    /// # Errors
    /// A [`Failure`] that says what is wrong.
    pub fn check_url(&self, uri: &http::Uri) -> std::result::Result<(), Failure> {
        self.gate.check_literal(&url::read(uri)?)
    }

    /// Sends and hands back the answer as soon as its headers are there; its body streams, and fails when the
    /// provider stalls. Dropping the future or the body aborts the exchange.
    ///
    /// # Errors
    /// A [`Failure`]; a status such as 500 is an answer, not an error.
    pub async fn send(&self, request: Request<Body>) -> std::result::Result<Response<Body>, Failure> {
        self.send_over(None, request).await
    }

    async fn send_over(
        &self,
        over: Option<&Client<Connector, Body>>,
        request: Request<Body>,
    ) -> std::result::Result<Response<Body>, Failure> {
        let endpoint = url::read(request.uri())?;
        self.gate.check_literal(&endpoint)?;
        let progress = Progress::new();
        let (request, guard) = guarded(request)?;
        let mut request = request.map(|body| Sent::body(body, &progress));
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().entry(header::USER_AGENT).or_insert_with(|| self.user_agent.clone());
        let mut connected = capture_connection(&mut request);
        let stalled = async {
            connected.wait_for_connection_metadata().await;
            progress.touch();
            progress.stalled(self.header_timeout).await;
        };
        let usual = || self.clients.of(self.spoken.to(&endpoint), guard.is_some());
        let client = over.unwrap_or_else(usual);
        let answer = tokio::select! {
            biased;
            answer = client.request(request) => answer.map_err(|error| {
                if failure::wants_http1(&error) {
                    self.spoken.remember_old(&endpoint);
                }
                Failure::from_client(error)
            })?,
            () = stalled => return Err(Failure::timed_out("the answer's headers did not come in time")),
        };
        if let Some(guard) = guard {
            guard.answered(answer.status().as_u16());
        }
        Ok(Watched::new(answer, self.idle_timeout).map(Body::new))
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

/// Takes the guard from a request, where it has one: it is looked at now, and once more when the body is written.
fn guarded(mut request: Request<Body>) -> std::result::Result<(Request<Body>, Option<Guard>), Failure> {
    let Some(guard) = request.extensions_mut().remove::<Guard>() else { return Ok((request, None)) };
    guard.check()?;
    if request.body().is_end_stream() {
        // All of it is in the head, whose writing can't be watched.
        guard.leaves();
        return Ok((request, Some(guard)));
    }
    let watched = guard.clone();
    Ok((request.map(|body| Body::new(Guarded::new(body, watched))), Some(guard)))
}

#[cfg(test)]
mod tests;
