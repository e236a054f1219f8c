//! From a URL to a connection: read it, resolve once, check every address, connect to a checked one, TLS.
//!
//! There is no other way to a socket, so a name that answers differently the second time is never asked twice
//! for one connection.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use super::{
    BoxError,
    failure::{Failure, FailureKind},
    policy::Policy,
    resolve::Resolver,
    url::{self, Endpoint, Host},
};

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// The checks between a name and a socket.
#[derive(Debug)]
pub(super) struct Gate {
    pub resolver: Resolver,
    pub policy: Policy,
    pub require_https: bool,
    pub timeout: Duration,
}

impl Gate {
    /// Checks what needs no resolver.
    pub fn check_literal(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        match &endpoint.host {
            Host::Ip(ip) => self.check(endpoint, *ip),
            Host::Name(_) => Ok(()),
        }
    }

    fn check(&self, endpoint: &Endpoint, ip: IpAddr) -> Result<(), Failure> {
        self.policy.check(ip).map_err(|blocked| {
            Failure::unsent(FailureKind::Blocked, format!("the host has a {blocked}, which is not allowed"))
        })?;
        if self.require_https && !endpoint.https && !self.policy.allows(ip) {
            return Err(Failure::unsent(FailureKind::Blocked, "plain http is not allowed to this host"));
        }
        Ok(())
    }

    /// Every address of the host, each one checked; one bad address refuses them all.
    async fn addresses(&self, endpoint: &Endpoint) -> Result<Vec<IpAddr>, Failure> {
        let ips = match &endpoint.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.resolver.resolve(name, endpoint.port).await.unwrap_or_default(),
        };
        if ips.is_empty() {
            return Err(Failure::unsent(FailureKind::Resolve, "the host's name does not resolve"));
        }
        ips.iter().try_for_each(|ip| self.check(endpoint, *ip))?;
        Ok(ips)
    }

    async fn open(&self, uri: &Uri, deadline: Instant) -> Result<TcpStream, Failure> {
        let endpoint = url::read(uri)?;
        let ips = self.addresses(&endpoint).await?;
        let mut failure = Failure::unsent(FailureKind::Connect, "no address to connect to");
        for (tried, ip) in ips.iter().enumerate() {
            // An address that does not answer may use up its share of the time, not that of the others.
            let left = u32::try_from(ips.len() - tried).unwrap_or(u32::MAX);
            let share = Instant::now() + deadline.saturating_duration_since(Instant::now()) / left;
            match timeout_at(share, TcpStream::connect(SocketAddr::new(*ip, endpoint.port))).await {
                Ok(Ok(stream)) => {
                    let _best_effort = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Failure::unsent(FailureKind::Connect, error.kind().to_string()),
                Err(_) => failure = too_slow(),
            }
        }
        Err(failure)
    }
}

fn too_slow() -> Failure {
    Failure::unsent(FailureKind::TimedOut, "the host could not be connected to in time")
}

/// TCP, checked.
#[derive(Clone)]
struct Tcp {
    gate: Arc<Gate>,
    /// Whether nothing is connected to without TLS, whatever the gate says.
    https_only: bool,
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = Failure;
    type Future = Pending<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        let plain = self.https_only && uri.scheme() != Some(&http::uri::Scheme::HTTPS);
        Box::pin(async move {
            if plain {
                let message =
                    "a client certificate can't be shown without TLS: the URL must begin with https://";
                return Err(Failure::unsent(FailureKind::BadUrl, message));
            }
            let deadline = Instant::now() + gate.timeout;
            timeout_at(deadline, gate.open(&uri, deadline))
                .await
                .unwrap_or_else(|_| Err(too_slow()))
                .map(TokioIo::new)
        })
    }
}

/// TCP, and for https TLS with the URL's own name, all within the connect timeout.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Tcp>,
    timeout: Duration,
}

/// The versions of HTTP that TLS offers. Without TLS it is HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    Both,
    Http1,
}

impl Connector {
    /// `https_only`: for requests that go nowhere without TLS.
    pub fn new(gate: Arc<Gate>, tls: rustls::ClientConfig, https_only: bool, versions: Versions) -> Self {
        let timeout = gate.timeout;
        let tcp = Tcp { gate, https_only };
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let https = match versions {
            Versions::Both => builder.enable_http2().wrap_connector(tcp),
            Versions::Http1 => builder.wrap_connector(tcp),
        };
        Self { https, timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Failure;
    type Future = Pending<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected.map_err(read_error),
                Err(_) => Err(too_slow()),
            }
        })
    }
}

fn read_error(error: BoxError) -> Failure {
    match error.downcast::<Failure>() {
        Ok(own) => *own,
        Err(other) => Failure::unsent(FailureKind::Tls, format!("TLS: {other}")),
    }
}
