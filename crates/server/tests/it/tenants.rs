//! Two workspaces on one server: what belongs to one answers the other exactly as if it did not exist.

mod informer;
mod membrane;
mod store;

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_engine::{
    domain::workspace::Completion,
    id::{ConnectionId, DeliveryId, EndpointId, EventId, FlowId, IntegrationId, WorkspaceId},
    setup::{self, NewApiKey, NewWebhook},
};
use http::Method;
use serde_json::json;

use crate::{
    management::{ask, everywhere as everywhere_managed},
    openapi::operations,
    support::{Answer, Browser, CB, Tenant, TestApp, on_each, value},
};

/// What of an answer could tell two ids apart: status, body, and headers, without what is fresh each time.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn said(answer: &Answer, id: &str) -> Said {
    let nonce = answer
        .header("content-security-policy")
        .and_then(|policy| policy.split("'nonce-").nth(1))
        .and_then(|rest| rest.split('\'').next())
        .unwrap_or("no nonce")
        .to_owned();
    let coded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let plain = |text: &str| text.replace(&nonce, "NONCE").replace(id, "ID").replace(&coded, "ID");
    let fresh = ["date", "claviger-request-id"];
    let headers = answer.headers.iter().filter(|(name, _)| !fresh.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), plain(value.to_str().expect("ASCII"))));
    Said { status: answer.status.as_u16(), headers: headers.collect(), body: plain(answer.text()) }
}

/// Everything of a tenant that has an id.
struct Belongings {
    ids: Vec<(&'static str, String)>,
    code: String,
}

async fn belongings(app: &TestApp, tenant: &Tenant) -> Belongings {
    let (endpoint, _) =
        app.change(async |to| setup::webhook(to, &tenant.workspace, every_event()).await).await;
    let browser = Browser::new();
    let (_, pairs) = browser.connect(app, tenant, &[("external_id", "u")]).await.redirect();
    app.complete(tenant, Completion::Confirm).await;
    let began = browser.get(&app.authorize_url(tenant, &[])).await;
    let flow = began.location().strip_prefix("/connect/").expect("a page").to_owned();
    app.complete(tenant, Completion::Redirect).await;
    let event = app.events(tenant).await[0].id.clone();
    let delivery = app.read().await.deliveries(&tenant.workspace, &event).await.unwrap().remove(0).id;
    Belongings {
        ids: vec![
            ("connection", value(&pairs, "connection_id").to_owned()),
            ("integration", tenant.integration.to_string()),
            ("flow", flow),
            ("event", event.to_string()),
            ("webhook", endpoint.id.to_string()),
            ("delivery", delivery.to_string()),
            ("workspace", tenant.workspace.to_string()),
            ("client id", tenant.client_id.clone()),
        ],
        code: value(&pairs, "code").to_owned(),
    }
}

/// A webhook for everything.
fn every_event() -> NewWebhook {
    NewWebhook {
        name: "hook".to_owned(),
        url: "https://hooks.test/".to_owned(),
        events: claviger_engine::domain::event::EventKind::ALL.to_vec(),
        format: Default::default(),
        secret: None,
    }
}

/// Ids that nothing has, of every kind.
fn strangers() -> Vec<(&'static str, String)> {
    vec![
        ("connection", ConnectionId::new().to_string()),
        ("integration", IntegrationId::new().to_string()),
        ("flow", FlowId::new().to_string()),
        ("event", EventId::new().to_string()),
        ("webhook", EndpointId::new().to_string()),
        ("delivery", DeliveryId::new().to_string()),
        ("workspace", WorkspaceId::new().to_string()),
        ("client id", "cl_000000000000000000000000".to_owned()),
    ]
}

/// Every place where a caller can name an id, as acme names it.
async fn everywhere(app: &TestApp, browser: &Browser, id: &str) -> Vec<(String, Answer)> {
    let key = format!("Bearer {}", app.acme.key);
    let mut all = Vec::new();
    let authorize = [("integration_id", id), ("external_id", "u"), ("state", "s")];
    all.push((
        "/authorize integration_id".to_owned(),
        browser.get(&app.authorize_url(&app.acme, &authorize)).await,
    ));
    for method in [Method::GET, Method::POST] {
        let url = format!("{}/connect/{id}", app.origin);
        let request = browser.request(method.clone(), &url).header("sec-fetch-site", "same-origin");
        let body = if method == Method::POST { "decision=continue" } else { "" };
        all.push((
            format!("{method} /connect/"),
            browser.send(request, Bytes::from_static(body.as_bytes())).await,
        ));
    }
    all.push(("/connect/ done".to_owned(), browser.get(&format!("{}/connect/{id}/done", app.origin)).await));
    let state = "A".repeat(43);
    for query in
        [format!("?code=c&state={state}"), String::new(), format!("?error=access_denied&state={state}")]
    {
        let url = format!("{}/oauth2/callback/{id}{query}", app.origin);
        all.push((format!("/oauth2/callback/ {query}"), browser.get(&url).await));
    }
    for field in ["code", "redirect_uri", "external_id"] {
        let mut body = json!({ "code": "nosuch", "redirect_uri": CB });
        body[field] = json!(id);
        all.push((format!("POST /connection {field}"), app.exchange(&app.acme.key, &body).await));
    }
    for noun in ["chat", "git"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = browser.request(method.clone(), &format!("{}/v1/{noun}/{id}", app.origin));
            let answer = browser.send(request.header("authorization", &key), Bytes::new()).await;
            all.push((format!("{method} /v1/{noun}/"), answer));
        }
    }
    // Below a webhook of acme's own, so that a delivery is looked for.
    let (hook, _) = app.change(async |to| setup::webhook(to, &app.acme.workspace, every_event()).await).await;
    let mut places = everywhere_managed(id, id, id, id);
    places.extend(everywhere_managed(id, id, hook.id.as_str(), id));
    for place in places {
        let named =
            place.path.contains(id) || place.body.as_ref().is_some_and(|b| b.to_string().contains(id));
        if named {
            let answer =
                ask(app, &app.acme.key, place.method.clone(), &place.path, place.body.as_ref()).await;
            all.push((format!("{} {}", place.method, place.path.replace(id, "ID")), answer));
        }
    }
    app.change(async |to| to.conn.delete_endpoint(&app.acme.workspace, &hook.id).await).await;
    for method in
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS]
    {
        for shown in [id.to_owned(), format!("Bearer {id}")] {
            let request = browser.request(method.clone(), &format!("{}/me", app.proxy));
            let request = request.header("authorization", &key).header("bu-connection-id", shown);
            all.push((format!("{method} proxy"), browser.send(request, Bytes::new()).await));
        }
    }
    all
}

