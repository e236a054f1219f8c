//! A browser as far as these stories need one: it keeps cookies per host, follows nothing by itself, and asks
//! on a connection of its own each time.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{decode, encode};

/// One browser: a cookie jar.
#[derive(Default)]
pub struct Browser {
    jar: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// Hosts that are really elsewhere.
    hosts: BTreeMap<String, SocketAddr>,
}

/// An answer with its body read.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next().map(|v| v.to_str().expect("an ASCII header"));
        assert!(all.next().is_none(), "{name} is there twice");
        first
    }

    /// Where it redirects to; the answer must be a redirect.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("{} is no redirect: {}", self.status, self.text()))
    }

    /// The redirect's target before its query, and the query's pairs.
    pub fn redirect(&self) -> (String, Vec<(String, String)>) {
        let (target, query) = self.location().split_once('?').expect("a redirect with a query");
        (target.to_owned(), decode(query))
    }

    /// Asserts that this is an error page of ours: the status, no redirect, and the words on it.
    #[track_caller]
    pub fn assert_page(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.headers.get(header::LOCATION).is_none(), "a page does not redirect");
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{}", self.text());
        assert!(self.text().contains(words), "{words:?} is not on the page: {}", self.text());
    }

    /// Asserts that a callback was refused with a page.
    #[track_caller]
    pub fn assert_refused(&self, why: &str) {
        assert!(self.status == 400 || self.status == 409, "{why}: {} {}", self.status, self.text());
        assert!(self.headers.get(header::LOCATION).is_none(), "{why}: {:?}", self.headers);
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{why}");
    }

    /// Asserts that this is JSON naming this one wrong field.
    #[track_caller]
    pub fn assert_field(&self, field: &str) {
        assert_eq!(self.status, 400, "{}", self.text());
        let body = self.json();
        let fields = body["errors"].as_object().unwrap_or_else(|| panic!("no errors: {body}"));
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field], "{body}");
        assert!(fields[field][0].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }

    /// Asserts that this is JSON of the other error shape.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    }
}

impl Browser {
    pub fn new() -> Self {
        Self::default()
    }

    /// A browser for which `host` is at `address`.
    pub fn knowing(host: &str, address: SocketAddr) -> Self {
        Self { hosts: BTreeMap::from([(host.to_owned(), address)]), ..Self::default() }
    }

    /// The cookies it would send to a host.
    pub fn cookies(&self, host: &str) -> BTreeMap<String, String> {
        self.jar.lock().unwrap().get(host).cloned().unwrap_or_default()
    }

    /// Replaces the cookies for a host.
    pub fn set_cookies(&self, host: &str, cookies: BTreeMap<String, String>) {
        self.jar.lock().unwrap().insert(host.to_owned(), cookies);
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.request(Method::GET, url), Bytes::new()).await
    }

    /// Sends a form from a page of the same origin, as browsers say it.
    pub async fn submit(&self, url: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, url).header("sec-fetch-site", "same-origin");
        self.form(request, pairs).await
    }

    /// Sends a form with exactly the headers given.
    pub async fn form(&self, request: http::request::Builder, pairs: &[(&str, &str)]) -> Answer {
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Bytes::from(encode(pairs))).await
    }

    /// A request to this URL with this browser's cookies.
    pub fn request(&self, method: Method, url: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(url);
        let uri: http::Uri = url.parse().unwrap_or_else(|e| panic!("{url}: {e}"));
        let jar = self.cookies(uri.host().expect("an absolute URL"));
        let line: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if line.is_empty() { request } else { request.header(header::COOKIE, line.join("; ")) }
    }

    /// Sends, keeps the cookies that come back, follows nothing.
    pub async fn send(&self, request: http::request::Builder, body: Bytes) -> Answer {
        let request = request.body(Full::new(body)).expect("a request");
        let host = request.uri().host().expect("an absolute URL").to_owned();
        let answer = exchange(request, self.hosts.get(&host).copied()).await;
        let mut jar = self.jar.lock().unwrap();
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().expect("an ASCII cookie").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("name=value");
            jar.entry(host.clone()).or_default().insert(name.to_owned(), value.to_owned());
        }
        drop(jar);
        answer
    }
}

/// One request on a connection of its own.
async fn exchange(mut request: Request<Full<Bytes>>, elsewhere: Option<SocketAddr>) -> Answer {
    let authority = request.uri().authority().expect("an absolute URL").clone();
    let stream = match elsewhere {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(authority.as_str()).await,
    };
    let io = TokioIo::new(stream.expect("a listener"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("HTTP/1.1");
    let driver = tokio::spawn(connection);
    let path = request.uri().path_and_query().expect("a path").as_str().to_owned();
    *request.uri_mut() = path.parse().expect("a path");
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, authority.as_str().parse().expect("a host"));
    }
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    driver.abort();
    Answer { status: head.status, headers: head.headers, body }
}

/// Sends bytes as they are and reads what comes back until the connection closes.
pub async fn raw(origin: &str, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).await.expect("a listener");
    stream.write_all(bytes).await.expect("sent");
    let mut all = Vec::new();
    let _reset = stream.read_to_end(&mut all).await;
    let at = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer with a head");
    let head = String::from_utf8_lossy(&all[..at]).into_owned();
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status line");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header line");
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    Answer { status, headers, body: Bytes::copy_from_slice(&all[at + 4..]) }
}
