//! The API behind the tokens.

use super::{Tried, text};
use axum::body::Body;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;

async fn token(tried: &Tried) -> String {
    text(&tried.connect().await, "access_token").to_owned()
}

#[tokio::test]
async fn the_api_wants_one_valid_bearer_token() {
    let tried = Tried::new();
    let token = token(&tried).await;
    for path in ["/api", "/api/", "/api/me", "/api/x", "/api/bytes/1", "/api/stream/1", "/api/status/200"] {
        let none = tried.get(path).await;
        assert_eq!(none.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"sandbox\"", "{path}");
        let wrong = tried.bearer(Method::GET, path, "sbx_at_wrong").await;
        assert!(wrong.header("www-authenticate").contains("invalid_token"), "{path}");
        assert_eq!(tried.bearer(Method::GET, path, &token).await.status, StatusCode::OK, "{path}");
    }
    let in_query = tried.get(&format!("/api/x?access_token={token}")).await;
    assert_eq!(in_query.status, StatusCode::UNAUTHORIZED);
    let value = format!("Bearer {token}");
    let twice = Request::get("/api/x").header(AUTHORIZATION, &value).header(AUTHORIZATION, &value);
    let twice = tried.send(twice.body(Body::empty()).expect("a request")).await;
    assert_eq!(twice.status, StatusCode::UNAUTHORIZED);
    let stats = tried.stats().await;
    assert_eq!((&stats["api_calls"], &stats["api_unauthorized"]), (&json!(7 * 3 + 2), &json!(7 * 2 + 2)));
}

#[tokio::test]
async fn the_echo_says_back_what_arrived_without_the_token() {
    let tried = Tried::new();
    let token = token(&tried).await;
    let path = "/api/a%2Fb//c/../%C3%A9;p=1";
    let query = "q=a+b%20c&empty=&q=2&&%zz&x=[1]&u=%E2%82%AC";
    let request = Request::builder()
        .method("PROPFIND")
        .uri(format!("{path}?{query}"))
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header("x-twice", "one")
        .header("x-twice", "two")
        .header("x-bytes", HeaderValue::from_bytes(b"caf\xe9").expect("a header"));
    let bytes = b"\x00\xff text";
    let answer = tried.send(request.body(Body::from(&bytes[..])).expect("a request")).await;
    let echo = answer.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query"]),
        (&json!("PROPFIND"), &json!(path), &json!(query))
    );
    assert_eq!(echo["headers"]["x-twice"], json!(["one", "two"]));
    assert_eq!(echo["headers"]["x-bytes"], json!(["caf\u{e9}"]));
    assert_eq!(echo["headers"]["authorization"], json!(["(a valid bearer token)"]));
    assert_eq!((&echo["body"], &echo["body_base64"]), (&json!(null), &json!("AP8gdGV4dA==")));
    assert_eq!((&echo["body_length"], &echo["account"]), (&json!(7), &json!("acct_alice")));
    assert!(!answer.text().contains(&token));
    let bare = tried.bearer(Method::GET, "/api/x", &token).await.json();
    assert_eq!((&bare["query"], &bare["body"], &bare["body_length"]), (&json!(null), &json!(""), &json!(0)));
}

#[tokio::test]
async fn a_long_body_is_hashed_to_its_end() {
    let tried = Tried::new();
    let request = Request::put("/api/up").header(AUTHORIZATION, format!("Bearer {}", token(&tried).await));
    let body = vec![b'a'; 3 * 1024 * 1024];
    let expected = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body));
    let echo = tried.send(request.body(Body::from(body)).expect("a request")).await.json();
    assert_eq!((&echo["body_length"], &echo["body_truncated"]), (&json!(3 * 1024 * 1024), &json!(true)));
    assert_eq!(echo["body_sha256"], json!(expected));
    assert_eq!(text(&echo, "body").len(), 1024 * 1024);
}

#[tokio::test]
async fn bytes_have_a_length_and_a_pattern() {
    let tried = Tried::new();
    let token = token(&tried).await;
    let answer = tried.bearer(Method::GET, "/api/bytes/200000", &token).await;
    assert_eq!(answer.header("content-length"), "200000");
    assert_eq!(answer.body.len(), 200_000);
    assert!(answer.body.iter().enumerate().all(|(i, byte)| usize::from(*byte) == i % 251));
    assert!(tried.bearer(Method::GET, "/api/bytes/0", &token).await.body.is_empty());
    let too_many = tried.bearer(Method::GET, "/api/bytes/99999999999", &token).await;
    assert_eq!(too_many.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_stream_comes_in_pieces() {
    let tried = Tried::new();
    let request = Request::get("/api/stream/3?pause_ms=0");
    let request = request.header(AUTHORIZATION, format!("Bearer {}", token(&tried).await));
    let (_, mut body) = tried.raw(request.body(Body::empty()).expect("a request")).await;
    let mut chunks = Vec::new();
    while let Some(frame) = body.frame().await {
        chunks.push(frame.expect("a frame").into_data().expect("data"));
    }
    assert_eq!(chunks, ["chunk 1\n", "chunk 2\n", "chunk 3\n"]);
}

#[tokio::test]
async fn a_status_is_answered_as_asked() {
    let tried = Tried::new();
    let token = token(&tried).await;
    for code in [200, 204, 304, 404, 429, 503, 599] {
        let answer = tried.bearer(Method::DELETE, &format!("/api/status/{code}"), &token).await;
        assert_eq!(answer.status, code);
    }
    let slow = tried.bearer(Method::GET, "/api/status/429?retry_after=7", &token).await;
    assert_eq!(slow.header("retry-after"), "7");
    for code in ["100", "600", "x"] {
        let answer = tried.bearer(Method::GET, &format!("/api/status/{code}"), &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{code}");
    }
}
