//! A provider that makes a new secret each time, remembers all it was shown, and repeats it in its errors.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::sweep::Secrets;
use crate::support::{
    Upstream, decode,
    upstream::{Head, json as says, say},
};

/// The provider, and how it behaves.
pub struct Blabber {
    pub up: Upstream,
    /// Token requests are refused, and revocations fail.
    pub refuses: Arc<AtomicBool>,
    /// What the token endpoint calls its refusal.
    pub error: Arc<Mutex<&'static str>>,
    /// The API answers 401, and so does the account.
    pub locked: Arc<AtomicBool>,
}

impl Blabber {
    pub async fn start(secrets: &Arc<Secrets>) -> Self {
        let (refuses, locked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let error = Arc::new(Mutex::new("invalid_grant"));
        let minted = Arc::new(AtomicUsize::new(0));
        let (all, no, lock, name) = (secrets.clone(), refuses.clone(), locked.clone(), error.clone());
        let up = Upstream::whole(move |head: Head, body: Body| {
            let (all, no, lock) = (all.clone(), no.load(Ordering::SeqCst), lock.load(Ordering::SeqCst));
            let (error, minted) = (*name.lock().unwrap(), minted.clone());
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                match head.target.as_str() {
                    "/token" | "/revoke" => {
                        let shown = remember(&all, &head, &body);
                        if no {
                            return refusal(error, &shown);
                        }
                        if head.target == "/revoke" {
                            return says("{}");
                        }
                        mint(&all, minted.fetch_add(1, Ordering::SeqCst))
                    }
                    "/userinfo" if lock => {
                        let shown = head.all("authorization").concat();
                        let words = format!("{} is not known", shown.trim_start_matches("Bearer "));
                        let body = json!({ "error": { "message": words } }).to_string();
                        say(401, &[("content-type", "application/json")], body)
                    }
                    "/userinfo" => says(r#"{"sub":"u-1","name":"U One","email":"u@one.test"}"#),
                    _ if lock => {
                        let shown = head.all("authorization").concat();
                        let token = shown.trim_start_matches("Bearer ").to_owned();
                        say(
                            401,
                            &[
                                ("www-authenticate", &format!("Bearer error=\"{token}\"")),
                                ("x-token", &token),
                            ],
                            "no",
                        )
                    }
                    _ => says(r#"{"ok":true}"#),
                }
            }
        });
        Self { up: up.await, refuses, error, locked }
    }
}

/// Remembers what a token request or a revocation shows; gives it.
fn remember(secrets: &Secrets, head: &Head, body: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    for (name, value) in decode(std::str::from_utf8(body).expect("a form")) {
        let what = match name.as_str() {
            "code" => "the provider's code",
            "code_verifier" => "a verifier",
            "refresh_token" | "token" => "a token",
            "client_secret" => "the client secret",
            _ => continue,
        };
        secrets.add(what, &value);
        shown.push(value);
    }
    if let Some(basic) = head.all("authorization").concat().strip_prefix("Basic ") {
        secrets.add("the client's credentials", basic);
        let pair = String::from_utf8(BASE64_STANDARD.decode(basic).expect("base64")).expect("a pair");
        shown.push(pair.split_once(':').expect("a pair").1.to_owned());
        shown.push(basic.to_owned());
    }
    shown
}

/// An error that repeats all of it, in the code and in the description.
fn refusal(error: &str, shown: &[String]) -> Response {
    let body = json!({ "error": error, "error_description": format!("you sent {}", shown.join(" and ")) });
    say(400, &[("content-type", "application/json")], body.to_string())
}

fn mint(secrets: &Secrets, n: usize) -> Response {
    let (access, refresh) = (format!("canary+access/{n:016}=="), format!("canary.refresh-{n:016}~"));
    secrets.add("a token", &access);
    secrets.add("a token", &refresh);
    let id = format!("canary.id.token.{n:016}");
    secrets.add("a token", &id);
    let tokens = json!({
        "access_token": access, "refresh_token": refresh, "id_token": id,
        "token_type": "Bearer", "expires_in": 3600, "extra": access,
    });
    says(&tokens.to_string())
}

/// A receiver of webhooks that says everything back to whoever sent it, headers first, and takes nothing.
pub async fn echo() -> Upstream {
    Upstream::whole(|head: Head, body: Body| async move {
        let body = body.collect().await.expect("a whole body").to_bytes();
        let mut said: String = format!("{} {}\n", head.method, head.target);
        for (name, value) in &head.headers {
            said += &format!("{name}: {}\n", value.to_str().expect("an ASCII header"));
        }
        said += &String::from_utf8_lossy(&body);
        say(503, &[("x-echo", &said.replace('\n', " "))], said.clone())
    })
    .await
}
