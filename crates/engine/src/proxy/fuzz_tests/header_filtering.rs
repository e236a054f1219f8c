//! Header filtering: what is of one hop, what is a credential, and what frames never gets through; what leaves has one
//! framing.

use std::collections::BTreeSet;

use claviger_catalog::Api;
use claviger_protocol::oauth2::Tokens;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body::SizeHint;

use super::{fuzz, print};
use crate::{
    id::RequestId,
    outbound::empty,
    proxy::{headers, prepare, relay, shown::Shown},
    secret::Secret,
};

const TOKEN: &str = "tok+canary/1";
/// What goes no further, in either direction.
const ONE_HOP: [&str; 8] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "upgrade",
    "connection",
    "http2-settings",
    "proxy-authentication-info",
];
const WORDS: [&str; 42] = [
    "\n",
    ": ",
    ",",
    ";",
    "Connection",
    "close",
    "Transfer-Encoding",
    "chunked",
    "gzip",
    "identity",
    "Content-Length",
    "0",
    "5",
    "05",
    "+5",
    "5, 5",
    "TE",
    "trailers",
    "Trailer",
    "Authorization",
    "Bearer tok+canary/1",
    "Cookie",
    "a=b",
    "Set-Cookie",
    "Set-Cookie2",
    "Upgrade",
    "websocket",
    "BU-Connection-Id",
    "Proxy-Authorization",
    "X-Forwarded-For",
    "Forwarded",
    "Host",
    "Expect",
    "DPoP",
    "Keep-Alive",
    "X-Kept",
    "tok%2Bcanary%2F1",
    "dG9rK2NhbmFyeS8x",
    "HTTP2-Settings",
    "Proxy-Connection",
    "\u{e9}",
    "x-kept",
];

/// The lines of an input as headers, as far as they are any.
fn read(lines: &[u8]) -> HeaderMap {
    let mut found = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..at]);
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            found.append(name, value);
        }
    }
    found
}

fn named(from: &HeaderMap) -> BTreeSet<String> {
    let values = from.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// What is left of each name is what came of it, in that order.
fn assert_in_order(from: &HeaderMap, to: &HeaderMap, ours: &[&str]) {
    for name in to.keys().filter(|name| !ours.contains(&name.as_str())) {
        let mut came = from.get_all(name).iter();
        for value in to.get_all(name) {
            assert!(came.any(|one| one == value), "{name}: {value:?} is new, or not in order");
        }
    }
}

fn lengths(of: &HeaderMap) -> Vec<&HeaderValue> {
    of.get_all(header::CONTENT_LENGTH).iter().collect()
}

#[test]
fn nothing_of_a_hop_and_no_credential_of_the_callers_gets_through() {
    fuzz("headers", &WORDS, |input| {
        let (first, lines) = input.split_first().unwrap_or((&b'0', b""));
        let from = read(lines);
        let hint =
            if first % 2 == 0 { SizeHint::with_exact(u64::from(first % 10)) } else { SizeHint::default() };
        if let Err(refused) = headers::check_framing(&from) {
            return print(refused.to_string());
        }
        let method = if first % 3 == 0 { Method::GET } else { Method::POST };
        let (mut caller, ()) = Request::builder().method(method).uri("/").body(()).unwrap().into_parts();
        caller.headers = from.clone();
        let (api, tokens) = (Api::default(), Tokens::of(Secret::new(TOKEN), "Bearer"));
        let shown = Shown::of(&api, &tokens).unwrap();
        let uri = "https://api.test/x".parse().unwrap();
        let prepared = prepare::head(&caller, &uri, &api, &[], (&tokens, &shown), hint).unwrap();
        let to = prepared.parts.headers;
        let credential = HeaderValue::from_static("Bearer tok+canary/1");
        assert_eq!(to.get_all(header::AUTHORIZATION).iter().collect::<Vec<_>>(), [&credential]);
        for name in to.keys().map(HeaderName::as_str) {
            let ours = ["cookie", "forwarded", "host", "expect", "dpop", "dpop-nonce"].contains(&name);
            let family = ["bu-", "proxy-", "x-forwarded-"].iter().any(|prefix| name.starts_with(prefix));
            assert!(!ours && !family && !ONE_HOP.contains(&name), "{name} got through");
            let own = ["authorization", "content-length", "te", "transfer-encoding"].contains(&name);
            assert!(own || !named(&from).contains(name), "{name}, which is of the connection, got through");
        }
        assert!(to.get_all(header::TE).iter().all(|value| value == "trailers"));
        let coded: Vec<_> = to.get_all(header::TRANSFER_ENCODING).iter().collect();
        let said = lengths(&to);
        assert!(coded.len() + said.len() <= 1, "two framings");
        assert!(
            coded.iter().all(|coding| *coding == "chunked") && (coded.is_empty() || hint.exact().is_none())
        );
        assert!(
            said.iter().all(|said| said.to_str().ok().and_then(|said| said.parse().ok()) == hint.exact())
        );
        assert_in_order(&from, &to, &["authorization", "te", "transfer-encoding"]);
        print((
            to.keys().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>().len(),
            said.len(),
            coded.len(),
            from.len().min(9),
        ))
    });
}

#[test]
fn nothing_of_a_hop_no_cookie_and_no_echo_comes_back() {
    fuzz("headers", &WORDS, |input| {
        let (_, lines) = input.split_first().unwrap_or((&b'0', b""));
        let from = read(lines);
        let fine = headers::check_answer(&from).is_ok();
        let mut response = Response::new(empty());
        *response.headers_mut() = from.clone();
        let (api, tokens) = (Api::default(), Tokens::of(Secret::new(TOKEN), "Bearer"));
        let shown = Shown::of(&api, &tokens).unwrap();
        let (caller, ()) = Request::new(()).into_parts();
        let uri = "https://api.test/x".parse().unwrap();
        let none = SizeHint::with_exact(0);
        let prepared = prepare::head(&caller, &uri, &api, &[], (&tokens, &shown), none).unwrap();
        let answer = relay::answer(response, &prepared.echoes, &RequestId::new());
        let to = answer.headers();
        for (name, value) in to {
            let name = name.as_str();
            assert!(!ONE_HOP.contains(&name), "{name} came back");
            assert!(
                !["set-cookie", "set-cookie2", "te", "transfer-encoding"].contains(&name),
                "{name} came back"
            );
            assert!(name == "content-length" || !named(&from).contains(name), "{name} came back");
            let text = String::from_utf8_lossy(value.as_bytes());
            assert!(
                !text.contains(TOKEN) && !text.contains("tok%2Bcanary%2F1"),
                "{name} repeats the credential"
            );
        }
        let said = lengths(to);
        assert!(said.len() <= usize::from(!from.contains_key(header::TRANSFER_ENCODING)), "two framings");
        assert!(said.iter().all(|said| !said.as_bytes().contains(&b',')));
        assert_in_order(&from, to, &["content-length", "claviger-request-id"]);
        print((fine, to.len().min(9), said.len(), from.len().min(9)))
    });
}
