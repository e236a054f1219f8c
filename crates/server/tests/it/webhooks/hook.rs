//! A product's server: it takes deliveries, writes them down byte for byte, and answers by a rule of the story's.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Collected};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// How a delivery is answered.
pub enum Rule {
    /// With this status.
    Say(u16),
    /// With this status, a header and a body.
    Write(u16, (&'static str, String), Vec<u8>),
    /// Never.
    Hang,
    /// With 204, once [`Hook::release`] was called.
    Wait,
}

/// A delivery as it came.
#[derive(Clone)]
pub struct Told {
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: Value,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.get_all(name).iter();
        let value = all.next().unwrap_or_else(|| panic!("no header {name}"));
        assert!(all.next().is_none(), "{name} is there twice");
        value.to_str().expect("an ASCII header")
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }

    /// Whether the hex signature in a header was made with this secret.
    pub fn signed(&self, header: &str, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &self.bytes);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header(header) == hex
    }

    /// Whether one of the Standard Webhooks signatures was made with this `whsec_` secret.
    pub fn signed_standard(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
        let text =
            [self.id().as_bytes(), b".", self.header("webhook-timestamp").as_bytes(), b".", &self.bytes];
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text.concat());
        let expected = format!("v1,{}", BASE64_STANDARD.encode(tag));
        self.header("webhook-signature").split(' ').any(|one| one == expected)
    }
}

type Rules = Box<dyn FnMut(&Told) -> Rule + Send>;

struct Memory {
    seen: Vec<Told>,
    rules: Rules,
}

#[derive(Clone)]
struct Desk {
    memory: Arc<Mutex<Memory>>,
    count: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

/// A running receiver. It ends when dropped.
pub struct Hook {
    /// Where deliveries are posted.
    pub url: String,
    desk: Desk,
    task: JoinHandle<()>,
}

impl Hook {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook?a=b", listener.local_addr().expect("an address"));
        let memory = Memory { seen: Vec::new(), rules: Box::new(|_| Rule::Say(204)) };
        let desk = Desk {
            memory: Arc::new(Mutex::new(memory)),
            count: watch::Sender::new(0),
            released: watch::Sender::new(false),
        };
        let router = Router::new().fallback(answer).with_state(desk.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, desk, task }
    }

    /// How it answers from now on.
    pub fn rule(&self, rules: impl FnMut(&Told) -> Rule + Send + 'static) {
        self.desk.memory.lock().unwrap().rules = Box::new(rules);
    }

    /// Every delivery so far.
    pub fn seen(&self) -> Vec<Told> {
        self.desk.memory.lock().unwrap().seen.clone()
    }

    /// Waits until it has seen so many.
    pub async fn saw(&self, count: usize) {
        let mut seen = self.desk.count.subscribe();
        let limit = std::time::Duration::from_secs(60);
        let came = tokio::time::timeout(limit, seen.wait_for(|seen| *seen >= count)).await;
        came.unwrap_or_else(|_| panic!("only {} of {count} came", self.seen().len())).expect("a count");
    }

    /// Lets those who wait have their answer.
    pub fn release(&self) {
        self.desk.released.send_replace(true);
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    assert_eq!(head.method, http::Method::POST);
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let told = Told { headers: head.headers, bytes, body };
    let rule = {
        let mut memory = desk.memory.lock().unwrap();
        let rule = (memory.rules)(&told);
        memory.seen.push(told);
        rule
    };
    desk.count.send_modify(|count| *count += 1);
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    match rule {
        Rule::Say(code) => status(code).into_response(),
        Rule::Write(code, header, body) => (status(code), [header], body).into_response(),
        Rule::Hang => std::future::pending().await,
        Rule::Wait => {
            let mut released = desk.released.subscribe();
            released.wait_for(|released| *released).await.expect("the hook is there");
            StatusCode::NO_CONTENT.into_response()
        }
    }
}
