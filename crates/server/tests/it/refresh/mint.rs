//! A provider whose tokens are numbered, so that a story can say which was used and which was spent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{body::Body, response::Response};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use crate::support::{
    Upstream, decode, names,
    upstream::{Head, json as says, say},
    value,
};

/// The pairs of a token request.
type Form = Vec<(String, String)>;

/// A provider that numbers its tokens: `access-1` and `refresh-1` for the code, then on; each for an hour.
pub struct Mint {
    pub up: Upstream,
    /// The token requests' forms.
    pub forms: Arc<Mutex<Vec<Form>>>,
    /// What the next refreshes get instead of tokens.
    pub instead: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    /// What the API answers 401 to.
    pub refused: Arc<Mutex<Vec<String>>>,
    /// A refresh takes one before it answers; says so when it begins to wait.
    pub permits: Arc<Semaphore>,
    pub waiting: mpsc::UnboundedReceiver<()>,
}

impl Mint {
    pub async fn start() -> Self {
        let forms = Arc::new(Mutex::new(Vec::new()));
        let instead = Arc::new(Mutex::new(VecDeque::new()));
        let refused = Arc::new(Mutex::new(Vec::new()));
        let permits = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (tell, waiting) = mpsc::unbounded_channel();
        let (f, i, r, p) = (forms.clone(), instead.clone(), refused.clone(), permits.clone());
        let up = Upstream::whole(move |head: Head, body: Body| {
            let (forms, instead, refused, permits, tell) =
                (f.clone(), i.clone(), r.clone(), p.clone(), tell.clone());
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                match head.target.as_str() {
                    "/token" => {
                        let form = decode(std::str::from_utf8(&body).expect("a form"));
                        let refresh = value(&form, "grant_type") == "refresh_token";
                        let number = {
                            let mut forms = forms.lock().unwrap();
                            forms.push(form);
                            forms.len()
                        };
                        if refresh {
                            let _nobody = tell.send(());
                            permits.acquire().await.expect("open").forget();
                            if let Some((status, text)) = instead.lock().unwrap().pop_front() {
                                return say(status, &[("content-type", "application/json")], text);
                            }
                        }
                        minted(number)
                    }
                    "/userinfo" => says(r#"{"sub":"u"}"#),
                    "/revoke" => says("{}"),
                    _ => {
                        let token = head.all("authorization")[0].to_owned();
                        let status = if refused.lock().unwrap().contains(&token) { 401 } else { 200 };
                        say(status, &[], Body::from(body))
                    }
                }
            }
        });
        Self { up: up.await, forms, instead, refused, permits, waiting }
    }

    /// The authorizations that its API saw, in order.
    pub fn used(&self) -> Vec<String> {
        self.up.calls().iter().map(|call| call.all("authorization")[0].to_owned()).collect()
    }

    /// The refresh tokens that were sent, in order.
    pub fn spent(&self) -> Vec<String> {
        let forms = self.forms.lock().unwrap();
        forms
            .iter()
            .filter(|f| names(f).contains(&"refresh_token"))
            .map(|f| value(f, "refresh_token").to_owned())
            .collect()
    }

    /// From now on refreshes wait.
    pub fn hold(&self) {
        self.permits.forget_permits(Semaphore::MAX_PERMITS);
    }
}

fn minted(number: usize) -> Response {
    let tokens = json!({
        "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"),
        "token_type": "bearer", "expires_in": 3600,
    });
    says(&tokens.to_string())
}
