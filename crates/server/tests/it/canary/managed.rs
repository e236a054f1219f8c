//! What the management API is told and what it makes: imported tokens, and secrets of webhooks.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Blabber, Life};
use crate::{management::ask, support::Answer};

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
