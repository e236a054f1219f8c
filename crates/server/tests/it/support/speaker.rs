//! A provider's API, and a caller, in a version of HTTP of one's choice. What the provider hears is kept whole.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{Names, TestApp, Upstream, recorder, upstream::say, wire::Outgoing};

/// The name of those with TLS.
pub const NAME: &str = "spoken.test";

/// How a provider is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// HTTP/1.1 without TLS.
    Clear,
    /// TLS, with HTTP/1.1 alone.
    Http1,
    /// TLS, with HTTP/2 by ALPN.
    Http2,
    /// HTTP/2 without TLS, by prior knowledge.
    H2c,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Clear, Self::Http1, Self::Http2, Self::H2c];

    pub fn version(self) -> Version {
        match self {
            Self::Clear | Self::Http1 => Version::HTTP_11,
            Self::Http2 | Self::H2c => Version::HTTP_2,
        }
    }
}

/// A connection's bytes.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A request as the provider heard it.
#[derive(Debug, Clone)]
pub struct Heard {
    pub version: Version,
    pub method: Method,
    pub target: String,
    /// What it names as the host, wherever that stands.
    pub host: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// A running provider. It ends when dropped.
pub struct Speaker {
    pub origin: String,
    seen: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
    /// Where its tokens come from.
    tokens: Upstream,
}

impl Speaker {
    /// One that hears each request to its end and then answers so.
    pub async fn start<F>(way: Way, names: &Names, answer: F) -> Self
    where
        F: Fn(&Heard) -> Response<Outgoing> + Clone + Send + Sync + 'static,
    {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let memory = seen.clone();
        let serve = move |io: Box<dyn Io>| {
            let (memory, answer) = (memory.clone(), answer.clone());
            let service = service_fn(move |request| {
                let (memory, answer) = (memory.clone(), answer.clone());
                async move {
                    let Some(heard) = hear(request).await else { return Err("it broke off") };
                    let answer = answer(&heard);
                    memory.lock().unwrap().push(heard);
                    Ok(answer)
                }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            if way.version() == Version::HTTP_2 {
                builder = builder.http2_only();
            }
            async move { drop(builder.serve_connection(TokioIo::new(io), service).await) }
        };
        let mut speaker = Self::on(way, names, serve).await;
        speaker.seen = seen;
        speaker
    }

    /// One whose connections are the story's to serve.
    pub async fn on<F, R>(way: Way, names: &Names, serve: F) -> Self
    where
        F: Fn(Box<dyn Io>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let secure = matches!(way, Way::Http1 | Way::Http2);
        let origin =
            if secure { format!("https://{NAME}:{port}") } else { format!("http://127.0.0.1:{port}") };
        let mut tls = rustls::ServerConfig::clone(&names.tls());
        if way == Way::Http1 {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let acceptor = secure.then(|| TlsAcceptor::from(Arc::new(tls)));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _best_effort = stream.set_nodelay(true);
                let (acceptor, serve) = (acceptor.clone(), serve.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(Box::new(stream)).await,
                        Some(acceptor) => {
                            let Ok(tls) = acceptor.accept(stream).await else { return };
                            serve(Box::new(tls)).await;
                        }
                    }
                });
            }
        });
        let tokens = Upstream::start(|_, _| async { say(404, &[], "") }).await;
        Self { origin, seen: Arc::default(), task, tokens }
    }

    /// One that speaks HTTP/2 over TLS, each stream the story's to serve; `most` at once on a connection.
    pub async fn frames<F, R>(names: &Names, most: u32, serve: F) -> Self
    where
        F: Fn(Request<h2::RecvStream>, h2::server::SendResponse<Bytes>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::on(Way::Http2, names, move |io| {
            let serve = serve.clone();
            async move {
                let mut builder = h2::server::Builder::new();
                let Ok(mut connection) = builder
                    .max_concurrent_streams(most)
                    .initial_connection_window_size(1 << 24)
                    .handshake(io)
                    .await
                else {
                    return;
                };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(serve(request, respond));
                }
            }
        })
        .await
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.origin.split_once("://").expect("an origin").1.to_owned()
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Heard> {
        self.seen.lock().unwrap().clone()
    }

    /// Connects an account whose calls come here; gives the connection's id.
    pub async fn connect(&self, to: &TestApp) -> String {
        recorder::connect(to, &self.tokens, &self.origin, "/api").await
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hear(request: Request<Incoming>) -> Option<Heard> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
    let host =
        host.or(parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned();
    let body = body.collect().await.ok()?;
    Some(Heard {
        version: parts.version,
        method: parts.method,
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        host,
        headers: parts.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    })
}

/// A connection of a caller to the proxy.
pub enum Talker {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

impl Talker {
    /// Connects in one of the two versions.
    pub async fn dial(app: &TestApp, version: Version) -> Self {
        let stream = TcpStream::connect(app.proxy.trim_start_matches("http://")).await.expect("a listener");
        stream.set_nodelay(true).expect("a socket");
        let io = TokioIo::new(stream);
        if version == Version::HTTP_2 {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.expect("a connection");
            tokio::spawn(async move { drop(connection.await) });
            return Self::Http2(sender);
        }
        let (sender, connection) = http1::handshake(io).await.expect("a connection");
        tokio::spawn(async move { drop(connection.await) });
        Self::Http1(sender)
    }

    /// Sends a call with the first tenant's key and a connection's id.
    pub async fn call(
        &mut self,
        app: &TestApp,
        connection: &str,
        call: http::request::Builder,
        target: &str,
        body: Outgoing,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let call = call
            .header("authorization", format!("Bearer {}", app.acme.key))
            .header("bu-connection-id", connection);
        match self {
            Self::Http1(sender) => {
                let mut request = call.uri(target).header("host", "elsewhere.test");
                if body.size_hint().exact().is_none() {
                    // hyper takes a GET to have no body unless it says so.
                    request = request.header("transfer-encoding", "chunked");
                }
                let request = request.body(body);
                sender.ready().await?;
                sender.send_request(request.expect("a request")).await
            }
            Self::Http2(sender) => {
                let request = call.uri(format!("http://elsewhere.test{target}")).body(body);
                sender.ready().await?;
                sender.send_request(request.expect("a request")).await
            }
        }
    }
}

/// Connects to the proxy, frame by frame.
pub async fn frames(app: &TestApp) -> h2::client::SendRequest<Bytes> {
    let stream = TcpStream::connect(app.proxy.trim_start_matches("http://")).await.expect("a listener");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = h2::client::handshake(stream).await.expect("a connection");
    tokio::spawn(async move { drop(connection.await) });
    sender
}

/// The head of a call in HTTP/2 with the first tenant's key.
pub fn head(app: &TestApp, method: Method, connection: &str, path: &str) -> Request<()> {
    let head = Request::builder().method(method).uri(format!("http://elsewhere.test{path}"));
    let head = head.header("authorization", format!("Bearer {}", app.acme.key));
    head.header("bu-connection-id", connection).body(()).expect("a head")
}

/// A body in pieces, with trailers behind them; with a length where it is one piece without.
pub fn body(pieces: &'static [&'static str], trailers: &[(&'static str, &'static str)]) -> Outgoing {
    if trailers.is_empty() && pieces.len() <= 1 {
        return Outgoing::new(http_body_util::Full::new(Bytes::from_static(
            pieces.first().copied().unwrap_or_default().as_bytes(),
        )));
    }
    let frames = pieces.iter().map(|piece| http_body::Frame::data(Bytes::from_static(piece.as_bytes())));
    let last = (!trailers.is_empty()).then(|| http_body::Frame::trailers(fields(trailers)));
    let frames: Vec<_> = frames.chain(last).map(Ok::<_, Infallible>).collect();
    Outgoing::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
}

/// Lines as a map, in their order.
pub fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    };
    lines.iter().map(pair).collect()
}
