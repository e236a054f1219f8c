//! Listeners: a port bound, connections served, an orderly end. The app and the proxy both stand on this.
//!
//! Knows nothing of URLs. How many may be connected, and for how long each may keep us waiting, is in `limits` and
//! `patience`, what one connection may take in `versions`; a connection that is open at the end gets until the limit. TLS is rustls with keys from PEM files, read at start.

use std::{future::Future, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown, service::TowerToHyperService};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::{Service, service_fn};

use crate::cores::Cores;

mod arriving;
mod limits;
mod patience;
mod versions;

use self::patience::{Answering, Patient, Traffic};
pub use self::{arriving::Arriving, limits::Limits};

#[cfg(test)]
mod tests;

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// The pause after the system refused to accept (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Who is at the other end of the connection, as an extension of each request. It may be a reverse proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were still busy at the limit, and were cut.
    pub cut: usize,
}

/// Takes a port. `setting` is the name of the setting that chose it, for the error.
pub async fn bind(setting: &str, addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr).await.map_err(|e| {
        let flag = setting.replace('_', "-");
        let change = format!("set {setting} (--{flag}, CLAVIGER_{})", setting.to_uppercase());
        anyhow!(match e.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{addr} is taken by another process: stop it, or {change} to a free port")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{addr} may not be bound by this user: {change} to a port above 1023")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!(
                    "{addr} is not an address of this machine: {change} to one that is, such as 127.0.0.1"
                )
            }
            _ => format!("{addr} can't be bound ({e}): {change}"),
        })
    })
}

/// Reads a certificate chain and its key, ready for HTTP/2 and HTTP/1.1.
pub fn tls(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| anyhow!("tls_cert: {} holds no readable certificates: {e}", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "tls_cert: {} holds no certificate", cert.display());
    // The error of the key's reader names a place, never its content.
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| anyhow!("tls_key: {} holds no readable private key: {e}", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|e| {
            anyhow!("tls_cert and tls_key ({}, {}) don't go together: {e}", cert.display(), key.display())
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves within the limits until `shutdown` is ready, then gives open requests their time to finish.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    shutdown: impl Future<Output = ()>,
    limits: impl Into<Limits>,
) -> Ended
where
    S: Service<Request<Arriving>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    serve_on(None, listener, tls, service, shutdown, limits).await
}

/// The same, each connection on one of the threads of `cores`, where there are such.
pub async fn serve_on<S, B>(
    cores: Option<&Cores>,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    shutdown: impl Future<Output = ()>,
    limits: impl Into<Limits>,
) -> Ended
where
    S: Service<Request<Arriving>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let limits = limits.into();
    let acceptor = tls.map(TlsAcceptor::from);
    let builder = versions::builder();
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _refused = stream.set_nodelay(true);
                    let Ok(stream) = stream.into_std() else { continue };
                    let Some(taken) = limits.enter() else {
                        tasks.spawn(limits::refuse(stream, acceptor.is_none()));
                        continue;
                    };
                    let watcher = graceful.watcher();
                    let traffic = Arc::new(Traffic::default());
                    let service = with_peer(service.clone(), peer, traffic.clone());
                    let (acceptor, builder, limits) = (acceptor.clone(), builder.clone(), limits.clone());
                    let connection = async move {
                        let Some(stream) = here(stream) else { return };
                        let Some(io) = handshake(acceptor, stream).await else { return };
                        let io = TokioIo::new(Patient::new(io, &limits, traffic, taken));
                        let service = TowerToHyperService::new(service);
                        let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
                        if let Err(e) = watcher.watch(connection).await {
                            tracing::debug!(error = %e, "a connection broke");
                        }
                    };
                    match cores.and_then(Cores::place) {
                        None => tasks.spawn(connection),
                        Some(place) => {
                            let handle = place.handle.clone();
                            tasks.spawn_on(async move { (connection.await, drop(place)).0 }, &handle)
                        }
                    };
                }
                Err(e) => {
                    tracing::warn!(error = %e, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listener);
    let finish = async {
        graceful.shutdown().await;
        while tasks.join_next().await.is_some() {}
    };
    let finished = timeout(limits.shutdown, finish).await.is_ok();
    let cut = if finished { 0 } else { tasks.len() };
    tasks.shutdown().await;
    Ended { cut }
}

/// The socket, waited for by the runtime that this runs on.
fn here(stream: std::net::TcpStream) -> Option<TcpStream> {
    TcpStream::from_std(stream).inspect_err(|e| tracing::warn!(error = %e, "a connection was lost")).ok()
}

/// An answer whose request is counted until its body ends.
type Counted<B> = Response<Answering<B>>;

/// The service, each request carrying [`PeerAddr`] and counted for as long as its answer lasts.
fn with_peer<S, B>(
    service: S,
    peer: SocketAddr,
    traffic: Arc<Traffic>,
) -> impl Service<Request<Incoming>, Response = Counted<B>, Error = S::Error, Future: Send> + Clone + Send + 'static
where
    S: Service<Request<Arriving>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
{
    service_fn(move |mut request: Request<Incoming>| {
        let traffic = traffic.clone();
        let under_way = traffic.begin();
        let connecting = request.method() == Method::CONNECT;
        request.extensions_mut().insert(PeerAddr(peer));
        // Ready whenever it is asked, as are all services here: routers, and functions.
        let answer = service.clone().call(Arriving::of(request));
        async move {
            let answer = answer.await?;
            let status = answer.status();
            if status == StatusCode::SWITCHING_PROTOCOLS || (connecting && status.is_success()) {
                traffic.upgrade();
            }
            Ok(answer.map(|body| Answering::new(body, under_way)))
        }
    })
}

/// A connection's bytes, in the clear.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl Socket for TcpStream {}
impl Socket for TlsStream<TcpStream> {}

async fn handshake(acceptor: Option<TlsAcceptor>, stream: TcpStream) -> Option<Box<dyn Socket>> {
    let Some(acceptor) = acceptor else { return Some(Box::new(stream)) };
    match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(e)) => {
            tracing::debug!(error = %e, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
