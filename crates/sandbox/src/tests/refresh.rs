//! Refresh tokens: rotation, reuse, scope.

use super::{CLIENT, Tried, basic, text};
use http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_refresh_rotates_and_the_new_tokens_work() {
    let tried = Tried::new();
    let first = tried.connect().await;
    let second = tried.refresh(text(&first, "refresh_token")).await.json();
    assert_ne!(first["access_token"], second["access_token"]);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let third = tried.refresh(text(&second, "refresh_token")).await.json();
    assert_eq!(tried.me(text(&third, "access_token")).await.status, StatusCode::OK);
    let stats = tried.stats().await;
    assert_eq!(stats["token_requests"]["refresh_token"], 2);
    assert_eq!((&stats["tokens_issued"], &stats["refresh_reuse_detections"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn reusing_a_spent_refresh_token_kills_the_grant() {
    let tried = Tried::new();
    let first = tried.connect().await;
    let second = tried.refresh(text(&first, "refresh_token")).await.json();
    let bystander = tried.connect().await;
    assert_eq!(tried.refresh(text(&first, "refresh_token")).await.oauth_error(400), "invalid_grant");
    for tokens in [&first, &second] {
        assert_eq!(tried.me(text(tokens, "access_token")).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(tried.refresh(text(&second, "refresh_token")).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.me(text(&bystander, "access_token")).await.status, StatusCode::OK);
    assert_eq!(tried.stats().await["refresh_reuse_detections"], 1);
}

#[tokio::test]
async fn of_many_refreshes_at_once_one_wins() {
    let tried = Tried::new();
    tried.faults(json!({"count_only": true})).await;
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let answers = futures_util::future::join_all((0..8).map(|_| tried.refresh(token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    assert_eq!(tried.stats().await["refresh_reuse_detections"], 7);
}

#[tokio::test]
async fn another_client_can_neither_use_nor_spend_a_refresh_token() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let other = basic("other", "other-secret");
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(tried.form("/token", Some(&other), &pairs).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.refresh(token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_but_not_for_more() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let ask = |scope| [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
    for scope in ["profile admin", "a\\b"] {
        assert_eq!(tried.form("/token", Some(CLIENT), &ask(scope)).await.oauth_error(400), "invalid_scope");
    }
    let less = tried.form("/token", Some(CLIENT), &ask("email")).await.json();
    assert_eq!(less["scope"], "email");
    assert_eq!(tried.me(text(&less, "access_token")).await.json()["scopes"], json!(["email"]));
    let again = tried.refresh(text(&less, "refresh_token")).await.json();
    assert_eq!(again["scope"], "profile email", "the grant itself is as wide as before");
}
