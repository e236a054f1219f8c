//! The sandbox through its own door: every test speaks HTTP to the router and knows nothing of what is behind it.
//!
//! Here: the client that the tests use. Look next at the file named after the subject.

mod api;
mod authorize;
mod faults;
mod log;
mod refresh;
mod token;

use crate::{Client, Config, app};
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes_of::whole;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tower::ServiceExt as _;

const ISSUER: &str = "http://127.0.0.1:8082";
const CALLBACK: &str = "http://127.0.0.1:8080/oauth2/callback/int_1";
const PREFIX: &str = "http://127.0.0.1:8080/cb/";
/// RFC 7636 Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CLIENT: &str = "Basic ZGV2OnMlM0FlY3JldCUyQjE="; // dev : s%3Aecret%2B1
const SECRET: &str = "s:ecret+1";

mod bytes_of {
    use axum::body::Body;
    use http_body_util::BodyExt as _;

    /// The whole body, or the error it broke with.
    pub(super) async fn whole(body: Body) -> Result<Vec<u8>, axum::Error> {
        body.collect().await.map(|collected| collected.to_bytes().to_vec())
    }
}

/// Form fields or query parameters.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// An answer with its body read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
    }
    /// The redirect target without its query, and the query's pairs.
    fn redirect(&self) -> (String, BTreeMap<String, String>) {
        let location = self.header(LOCATION.as_str());
        let (target, query) = location.split_once('?').expect("a redirect with a query");
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(map.len(), pairs.len(), "a parameter is repeated: {location}");
        (target.to_owned(), map)
    }
    fn oauth_error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("cache-control"), "no-store");
        self.json()["error"].as_str().expect("an error code").to_owned()
    }
}

fn config() -> Config {
    let dev = Client {
        redirect_uris: vec![CALLBACK.into(), "https://app.example/cb?keep=1".into()],
        redirect_prefix: Some(PREFIX.into()),
        ..Client::new("dev", SECRET)
    };
    let other = Client { redirect_uris: vec![CALLBACK.into()], ..Client::new("other", "other-secret") };
    let public = Client { secret: None, redirect_uris: vec![CALLBACK.into()], ..Client::new("public", "") };
    let mut config = Config::new(ISSUER, dev);
    config.clients.extend([other, public]);
    config
}

/// One sandbox and the requests the tests make of it.
struct Tried(Router);

impl Tried {
    fn new() -> Self {
        Self(app(config()))
    }

    async fn raw(&self, request: Request<Body>) -> (http::response::Parts, Body) {
        self.0.clone().oneshot(request).await.expect("the router answers").into_parts()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.raw(request).await;
        let body = whole(body).await.expect("a whole body");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn form(&self, path: &str, auth: Option<&str>, pairs: Pairs<'_>) -> Answer {
        self.send(form(path, auth, pairs)).await
    }

    async fn faults(&self, faults: Value) -> Answer {
        let request = Request::post("/faults").header(CONTENT_TYPE, "application/json");
        let answer = self.send(request.body(Body::from(faults.to_string())).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer
    }

    async fn stats(&self) -> Value {
        self.get("/stats").await.json()
    }

    async fn bearer(&self, method: Method, path: &str, token: &str) -> Answer {
        let request =
            Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    async fn me(&self, token: &str) -> Answer {
        self.bearer(Method::GET, "/api/me", token).await
    }

    /// Presses Allow and returns the code.
    async fn code(&self, changes: Pairs<'_>) -> String {
        let answer =
            self.form(&authorize_path(changes), None, &[("account", "alice"), ("decision", "allow")]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        answer.redirect().1["code"].clone()
    }

    async fn exchange(&self, code: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.form("/token", Some(CLIENT), &pairs).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("/token", Some(CLIENT), &pairs).await
    }

    /// A whole connection: the token answer's JSON.
    async fn connect(&self) -> Value {
        let answer = self.exchange(&self.code(&[]).await).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    }
}

fn form(path: &str, auth: Option<&str>, pairs: Pairs<'_>) -> Request<Body> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(auth) = auth {
        request = request.header(AUTHORIZATION, auth);
    }
    request.body(Body::from(body)).expect("a request")
}

/// `/authorize?…` of a good request, with some parameters set otherwise; an empty value removes one.
fn authorize_path(changes: Pairs<'_>) -> String {
    let mut pairs = BTreeMap::from([
        ("client_id", "dev"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "profile email"),
        ("state", "st&te=1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    pairs.extend(changes.iter().copied());
    pairs.retain(|_, value| !value.is_empty());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/authorize?{query}")
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect(key)
}

#[tokio::test]
async fn the_metadata_names_every_endpoint() {
    let metadata = Tried::new().get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["authorization_endpoint"], format!("{ISSUER}/authorize"));
    assert_eq!(metadata["token_endpoint"], format!("{ISSUER}/token"));
    assert_eq!(metadata["revocation_endpoint"], format!("{ISSUER}/revoke"));
    assert_eq!(metadata["introspection_endpoint"], format!("{ISSUER}/introspect"));
    assert_eq!(metadata["userinfo_endpoint"], format!("{ISSUER}/userinfo"));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn serving_answers_on_loopback_and_nowhere_else() {
    let open = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a listener");
    let refused = crate::serve(open, config()).await.expect_err("not on loopback");
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(crate::serve(listener, config()));
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let request = b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.expect("a sent request");
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    server.abort();
}
