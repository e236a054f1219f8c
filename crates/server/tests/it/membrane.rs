//! The Membrane-style door: a product's tokens, what its customers connect with them, and what they read and change.

mod apps;
mod archive;
mod bad_input;
mod connections;
mod customers;
mod events;
pub mod front;
mod integrations;
mod options;
mod outside;
mod payload;
pub mod planted;
mod popup;
mod proxy;
mod reauth;
mod refresh;
mod result;
mod selectors;
mod tokens;

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use claviger_engine::{secret::Secret, setup, vault::Field};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Tenant, TestApp};

/// The secret that a tenant's product signs its tokens with.
pub async fn secret(app: &TestApp, tenant: &Tenant) -> Secret {
    let workspace = app.read().await.workspace(&tenant.workspace).await.expect("read").expect("a workspace");
    let aad = Field::JwtSecret.of(&workspace.id, workspace.id.as_str());
    app.broker.vault.open(&aad, &workspace.jwt_secret.expect("a secret")).expect("opened")
}

/// A token with these claims, as a tenant's product makes one. `iss` is the tenant's key and `exp` an hour from now unless
/// they say otherwise; null leaves one out.
pub async fn token(app: &TestApp, tenant: &Tenant, claims: Value) -> String {
    let claims = complete(app, tenant, claims);
    hs(hmac::HMAC_SHA256, "HS256", &secret(app, tenant).await, &claims)
}

/// A token of a customer.
pub async fn customer(app: &TestApp, tenant: &Tenant, id: &str) -> String {
    token(app, tenant, json!({ "id": id })).await
}

/// A token of an admin.
pub async fn admin(app: &TestApp, tenant: &Tenant) -> String {
    token(app, tenant, json!({ "isAdmin": true })).await
}

/// Claims with what every token has.
pub fn complete(app: &TestApp, tenant: &Tenant, claims: Value) -> Value {
    let mut all = json!({ "iss": tenant.client_id, "exp": seconds(app) + 3600 });
    let (all_fields, given) = (all.as_object_mut().expect("an object"), claims);
    for (name, value) in given.as_object().expect("claims are an object") {
        all_fields.insert(name.clone(), value.clone());
    }
    all_fields.retain(|_, value| !value.is_null());
    all
}

/// Now, as claims have it.
pub fn seconds(app: &TestApp) -> i64 {
    app.broker.clock.now().0 / 1000
}

/// A token with this header and these claims, and whatever signature is made of the two.
pub fn jwt(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let text = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = encode(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// A token signed with a secret.
pub fn hs(with: hmac::Algorithm, alg: &str, secret: &Secret, claims: &Value) -> String {
    jwt(&json!({ "alg": alg, "typ": "JWT" }), claims, |text| {
        let key = hmac::Key::new(with, secret.expose().as_bytes());
        hmac::sign(&key, text).as_ref().to_vec()
    })
}

/// Asks with a token and a JSON body.
pub async fn ask(app: &TestApp, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    send(app, token, method, path, "application/json", body).await
}

/// Asks with a token and any body; without a token, as nobody.
pub async fn send(app: &TestApp, token: &str, method: Method, path: &str, kind: &str, body: Bytes) -> Answer {
    let request = http::Request::builder().method(method).uri(format!("{}{path}", app.origin));
    let request = request.header("content-type", kind);
    let request = match token {
        "" => request,
        token => request.header("authorization", format!("Bearer {token}")),
    };
    Browser::new().send(request, body).await
}

/// Asserts that this is an error of this door, that any page may read.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, key: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    let kinds = ["bad_request", "connection", "configuration", "dependency_error", "internal"];
    assert!(body["type"].as_str().is_some_and(|kind| kinds.contains(&kind)), "{body}");
    assert_eq!(body["key"].as_str(), key, "{body}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// Changes which tokens of a tenant hold.
pub async fn rules(
    app: &TestApp,
    tenant: &Tenant,
    edit: impl FnOnce(&mut claviger_engine::domain::workspace::Jwt),
) {
    app.settings(tenant, |settings| edit(&mut settings.jwt)).await;
}

/// Registers a public key.
pub async fn register(
    app: &TestApp,
    tenant: &Tenant,
    name: &str,
    algorithm: claviger_engine::domain::jwt_key::Algorithm,
    public_key: &str,
) {
    let new = setup::NewJwtKey { name: name.to_owned(), algorithm, public_key: public_key.to_owned() };
    app.change(async |to| setup::jwt_key(to, &tenant.workspace, &new).await).await;
}
