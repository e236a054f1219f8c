//! Codes, client authentication and revocation.

use super::{CALLBACK, CHALLENGE, CLIENT, Pairs, SECRET, Tried, VERIFIER, basic, form, text};
use crate::grants::challenge_of;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde_json::json;

#[test]
fn the_challenge_is_that_of_the_standard() {
    assert_eq!(challenge_of(VERIFIER), CHALLENGE);
}

#[tokio::test]
async fn a_code_becomes_tokens_that_open_the_api() {
    let tried = Tried::new();
    let answer = tried.exchange(&tried.code(&[]).await).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.header("content-type"), "application/json");
    let tokens = answer.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("profile email"))
    );
    let me = tried.me(text(&tokens, "access_token")).await.json();
    assert_eq!(
        me,
        json!({
            "id": "acct_alice", "name": "Alice Example", "email": "alice@sandbox.example",
            "scopes": ["profile", "email"],
        })
    );
    let userinfo = tried.bearer(http::Method::GET, "/userinfo", text(&tokens, "access_token")).await.json();
    assert_eq!(userinfo["sub"], "acct_alice");
    assert_eq!(
        tried.stats().await["token_requests"],
        json!({"authorization_code": 1, "refresh_token": 0, "other": 0})
    );
}

#[tokio::test]
async fn a_code_is_bound_to_verifier_redirect_uri_and_client() {
    let tried = Tried::new();
    let other = basic("other", "other-secret");
    let cases = [
        (CLIENT, CALLBACK, CHALLENGE),
        (CLIENT, CALLBACK, ""),
        (CLIENT, "https://app.example/cb?keep=1", VERIFIER),
        (CLIENT, "", VERIFIER),
        (other.as_str(), CALLBACK, VERIFIER),
    ];
    for (auth, redirect_uri, verifier) in cases {
        let code = tried.code(&[]).await;
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let answer = tried.form("/token", Some(auth), &pairs).await;
        assert_eq!(answer.oauth_error(400), "invalid_grant", "{redirect_uri} {verifier}");
        assert!(!answer.text().contains(&code));
        // A code that was guessed at by its own client is spent; another client cannot spend it.
        let after = tried.exchange(&code).await.status;
        assert_eq!(after.is_success(), auth == other, "{redirect_uri} {verifier}");
    }
}