#[tokio::test]
async fn every_id_of_another_workspace_answers_like_one_that_does_not_exist() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let theirs = belongings(app, &other).await;
        // A browser of acme's customer: it has a cookie, and began none of the other's flows.
        let browser = Browser::new();
        browser.get(&app.authorize_url(&app.acme, &[])).await;
        for ((kind, foreign), (_, stranger)) in theirs.ids.iter().zip(strangers()) {
            let foreign_answers = everywhere(app, &browser, foreign).await;
            let stranger_answers = everywhere(app, &browser, &stranger).await;
            for ((place, got), (_, want)) in foreign_answers.iter().zip(&stranger_answers) {
                assert_eq!(
                    said(got, foreign),
                    said(want, &stranger),
                    "{place} with another workspace's {kind}"
                );
                assert!(
                    !got.status.is_success() && !got.status.is_redirection(),
                    "{place} {kind}: {}",
                    got.status
                );
            }
        }
        let calls = app.sandbox.stats().await.api_calls;
        assert_eq!(calls, 0, "no provider was called");

        // The other's things work on, for the other.
        let (_, connection) = &theirs.ids[0];
        assert_eq!(app.call(&other.key, connection, "/me").await.status, 200);
        let body = json!({ "code": theirs.code, "redirect_uri": CB });
        assert_eq!(app.exchange(&other.key, &body).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn another_workspaces_code_answers_like_a_made_up_one() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        for completion in [Completion::Redirect, Completion::Server] {
            app.complete(&other, completion).await;
            let (_, pairs) = Browser::new().connect(app, &other, &[("external_id", "u")]).await.redirect();
            let theirs = value(&pairs, "code");
            let made_up = "A".repeat(43);
            for wish in [json!({ "redirect_uri": CB }), json!({ "redirect_uri": "https://x.test/" })] {
                let ask = async |code: &str| {
                    let mut body = wish.clone();
                    body["code"] = json!(code);
                    body["external_id"] = json!("u");
                    app.exchange(&app.acme.key, &body).await
                };
                assert_eq!(said(&ask(theirs).await, theirs), said(&ask(&made_up).await, &made_up));
            }
            let body = json!({ "code": theirs, "redirect_uri": CB, "external_id": "u" });
            assert_eq!(app.exchange(&other.key, &body).await.status, 200, "and is not spent by trying");
        }
    })
    .await;
}

#[tokio::test]
async fn another_workspaces_integration_key_is_not_found_by_its_key_either() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        app.integrate(&other, "only-theirs", &app.sandbox.origin).await;
        let browser = Browser::new();
        browser.get(&app.authorize_url(&app.acme, &[])).await;
        let theirs = browser.get(&app.authorize_url(&app.acme, &[("integration_id", "only-theirs")])).await;
        let nobodys = browser.get(&app.authorize_url(&app.acme, &[("integration_id", "only-nobody")])).await;
        assert_eq!(said(&theirs, "only-theirs"), said(&nobodys, "only-nobody"));
        theirs.assert_page(400, "integration_id");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_expired_or_foreign_key_answers_like_no_key() {
    on_each(async |app| {
        let new = |expires_at| NewApiKey {
            name: "short".to_owned(),
            scopes: vec![claviger_engine::domain::api_key::Scope::Management],
            integration_id: None,
            expires_at,
        };
        let now = app.broker.clock.now();
        let workspace = &app.acme.workspace;
        let (_, expired) = app.change(async |to| setup::api_key(to, workspace, new(Some(now))).await).await;
        let (revoked, text) = app.change(async |to| setup::api_key(to, workspace, new(None)).await).await;
        app.change(async |to| to.conn.revoke_api_key(workspace, &revoked.id, now).await).await;
        let made_up = format!("ck_{}", "A".repeat(46));
        let body = json!({ "code": "c", "redirect_uri": CB });
        let want = app.exchange(&made_up, &body).await;
        want.assert_problem(401, "unauthorized");
        for key in [expired.expose(), text.expose()] {
            assert_eq!(said(&app.exchange(key, &body).await, key), said(&want, &made_up));
            app.call(key, ConnectionId::new().as_str(), "/me").await.assert_problem(401, "unauthorized");
        }
    })
    .await;
}

