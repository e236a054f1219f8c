//! What the management API is told and what it makes: imported tokens, and secrets of webhooks; what becomes of
//! deliveries at a receiver that repeats them; and what an operator does with all of it.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use claviger_engine::{process, rotate, vault::KeyRing, webhook::deliver};
use http::Method;
use serde_json::{Value, json};

use super::{Blabber, Life, blabber};
use crate::{
    management::ask,
    support::{Answer, Options, TestApp},
};

impl Life<'_> {
    async fn manage(&self, method: Method, path: &str, body: &Value) -> Answer {
        let answer = ask(self.app, &self.app.acme.key, method, path, Some(body)).await;
        self.note(path, answer)
    }

    /// Asks for what makes a secret: the one answer that may hold it, and nothing of it elsewhere.
    async fn reveal(&self, path: &str, body: &Value) -> Value {
        let mut answer = ask(self.app, &self.app.acme.key, Method::POST, path, Some(body)).await;
        let mut object = answer.json();
        let secret = object.as_object_mut().unwrap().remove("secret").unwrap_or_default();
        self.secrets.add("a webhook's secret", secret.as_str().unwrap());
        answer.body = Bytes::from(object.to_string());
        self.note(path, answer);
        object
    }
}

/// Tokens are imported, plainly and verified, taken and refused, and in all the wrong fields.
async fn import(life: &Life<'_>, blabber: &Blabber) {
    for (n, verify, refuses) in [(0, false, false), (1, true, false), (2, true, true)] {
        let (access, refresh) = (format!("canary_given_access_{n}"), format!("canary_given_refresh_{n}"));
        life.secrets.add("an imported token", &access);
        life.secrets.add("an imported token", &refresh);
        blabber.refuses.store(refuses, Ordering::SeqCst);
        let mut body = json!({ "integrationId": "blabber", "authToken": access, "refreshToken": refresh });
        body["verify"] = json!(verify);
        let made = life.manage(Method::POST, "/v1/connections", &body).await;
        assert_eq!(made.status.is_success(), !refuses, "{}", made.text());
        for (field, wrong) in [
            ("authToken", json!([access])),
            ("refreshToken", json!({ "x": refresh })),
            ("externalId", json!({ access.clone(): refresh })),
            ("inputs", json!({ "x": access })),
            ("scopes", json!({ "x": refresh })),
            ("expiresIn", json!(access)),
            ("nosuch", json!(refresh)),
            ("integrationId", json!("nosuch")),
        ] {
            let mut body = body.clone();
            body[field] = wrong;
            let refused = life.manage(Method::POST, "/v1/connections/", &body).await;
            assert!(refused.status.is_client_error(), "{field}: {}", refused.text());
        }
    }
    blabber.refuses.store(false, Ordering::SeqCst);
    // Without a refresh token the account is asked for, and the provider repeats the token that it does not know.
    blabber.locked.store(true, Ordering::SeqCst);
    let access = "canary_given_access_and_refused";
    life.secrets.add("an imported token", access);
    let body = json!({ "integrationId": "blabber", "authToken": access, "verify": true });
    let refused = life.manage(Method::POST, "/v1/connections", &body).await;
    refused.assert_field("auth_token");
    assert!(refused.text().contains("is not known"), "in the provider's words: {}", refused.text());
    blabber.locked.store(false, Ordering::SeqCst);
}

/// Deliveries to a receiver that repeats all it was sent, while one secret is replaced by another; then what is kept
/// of them is asked for.
pub async fn deliver(life: &Life<'_>) {
    let (app, echo) = (life.app, blabber::echo().await);
    let list = life.manage(Method::GET, "/v1/webhooks", &json!({})).await.json();
    let hooks = list.as_array().unwrap();
    assert!(hooks.len() >= 2, "{hooks:?}");
    for hook in hooks {
        let path = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
        let body = json!({ "url": format!("{}/in?a=b", echo.origin) });
        assert_eq!(life.manage(Method::PATCH, &path, &body).await.status, 200);
        life.reveal(&format!("{path}/secret"), &json!({ "overlap": 600 })).await;
    }
    while deliver::round(&app.broker).await.unwrap() > 0 {}
    assert!(!echo.seen().is_empty(), "something was sent");
    let mut repeated = 0;
    for hook in hooks {
        let path = format!("/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
        let listed = life.manage(Method::GET, &path, &json!({})).await.json();
        for one in listed.as_array().unwrap() {
            let path = format!("{path}/{}", one["id"].as_str().unwrap());
            let whole = life.manage(Method::GET, &path, &json!({})).await.json();
            for attempt in whole["attempts"].as_array().unwrap() {
                let answer = attempt["answer"].as_str().unwrap();
                repeated += usize::from(answer.contains("bundleup-signature-next: "));
            }
            let again = life.manage(Method::POST, &format!("{path}/redeliver"), &json!({})).await;
            assert_eq!(again.status, 202, "{}", again.text());
        }
    }
    assert!(repeated > 0, "what was sent is kept as it was repeated");
}

/// A new root key, while a process that holds it serves; then everything is wrapped with it.
pub async fn rotate(life: &Life<'_>, old: &str) {
    let new = KeyRing::generate_as("canary").unwrap();
    life.secrets.add("a root key", new.expose().split_once(':').unwrap().1);
    let keys = Some(format!("{},{old}", new.expose()));
    let beside = TestApp::start(life.app.broker.store.clone(), Options { keys, ..Options::default() }).await;
    life.secrets.add("an API key", &beside.acme.key);
    let stranger = process::announce(&life.app.broker).await.unwrap();
    life.note_error(&rotate::rotate(&beside.broker, |_| {}).await.unwrap_err());
    stranger.leave().await;
    let presence = process::announce(&beside.broker).await.unwrap();
    let report = rotate::rotate(&beside.broker, |_| {}).await.unwrap();
    assert!(report.failed == 0 && report.wrapped.values().sum::<i64>() > 5, "{report:?}");
    life.note_text("a rotation", format!("{report:?}"));
    // Its row stays, to be looked through.
    drop(presence);
    beside.stop().await;
}

/// Everything that can be done here, with secrets in whatever may hold one.
pub async fn manage(life: &Life<'_>, blabber: &Blabber) {
    let hook = json!({ "name": "h", "url": "https://h.test/", "events": ["connection.created"] });
    let made = life.reveal("/v1/webhooks", &hook).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    life.reveal(&format!("{path}/secret"), &json!({ "overlap": 3600 })).await;
    let own = "canary secret of the customer's own";
    life.secrets.add("a webhook's secret", own);
    life.manage(Method::PUT, &path, &json!({ "secret": own })).await;
    for wrong in
        [json!({ "secret": [own] }), json!({ "secret": own, "overlap": own }), json!({ "nosuch": own })]
    {
        let refused = life.manage(Method::PATCH, &path, &wrong).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
    import(life, blabber).await;
    let none = json!({});
    for list in
        ["/v1/connections?limit=100", "/v1/integrations/", "/v1/webhooks/", &format!("{path}/deliveries")]
    {
        let listed = life.manage(Method::GET, list, &none).await;
        assert_eq!(listed.status, 200, "{}", listed.text());
    }
    life.manage(Method::GET, &path, &none).await;
    for connection in life.app.connections(&life.app.acme).await.iter().skip(1) {
        let path = format!("/v1/connections/{}", connection.id);
        life.manage(Method::GET, &path, &none).await;
        assert_eq!(life.manage(Method::DELETE, &path, &none).await.status, 204);
    }
}
