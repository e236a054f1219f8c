//! Each fault, and that it ends.

use super::{ISSUER, Tried, authorize_path, bytes_of::whole, form, text};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn faults_are_merged_shown_refused_and_cleared() {
    let tried = Tried::new();
    tried.faults(json!({"no_rotation": true, "expires_in": 5})).await;
    tried.faults(json!({"expires_in": null, "token_status": 500})).await;
    let shown = tried.get("/faults").await.json();
    assert_eq!(
        (&shown["no_rotation"], &shown["expires_in"], &shown["token_status"]),
        (&json!(true), &json!(null), &json!(500))
    );
    for bad in
        [r#"{"no_such": 1}"#, r#"{"token_status": 99}"#, r#"{"api_statuses": [700]}"#, r#"{"no_such": null}"#]
    {
        let request = Request::post("/faults").header(CONTENT_TYPE, "application/json");
        let answer = tried.send(request.body(Body::from(bad)).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let cross_site = Request::post("/faults").header(CONTENT_TYPE, "text/plain");
    let cross_site = tried.send(cross_site.body(Body::from("{}")).expect("a request")).await;
    assert_eq!(cross_site.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(tried.get("/faults").await.json(), shown);
    let cleared = tried.send(Request::delete("/faults").body(Body::empty()).expect("a request")).await;
    assert_eq!(cleared.json(), json!(crate::Faults::default()));
    assert_eq!(tried.refresh(text(&tried.connect().await, "refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_way_back_can_lie() {
    let tried = Tried::new();
    let allow = [("account", "alice"), ("decision", "allow")];
    tried.faults(json!({"iss": "https://evil.example"})).await;
    let (_, pairs) = tried.form(&authorize_path(&[]), None, &allow).await.redirect();
    assert_eq!(pairs["iss"], "https://evil.example");
    tried.faults(json!({"omit_iss": true})).await;
    let (_, pairs) = tried.form(&authorize_path(&[]), None, &allow).await.redirect();
    assert!(!pairs.contains_key("iss"));
    tried.faults(json!({"omit_iss": null, "iss": null, "authorize_error": "temporarily_unavailable"})).await;
    let (_, pairs) = tried.get(&authorize_path(&[])).await.redirect();
    assert_eq!((pairs["error"].as_str(), pairs["iss"].as_str()), ("temporarily_unavailable", ISSUER));
    let stranger = authorize_path(&[("redirect_uri", "https://evil.example/")]);
    assert_eq!(tried.get(&stranger).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn scopes_can_be_cut() {
    let tried = Tried::new();
    tried.faults(json!({"granted_scopes": ["email", "other"]})).await;
    let tokens = tried.connect().await;
    assert_eq!(tokens["scope"], "email");
    assert_eq!(tried.me(text(&tokens, "access_token")).await.json()["scopes"], json!(["email"]));
}

#[tokio::test]
async fn the_token_endpoint_answers_something_else_and_spends_nothing() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let cases: [(Value, u16, &str, &str); 5] = [
        (
            json!({"token_status": 503, "token_retry_after": "9"}),
            503,
            "application/json",
            r#"{"error":"server_error"}"#,
        ),
        (
            json!({"token_status": 400, "token_body": "{\"error\":\"invalid_grant\"}"}),
            400,
            "application/json",
            "invalid_grant",
        ),
        (json!({"token_body": "not json"}), 200, "application/json", "not json"),
        (
            json!({"token_html": true, "token_status": 502}),
            502,
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
        (json!({"token_error_in_200": "bad_code"}), 200, "application/json", r#""error":"bad_code""#),
    ];
    for (fault, status, content_type, part) in cases {
        tried.faults(fault.clone()).await;
        let answer = tried.refresh(token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (status, content_type),
            "{fault}"
        );
        assert!(answer.text().contains(part), "{fault} {}", answer.text());
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{fault}");
        tried.send(Request::delete("/faults").body(Body::empty()).expect("a request")).await;
    }
    assert_eq!(tried.refresh(token).await.status, StatusCode::OK);
    let stats = tried.stats().await;
    assert_eq!((&stats["token_requests"]["refresh_token"], &stats["tokens_issued"]), (&json!(6), &json!(2)));
}

#[tokio::test]
async fn a_huge_answer_is_as_long_as_asked() {
    let tried = Tried::new();
    tried.faults(json!({"token_huge_bytes": 300_000})).await;
    let answer = tried.refresh("any").await;
    assert_eq!(answer.json()["error"], "server_error");
    assert!(answer.body.len() > 300_000 && answer.body.len() < 301_000, "{}", answer.body.len());
}

#[tokio::test]
async fn a_broken_answer_has_done_its_work() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    tried.faults(json!({"token_broken": true, "token_times": 1})).await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    let (_, body) = tried.raw(form("/token", Some(super::CLIENT), &pairs)).await;
    assert!(whole(body).await.is_err());
    assert_eq!(tried.refresh(text(&tokens, "refresh_token")).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.stats().await["refresh_reuse_detections"], 1);
}

#[tokio::test]
async fn token_faults_can_be_counted_and_aimed() {
    let tried = Tried::new();
    tried.faults(json!({"token_status": 500, "token_times": 2, "token_grant": "refresh_token"})).await;
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(tried.refresh(token).await.status.as_u16());
    }
    assert_eq!(seen, [500, 500, 200]);
    assert_eq!(tried.get("/faults").await.json()["token_times"], 0);
}

#[tokio::test(start_paused = true)]
async fn delays_delay_before_or_after_the_work() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let first = text(&tokens, "refresh_token");
    let start = tokio::time::Instant::now();
    tried.faults(json!({"token_delay_ms": 30_000})).await;
    // A caller that gives up before the work has lost nothing.
    tokio::time::timeout(std::time::Duration::from_secs(5), tried.refresh(first))
        .await
        .err()
        .expect("too slow");
    tried.faults(json!({"token_delay_ms": null, "token_answer_delay_ms": 30_000})).await;
    tokio::time::timeout(std::time::Duration::from_secs(5), tried.refresh(first))
        .await
        .err()
        .expect("too slow");
    // One that gives up after it has lost the tokens.
    assert_eq!(tried.refresh(first).await.oauth_error(400), "invalid_grant");
    assert_eq!(start.elapsed().as_secs(), 5 + 5 + 30);
    tried.faults(json!({"token_answer_delay_ms": 0, "api_delay_ms": 2000})).await;
    let start = tokio::time::Instant::now();
    let tokens = tried.connect().await;
    assert_eq!(tried.me(text(&tokens, "access_token")).await.status, StatusCode::OK);
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn expiry_can_be_hidden_short_or_text() {
    let tried = Tried::new();
    tried.faults(json!({"omit_expires_in": true, "omit_scope": true, "omit_refresh_token": true})).await;
    let bare = tried.connect().await;
    let mut names: Vec<_> = bare.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["access_token", "token_type"]);
    tried.faults(json!({"omit_expires_in": false, "expires_in": 7, "expires_in_as_text": true})).await;
    let short = tried.connect().await;
    assert_eq!(short["expires_in"], "7");
    assert_eq!(tried.me(text(&short, "access_token")).await.status, StatusCode::OK);
    tried.faults(json!({"clock_ahead_seconds": 7})).await;
    assert_eq!(tried.me(text(&short, "access_token")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn rotation_and_reuse_detection_can_be_turned_off() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    tried.faults(json!({"no_rotation": true})).await;
    for _ in 0..2 {
        let answer = tried.refresh(token).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.json().get("refresh_token").is_none());
    }
    tried.faults(json!({"no_rotation": false, "count_only": true})).await;
    let newer = tried.refresh(token).await.json();
    assert_eq!(tried.refresh(token).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(text(&newer, "access_token")).await.status, StatusCode::OK);
    tried.faults(json!({"reuse_detection_off": true})).await;
    assert_eq!(tried.refresh(token).await.status, StatusCode::OK);
    assert_eq!(tried.stats().await["refresh_reuse_detections"], 2);
}

#[tokio::test]
async fn userinfo_and_revocation_can_fail() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    tried.faults(json!({"userinfo_status": 500, "revoke_status": 503})).await;
    assert_eq!(tried.bearer(Method::GET, "/userinfo", access).await.status, 500);
    assert_eq!(tried.form("/revoke", Some(super::CLIENT), &[("token", refresh)]).await.status, 503);
    assert_eq!(tried.me(access).await.status, StatusCode::OK, "nothing was revoked");
    let stats = tried.stats().await;
    assert_eq!(
        (&stats["userinfo_calls"], &stats["revoke_requests"], &stats["revocations"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[tokio::test]
async fn the_api_fails_in_sequence_and_says_when_to_come_back() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let access = text(&tokens, "access_token");
    tried
        .faults(json!({
            "api_statuses": [503, 200, 429], "api_retry_after": "3", "api_401_once": true,
            "api_headers": {"set-cookie": "a=b"},
        }))
        .await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let answer = tried.me(access).await;
        seen.push((answer.status.as_u16(), answer.header("retry-after").to_owned()));
        assert_eq!(answer.header("set-cookie"), if answer.status == 401 { "" } else { "a=b" });
    }
    let seen: Vec<_> = seen.iter().map(|(status, after)| (*status, after.as_str())).collect();
    assert_eq!(seen, [(401, ""), (503, "3"), (200, ""), (429, "3"), (200, "")]);
}

#[tokio::test]
async fn counters_go_back_to_zero() {
    let tried = Tried::new();
    tried.connect().await;
    tried.send(Request::delete("/stats").body(Body::empty()).expect("a request")).await;
    assert_eq!(tried.stats().await, json!(crate::Stats::default()));
}
