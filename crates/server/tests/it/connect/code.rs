//! The one-time code at a flow's end: what it is exchanged for, by whom, and for how long.

use std::time::Duration;

use serde_json::json;

use super::code;
use crate::support::{CB, on_each};

#[tokio::test]
async fn a_code_is_exchanged_once() {
    on_each(async |app| {
        let (code, id) = code(app, "u").await;
        let body = json!({ "code": code, "redirect_uri": CB });
        let answer = app.exchange(&app.acme.key, &body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json(),
            json!({ "connection_id": id, "external_id": "u", "integration_id": app.acme.integration.as_str() })
        );
        let again = app.exchange(&app.acme.key, &body).await;
        again.assert_field("code");
        assert_eq!(again.json(), json!({ "errors": { "code": ["Invalid or expired authorization code"] } }));
        assert_eq!(app.connections(&app.acme).await.len(), 1, "the connection stays");
        assert_eq!(app.sandbox.exchanges().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_code_lives_five_minutes() {
    on_each(async |app| {
        let (in_time, _) = code(app, "a").await;
        app.pass(Duration::from_millis(299_999));
        assert_eq!(
            app.exchange(&app.acme.key, &json!({ "code": in_time, "redirect_uri": CB })).await.status,
            200
        );
        let (late, _) = code(app, "b").await;
        app.pass(Duration::from_secs(300));
        app.exchange(&app.acme.key, &json!({ "code": late, "redirect_uri": CB })).await.assert_field("code");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_word_at_the_exchange_destroys_the_code() {
    on_each(async |app| {
        for (field, wrong) in [
            ("redirect_uri", json!({ "redirect_uri": "https://app.test/cb/" })),
            ("redirect_uri", json!({ "redirect_uri": "" })),
            ("external_id", json!({ "external_id": "mallory" })),
            ("external_id", json!({ "external_id": "" })),
            ("external_id", json!({ "external_id": "U" })),
        ] {
            let (code, _) = code(app, "u").await;
            let right = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
            let mut asked = right.clone();
            for (name, value) in wrong.as_object().unwrap() {
                asked[name] = value.clone();
            }
            let answer = app.exchange(&app.acme.key, &asked).await;
            answer.assert_field(field);
            assert!(!answer.text().contains(&code), "the code is not echoed");
            app.exchange(&app.acme.key, &right).await.assert_field("code");
        }
        let (code, _) = code(app, "u").await;
        let right = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
        assert_eq!(app.exchange(&app.acme.key, &right).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_sdks_in_other_casings_are_understood() {
    on_each(async |app| {
        let (code, id) = code(app, "u").await;
        let body = json!({ "code": code, "redirectUri": CB, "externalId": "u" });
        assert_eq!(app.exchange(&app.acme.key, &body).await.json()["connection_id"], id);
    })
    .await;
}

#[tokio::test]
async fn a_code_needs_a_key_of_its_workspace() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let (code, _) = code(app, "u").await;
        let body = json!({ "code": code, "redirect_uri": CB });
        for key in ["", "ck_", "ck_nosuchkeynosuchkeynosuchkeynosuchkeynosuchkeyno", "Bearer"] {
            app.exchange(key, &body).await.assert_problem(401, "unauthorized");
        }
        app.exchange(&other.key, &body).await.assert_field("code");
        assert_eq!(app.exchange(&app.acme.key, &body).await.status, 200, "nobody else could spend it");
    })
    .await;
}
