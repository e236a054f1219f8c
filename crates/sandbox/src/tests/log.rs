//! The log of refresh tokens, and what tokens are introspected as.

use super::{CLIENT, Tried, basic, text};
use crate::log::hash_of;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;

impl Tried {
    async fn log(&self) -> Value {
        self.get("/tokens/log").await.json()
    }

    /// What the log says of one token: times sent, how many of them outside the rule, what each was answered.
    async fn sent(&self, token: &str) -> (u64, u64, Vec<String>) {
        let log = self.log().await;
        let token = &log["tokens"][hash_of(token)];
        let answers = token["sendings"].as_array().expect("sendings");
        let answers = answers.iter().map(|sending| text(sending, "answer").to_owned()).collect();
        (token["times"].as_u64().expect("times"), token["outside"].as_u64().expect("outside"), answers)
    }

    async fn is_active(&self, client: &str, token: &str) -> bool {
        let answer = self.form("/introspect", Some(client), &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["active"].as_bool().expect("a flag")
    }
}

fn answers(said: &[&str]) -> Vec<String> {
    said.iter().map(|said| (*said).to_owned()).collect()
}

#[tokio::test]
async fn each_sending_is_logged_by_hash_with_its_answer() {
    let tried = Tried::new();
    let first = tried.connect().await;
    let token = text(&first, "refresh_token");
    assert_eq!(tried.log().await, json!({"sent": 0, "outside": 0, "tokens": {}}), "codes are not in it");
    tried.faults(json!({"token_status": 503, "token_times": 1})).await;
    tried.refresh(token).await;
    let second = tried.refresh(token).await.json();
    assert_eq!(tried.sent(token).await, (2, 0, answers(&["fault", "tokens"])));
    tried.refresh(token).await;
    assert_eq!(tried.sent(token).await, (3, 1, answers(&["fault", "tokens", "invalid_grant"])));
    tried.refresh(token).await;
    assert_eq!(tried.sent(token).await.1, 2, "spent still, though its grant is gone");
    let child = text(&second, "refresh_token");
    tried.refresh(child).await;
    assert_eq!(tried.sent(child).await, (1, 0, answers(&["invalid_grant"])));
    let log = tried.get("/tokens/log").await;
    assert!(!log.text().contains("sbx_rt_"), "{}", log.text());
    let sending = &log.json()["tokens"][hash_of(token)]["sendings"][1];
    let (at, answered) = (sending["at"].as_u64().expect("a time"), sending["answered_at"].as_u64());
    assert!(at > 1_600_000_000_000 && answered.is_some_and(|then| then >= at), "{sending}");
    assert_eq!((&log.json()["sent"], &log.json()["outside"]), (&json!(5), &json!(2)));
    tried.send(Request::delete("/tokens/log").body(Body::empty()).expect("a request")).await;
    assert_eq!(tried.log().await, json!(crate::TokenLog::default()));
}

#[tokio::test]
async fn the_log_of_one_token_is_bounded_and_its_counts_are_not() {
    let tried = Tried::new();
    for _ in 0..120 {
        tried.refresh("unknown").await;
    }
    let (times, outside, answers) = tried.sent("unknown").await;
    assert_eq!((times, outside, answers.len()), (120, 0, 100));
}

#[tokio::test(start_paused = true)]
async fn a_token_sent_while_it_is_being_sent_is_outside_the_rule() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    tried.faults(json!({"token_delay_ms": 1000, "count_only": true})).await;
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tried.refresh(token).await
    };
    let (first, second) = tokio::join!(tried.refresh(token), second);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 400));
    assert_eq!(tried.sent(token).await, (2, 1, answers(&["tokens", "invalid_grant"])));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_is_logged_and_its_request_may_go_on() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    tried.faults(json!({"token_delay_ms": 1000})).await;
    let hurry = Duration::from_millis(100);
    tokio::time::timeout(hurry, tried.refresh(token)).await.err().expect("too slow");
    assert_eq!(tried.sent(token).await, (1, 0, answers(&["hung_up"])));
    tried.faults(json!({"token_goes_on": true})).await;
    tokio::time::timeout(hurry, tried.refresh(token)).await.err().expect("too slow");
    assert_eq!(tried.sent(token).await, (2, 0, answers(&["hung_up", "pending"])));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(tried.sent(token).await, (2, 0, answers(&["hung_up", "tokens"])));
    assert!(!tried.is_active(CLIENT, token).await, "it was spent for nobody");
}

#[tokio::test]
async fn within_its_grace_a_spent_token_works_again_and_the_child_before_dies() {
    let tried = Tried::new();
    tried.faults(json!({"reuse_grace_seconds": 30})).await;
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let lost = tried.refresh(token).await.json();
    assert!(tried.is_active(CLIENT, token).await);
    let kept = tried.refresh(token).await.json();
    let (lost, kept) = (text(&lost, "refresh_token"), text(&kept, "refresh_token"));
    assert_ne!(lost, kept);
    assert_eq!(tried.refresh(lost).await.oauth_error(400), "invalid_grant");
    assert!(tried.is_active(CLIENT, kept).await, "a dead child harms nobody");
    assert_eq!(tried.sent(token).await, (2, 0, answers(&["tokens", "tokens"])));
    tried.faults(json!({"clock_ahead_seconds": 30})).await;
    assert!(!tried.is_active(CLIENT, token).await);
    tried.refresh(token).await.oauth_error(400);
    assert_eq!(tried.sent(token).await.1, 1);
    assert!(!tried.is_active(CLIENT, kept).await, "past it the grant dies");
}

#[tokio::test]
async fn a_grace_ends_with_the_use_of_the_child() {
    let tried = Tried::new();
    tried.faults(json!({"reuse_grace_seconds": 30})).await;
    let tokens = tried.connect().await;
    let token = text(&tokens, "refresh_token");
    let child = tried.refresh(token).await.json();
    tried.refresh(text(&child, "refresh_token")).await;
    assert_eq!(tried.refresh(token).await.oauth_error(400), "invalid_grant");
    assert_eq!(tried.sent(token).await.1, 1);
}

#[tokio::test]
async fn introspection_says_what_works_to_whose_it_is() {
    let tried = Tried::new();
    let tokens = tried.connect().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    for token in [access, refresh] {
        let told = tried.form("/introspect", Some(CLIENT), &[("token", token)]).await.json();
        let expected = json!({
            "active": true, "client_id": "dev", "scope": "profile email", "sub": "acct_alice", "username": "alice",
        });
        assert_eq!(told, expected);
        assert!(!tried.is_active(&basic("other", "other-secret"), token).await);
    }
    assert!(!tried.is_active(CLIENT, "unknown").await);
    assert_eq!(tried.form("/introspect", Some(CLIENT), &[]).await.oauth_error(400), "invalid_request");
    let stranger = tried.form("/introspect", Some(&basic("dev", "no")), &[("token", refresh)]).await;
    assert_eq!(stranger.oauth_error(401), "invalid_client");
    assert_eq!(tried.log().await["sent"], 0, "asking sends nothing");
    tried.refresh(refresh).await;
    assert!(!tried.is_active(CLIENT, refresh).await);
    assert!(tried.is_active(CLIENT, access).await);
    tried.faults(json!({"clock_ahead_seconds": 3600})).await;
    assert!(!tried.is_active(CLIENT, access).await);
    tried.faults(json!({"introspect_status": 503})).await;
    assert_eq!(tried.form("/introspect", Some(CLIENT), &[("token", access)]).await.status, 503);
    assert_eq!(tried.stats().await["introspections"], 11);
}