#[test]
fn every_endpoint_of_the_document_is_tried() {
    // The other two are in `everywhere` by hand.
    let by_hand = [(Method::GET, "/authorize".to_owned()), (Method::POST, "/connection".to_owned())];
    let managed = everywhere_managed("C", "I", "W", "D").into_iter().map(|place| (place.method, place.path));
    let tried: Vec<_> = managed.chain(by_hand).collect();
    let known = operations();
    for one in &known {
        let found = tried.iter().any(|(method, path)| one.is(method, path));
        assert!(found, "{} {} is not in management::everywhere", one.method, one.path);
    }
    for (method, path) in tried {
        assert!(known.iter().any(|one| one.is(&method, &path)), "{method} {path} is not in the document");
    }
}

#[tokio::test]
async fn a_list_holds_nothing_of_another_workspaces_however_it_is_narrowed() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let theirs = belongings(app, &other).await;
        let own = belongings(app, &app.acme).await;
        for list in operations().iter().filter(|one| one.method == Method::GET && one.is_whole()) {
            if list.path == "/authorize" {
                continue;
            }
            let ask = async |query: String| {
                ask(app, &app.acme.key, Method::GET, &format!("{}?{query}", list.path), None).await
            };
            let whole = ask("limit=100".to_owned()).await;
            assert_eq!(whole.status, 200, "{}", whole.text());
            assert!(own.ids.iter().any(|(_, id)| whole.text().contains(id.as_str())), "it holds its own");
            for ((kind, foreign), (_, stranger)) in theirs.ids.iter().zip(strangers()) {
                assert!(!whole.text().contains(foreign.as_str()), "{} holds a {kind}", list.path);
                for name in &list.query {
                    let got = ask(format!("{name}={foreign}")).await;
                    let want = ask(format!("{name}={stranger}")).await;
                    assert_eq!(said(&got, foreign), said(&want, &stranger), "{} {name} {kind}", list.path);
                    assert!(
                        got.status == 400 || got.json() == json!([]),
                        "{} {name}: {}",
                        list.path,
                        got.text()
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_for_one_integration_opens_no_other() {
    on_each(async |app| {
        let second = app.integrate(&app.acme, "second", &app.sandbox.origin).await;
        let new = NewApiKey {
            name: "limited".to_owned(),
            scopes: vec![claviger_engine::domain::api_key::Scope::Proxy],
            integration_id: Some(second),
            expires_at: None,
        };
        let (_, key) = app.change(async |to| setup::api_key(to, &app.acme.workspace, new).await).await;
        let (_, first) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let (_, own) =
            Browser::new().connect(app, &app.acme, &[("integration_id", "second")]).await.redirect();
        let body = json!({ "code": value(&first, "code"), "redirect_uri": CB });
        app.exchange(key.expose(), &body).await.assert_field("code");
        let body = json!({ "code": value(&own, "code"), "redirect_uri": CB });
        assert_eq!(app.exchange(key.expose(), &body).await.status, 200);
        let refused = app.call(key.expose(), value(&first, "connection_id"), "/me").await;
        assert!(refused.status == 400 || refused.status == 403, "{}", refused.text());
        assert_eq!(app.sandbox.stats().await.api_calls, 0);
        assert_eq!(app.call(key.expose(), value(&own, "connection_id"), "/me").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_read_only_key_exchanges_and_calls_nothing() {
    on_each(async |app| {
        let new = NewApiKey {
            name: "reader".to_owned(),
            scopes: vec![claviger_engine::domain::api_key::Scope::ReadOnly],
            integration_id: None,
            expires_at: None,
        };
        let (_, key) = app.change(async |to| setup::api_key(to, &app.acme.workspace, new).await).await;
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
        app.exchange(key.expose(), &body).await.assert_problem(403, "forbidden");
        let connection = value(&pairs, "connection_id");
        app.call(key.expose(), connection, "/me").await.assert_problem(403, "forbidden");
        assert_eq!(app.sandbox.stats().await.api_calls, 0);
        assert_eq!(app.exchange(&app.acme.key, &body).await.status, 200, "the code was not spent by trying");
    })
    .await;
}
