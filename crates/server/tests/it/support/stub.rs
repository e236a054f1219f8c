//! A provider without rules: it writes down every request, byte for byte, and answers what it was told to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Collected};
use tokio::{net::TcpListener, task::JoinHandle};

use super::decode;

/// What it answers at a path.
#[derive(Clone)]
pub enum Reply {
    /// Status, content type, body.
    Say(u16, &'static str, String),
    /// Takes the request and never answers.
    Hang,
    /// Announces a body and breaks off.
    Break,
    /// A body of this many bytes.
    Huge(usize),
    /// A redirect.
    Redirect(u16, String),
}

impl Reply {
    /// JSON with status 200.
    pub fn json(text: &str) -> Self {
        Self::Say(200, "application/json", text.to_owned())
    }

    /// An OAuth error (RFC 6749 §5.2).
    pub fn oauth_error(status: u16, code: &str) -> Self {
        Self::Say(status, "application/json", serde_json::json!({ "error": code }).to_string())
    }
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    /// The pairs of its form.
    pub fn form(&self) -> Vec<(String, String)> {
        decode(std::str::from_utf8(&self.body).expect("a text body"))
    }
}

#[derive(Default)]
struct Memory {
    seen: Vec<Seen>,
    replies: BTreeMap<String, Reply>,
}

/// A running stub. It ends when dropped.
pub struct Stub {
    pub origin: String,
    memory: Arc<Mutex<Memory>>,
    task: JoinHandle<()>,
}

impl Stub {
    /// Starts one that gives tokens to whoever asks.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let memory = Arc::new(Mutex::new(Memory::default()));
        let router = Router::new().fallback(answer).with_state(memory.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        let stub = Self { origin, memory, task };
        stub.reply("/token", Reply::json(TOKENS));
        stub.reply("/userinfo", Reply::json(r#"{"sub":"stub-user","name":"Stub User"}"#));
        stub.reply("/revoke", Reply::json("{}"));
        stub
    }

    /// What it says at a path from now on.
    pub fn reply(&self, path: &str, reply: Reply) {
        self.memory.lock().unwrap().replies.insert(path.to_owned(), reply);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.memory.lock().unwrap().seen.clone()
    }

    /// Requests at its token endpoint so far.
    pub fn token_requests(&self) -> usize {
        self.seen().iter().filter(|seen| seen.path == "/token").count()
    }
}

/// What a stub says at `/token` unless told otherwise.
pub const TOKENS: &str = r#"{"access_token":"canary_stub_access","refresh_token":"canary_stub_refresh","token_type":"Bearer","expires_in":3600}"#;

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(memory): State<Arc<Mutex<Memory>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let reply = {
        let mut memory = memory.lock().unwrap();
        memory.seen.push(Seen { path: path.clone(), headers: head.headers, body });
        memory.replies.get(&path).cloned()
    };
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    match reply.unwrap_or(Reply::Say(404, "text/plain", String::new())) {
        Reply::Say(code, kind, text) => (status(code), [(header::CONTENT_TYPE, kind)], text).into_response(),
        Reply::Hang => std::future::pending().await,
        Reply::Break => {
            let parts = [Ok(Bytes::from_static(b"{\"access_token\":")), Err(std::io::Error::other("broken"))];
            Body::from_stream(stream::iter(parts)).into_response()
        }
        Reply::Huge(bytes) => {
            let piece = Bytes::from(vec![b' '; 64 * 1024]);
            let pieces = stream::repeat(piece).take(bytes / (64 * 1024) + 1).map(Ok::<_, std::io::Error>);
            Body::from_stream(pieces).into_response()
        }
        Reply::Redirect(code, to) => (status(code), [(header::LOCATION, to)]).into_response(),
    }
}