#[tokio::test]
async fn a_replayed_code_kills_the_tokens_made_from_it() {
    let tried = Tried::new();
    let code = tried.code(&[]).await;
    let tokens = tried.exchange(&code).await.json();
    let bystander = tried.connect().await;
    assert_eq!(tried.me(text(&tokens, "access_token")).await.status, StatusCode::OK);
    assert_eq!(tried.exchange(&code).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(text(&tokens, "access_token")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(tried.refresh(text(&tokens, "refresh_token")).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(text(&bystander, "access_token")).await.status, StatusCode::OK);
    assert_eq!(tried.stats().await["code_replays"], 1);
}

#[tokio::test]
async fn codes_and_access_tokens_expire() {
    let tried = Tried::new();
    let (early, late) = (tried.code(&[]).await, tried.code(&[]).await);
    tried.faults(json!({"clock_ahead_seconds": 50})).await;
    let tokens = tried.exchange(&early).await.json();
    tried.faults(json!({"clock_ahead_seconds": 61})).await;
    assert_eq!(tried.exchange(&late).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(text(&tokens, "access_token")).await.status, StatusCode::OK);
    tried.faults(json!({"clock_ahead_seconds": 50 + 3600})).await;
    let expired = tried.me(text(&tokens, "access_token")).await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    assert!(expired.header("www-authenticate").contains("error=\"invalid_token\""));
    assert_eq!(tried.refresh(text(&tokens, "refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn clients_authenticate_by_header_or_body_but_not_by_both() {
    let tried = Tried::new();
    let refresh = |tokens: &serde_json::Value| text(tokens, "refresh_token").to_owned();
    let mut token = refresh(&tried.connect().await);
    let body = [("client_id", "dev"), ("client_secret", SECRET)];
    let wrong = basic("dev", "wrong");
    let raw_wrong = basic("dev", SECRET); // not form-encoded: its `+` means a space
    let cases: [(Option<&str>, Pairs<'_>, u16); 9] = [
        (Some(CLIENT), &[], 200),
        (None, &body, 200),
        (Some(CLIENT), &[("client_id", "dev")], 200),
        (Some(CLIENT), &body, 400),
        (Some(CLIENT), &[("client_id", "other")], 401),
        (Some(&wrong), &[], 401),
        (Some(&raw_wrong), &[], 401),
        (None, &[("client_id", "dev")], 401),
        (None, &[], 401),
    ];
    for (auth, extra, status) in cases {
        let mut pairs = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        pairs.extend(extra);
        let answer = tried.form("/token", auth, &pairs).await;
        assert_eq!(answer.status, status, "{auth:?} {extra:?} {}", answer.text());
        match status {
            200 => token = refresh(&answer.json()),
            401 => {
                assert_eq!(answer.oauth_error(401), "invalid_client");
                assert!(answer.header("www-authenticate").starts_with("Basic "));
            }
            _ => assert_eq!(answer.oauth_error(400), "invalid_request"),
        }
    }
    assert_eq!(tried.stats().await["refresh_reuse_detections"], 0);
}

#[tokio::test]
async fn a_public_client_sends_only_its_id() {
    let tried = Tried::new();
    let code = tried.code(&[("client_id", "public")]).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", "public"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(tried.form("/token", None, &pairs).await.status, StatusCode::OK);
}

#[tokio::test]
async fn malformed_token_requests_are_named() {
    let tried = Tried::new();
    let cases: [(Pairs<'_>, &str); 6] = [
        (&[], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("grant_type", "refresh_token")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "nope")], "invalid_grant"),
    ];
    for (pairs, error) in cases {
        assert_eq!(tried.form("/token", Some(CLIENT), pairs).await.oauth_error(400), error, "{pairs:?}");
    }
    let mut json = form("/token", Some(CLIENT), &[("grant_type", "refresh_token")]);
    json.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("a header"));
    assert_eq!(tried.send(json).await.oauth_error(400), "invalid_request");
    let get = tried.send(Request::get("/token").body(Body::empty()).expect("a request")).await;
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn revoking_ends_an_access_token_alone_and_a_refresh_token_with_its_grant() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let other = basic("other", "other-secret");
    let foreign = tried.form("/revoke", Some(&other), &[("token", refresh)]).await;
    assert_eq!(foreign.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(access).await.status, StatusCode::OK);

    assert_eq!(tried.form("/revoke", Some(CLIENT), &[("token", access)]).await.status, StatusCode::OK);
    assert_eq!(tried.me(access).await.status, StatusCode::UNAUTHORIZED);
    let newer = tried.refresh(refresh).await.json();
    let (access, refresh) = (text(&newer, "access_token"), text(&newer, "refresh_token"));
    assert_eq!(tried.me(access).await.status, StatusCode::OK);

    assert_eq!(tried.form("/revoke", Some(CLIENT), &[("token", refresh)]).await.status, StatusCode::OK);
    assert_eq!(tried.me(access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(tried.refresh(refresh).await.oauth_error(400), "invalid_grant");

    assert_eq!(tried.form("/revoke", Some(CLIENT), &[("token", "unknown")]).await.status, StatusCode::OK);
    assert_eq!(tried.form("/revoke", Some(CLIENT), &[]).await.oauth_error(400), "invalid_request");
    assert_eq!(tried.form("/revoke", None, &[("token", refresh)]).await.oauth_error(401), "invalid_client");
    let stats = tried.stats().await;
    assert_eq!((&stats["revocations"], &stats["revoke_requests"]), (&json!(2), &json!(6)));
}
