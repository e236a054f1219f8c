//! A provider whose API a story writes itself: tokens are given to whoever asks, every other path is the story's.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use claviger::listen;
use claviger_engine::outbound::{Resolver, Script};
use http::{HeaderMap, Method, header};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Browser, Options, TestApp, app::at, app::new_integration, stub::TOKENS, value};

/// A request's head as it came.
#[derive(Clone)]
pub struct Head {
    pub method: Method,
    /// Path and query, as on the wire.
    pub target: String,
    pub headers: HeaderMap,
}

impl Head {
    /// The values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("an ASCII header")).collect()
    }
}

/// A running provider. It ends when dropped.
pub struct Upstream {
    pub origin: String,
    seen: Arc<Mutex<Vec<Head>>>,
    task: JoinHandle<()>,
}

/// Names of this machine with certificates of their own.
pub struct Names {
    directory: TempDir,
    script: Arc<Script>,
}

impl Upstream {
    /// Starts one; `api` answers each request that is not for a token, the account or a revocation.
    pub async fn start<F, R>(api: F) -> Self
    where
        F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, router) = router(api);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { origin, seen, task }
    }

    /// Starts one whose every request is the story's, those for tokens too.
    pub async fn whole<F, R>(answer: F) -> Self
    where
        F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, router) = recording(answer);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { origin, seen, task }
    }

    /// The same as [`Upstream::start`] behind TLS; its origin is at the first of the names.
    pub async fn secure<F, R>(names: &Names, first: &str, api: F) -> Self
    where
        F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("https://{first}:{}", listener.local_addr().expect("an address").port());
        let (seen, router) = router(api);
        let tls = names.tls();
        let limit = Duration::from_secs(1);
        let task = tokio::spawn(async move {
            let _ended = listen::serve(listener, Some(tls), router, std::future::pending(), limit).await;
        });
        Self { origin, seen, task }
    }

    /// The requests so far, those for tokens and accounts among them.
    pub fn seen(&self) -> Vec<Head> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests of its API so far.
    pub fn calls(&self) -> Vec<Head> {
        self.seen().into_iter().filter(|head| head.target.starts_with("/api")).collect()
    }

    /// Connects an account here; gives the connection's id.
    pub async fn connect(&self, app: &TestApp) -> String {
        connect(app, &self.origin).await
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects an account at a provider with hand-entered endpoints that takes any code.
pub async fn connect(app: &TestApp, origin: &str) -> String {
    let key = format!("up-{}", origin.rsplit(':').next().expect("a port"));
    app.integrate_as(&app.acme, new_integration(&key, "oauth2", at(origin))).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", &key)]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    assert_eq!(done.status, 302, "{}", done.text());
    value(&done.redirect().1, "connection_id").to_owned()
}

impl Names {
    /// Makes a certificate for these names, all of which resolve to this machine.
    pub fn new(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let made =
            rcgen::generate_simple_self_signed(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let made = made.expect("a certificate");
        std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(directory.path().join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let script = names.iter().fold(Script::default(), |script, name| script.answer(name, &here));
        Self { directory, script: Arc::new(script) }
    }

    /// A server that knows these names and trusts their certificate.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.outbound.extra_ca = Some(self.directory.path().join("cert.pem"));
        options.resolver = Resolver::Scripted(self.script.clone());
        options
    }

    /// What a server at one of these names shows.
    pub fn tls(&self) -> Arc<rustls::ServerConfig> {
        let file = |name: &str| self.directory.path().join(name);
        listen::tls(&file("cert.pem"), &file("key.pem")).expect("a certificate")
    }

    /// How often a name was looked up.
    pub fn asked(&self) -> usize {
        self.script.asked()
    }
}

fn router<F, R>(api: F) -> (Arc<Mutex<Vec<Head>>>, Router)
where
    F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    recording(move |head: Head, body| {
        let api = api.clone();
        async move {
            match head.target.as_str() {
                "/token" => json(TOKENS),
                "/userinfo" => json(r#"{"sub":"up-user","name":"Up User"}"#),
                "/revoke" => json("{}"),
                _ => api(head, body).await,
            }
        }
    })
}

fn recording<F, R>(answer: F) -> (Arc<Mutex<Vec<Head>>>, Router)
where
    F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    let seen = Arc::new(Mutex::new(Vec::new()));
    let memory = seen.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (memory, answer) = (memory.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let mut head = Head { method: parts.method, target, headers: parts.headers };
            // HTTP/2 names the host in the target.
            if let Some(host) = parts.uri.authority().and_then(|host| host.as_str().parse().ok()) {
                head.headers.entry(header::HOST).or_insert(host);
            }
            memory.lock().unwrap().push(head.clone());
            answer(head, body).await
        }
    });
    (seen, router)
}

/// A JSON answer.
pub fn json(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}

/// An answer with this status and these headers.
pub fn say(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).expect("a response")
}
