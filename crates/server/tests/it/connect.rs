//! A connection comes to be: from the link in a product to the call with the connection.

mod code;
mod end;

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_engine::{
    domain::{connection::Status, event::EventKind, workspace::Completion},
    setup::{self, NewWebhook},
    store::trial,
    vault::hash,
};
use serde_json::json;

use crate::support::{Browser, CB, Leg, Stub, TestApp, names, on_each, value};

#[tokio::test]
async fn an_account_is_connected_and_called() {
    on_each(async |app| {
        let browser = Browser::new();
        let began =
            browser.get(&app.authorize_url(&app.acme, &[("external_id", "user_42"), ("state", "s-1")])).await;
        assert_eq!(began.status, 302);
        let leg = Leg::of(began.location());
        assert!(leg.url.starts_with(&format!("{}/authorize?", app.sandbox.origin)), "{}", leg.url);
        let callback = format!("{}/oauth2/callback/{}", app.origin, app.acme.integration);
        assert_eq!(leg.redirect_uri(), callback);
        assert_eq!(value(&leg.params, "response_type"), "code");
        assert_eq!(value(&leg.params, "client_id"), "claviger");
        assert_eq!(value(&leg.params, "scope"), "read");
        assert_eq!(value(&leg.params, "code_challenge_method"), "S256");
        assert_eq!(value(&leg.params, "code_challenge").len(), 43);
        assert_eq!(leg.state().len(), 43, "256 bits");
        assert_ne!(leg.state(), "s-1", "the product's state stays with us");

        let back = browser.consent(&leg, "alice", "allow").await;
        assert_eq!(app.sandbox.exchanges().await, 0, "the code is redeemed at the callback");
        let done = browser.get(&back).await;
        assert_eq!(done.status, 302);
        let (target, pairs) = done.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["connection_id", "integration_id", "external_id", "code", "state"]);
        assert_eq!(value(&pairs, "integration_id"), app.acme.integration.as_str());
        assert_eq!(value(&pairs, "external_id"), "user_42");
        assert_eq!(value(&pairs, "state"), "s-1");
        assert_eq!(app.sandbox.exchanges().await, 1);

        let id = value(&pairs, "connection_id");
        let connection = app.connection(&app.acme, id).await;
        assert_eq!(connection.status, Status::Active);
        assert_eq!(connection.owner.key.as_deref(), Some("user_42"));
        assert_eq!(connection.scopes_granted, ["read"]);
        assert!(
            connection.account.name.is_some() && connection.account.email.is_some(),
            "it says whose account"
        );

        let answer = app.call(&app.acme.key, id, "/me").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["email"], json!(connection.account.email));
    })
    .await;
}

#[tokio::test]
async fn the_redirect_carries_what_the_two_toggles_let_it() {
    on_each(async |app| {
        for (connection_id, external_id, want) in [
            (true, true, vec!["connection_id", "integration_id", "external_id", "code", "state"]),
            (true, false, vec!["connection_id", "integration_id", "code", "state"]),
            (false, true, vec!["integration_id", "external_id", "code", "state"]),
            (false, false, vec!["integration_id", "code", "state"]),
        ] {
            app.settings(&app.acme, |settings| {
                settings.include_connection_id = connection_id;
                settings.include_external_id = external_id;
            })
            .await;
            let done = Browser::new().connect(app, &app.acme, &[("external_id", "u"), ("state", "s")]).await;
            let (_, pairs) = done.redirect();
            assert_eq!(names(&pairs), want, "connection_id {connection_id}, external_id {external_id}");
            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
            let exchanged = app.exchange(&app.acme.key, &body).await.json();
            assert_eq!(exchanged["external_id"], "u", "the exchange tells it whatever the toggles say");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_added_that_was_not_given() {
    on_each(async |app| {
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        assert_eq!(names(&pairs), ["connection_id", "integration_id", "code"]);
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
        let exchanged = app.exchange(&app.acme.key, &body).await;
        assert_eq!(exchanged.json()["external_id"], json!(null));
    })
    .await;
}

#[tokio::test]
async fn a_redirect_uris_own_query_is_kept() {
    on_each(async |app| {
        for uri in [
            "https://app.test/cb?tenant=7&x=%2F",
            "https://app.test/cb?",
            "https://app.test",
            "https://APP.test/Cb",
            "com.example.app:/done",
            "https://app.test/cb?code=theirs&state=theirs",
        ] {
            app.register(&app.acme, uri).await;
            let done = Browser::new().connect(app, &app.acme, &[("redirect_uri", uri), ("state", "s")]).await;
            let rest =
                done.location().strip_prefix(uri).unwrap_or_else(|| panic!("{uri}: {}", done.location()));
            let joint = if uri.ends_with('?') {
                ""
            } else if uri.contains('?') {
                "&"
            } else {
                "?"
            };
            assert!(rest.starts_with(&format!("{joint}connection_id=conn_")), "{uri}: {rest}");
            assert!(rest.ends_with("&state=s"), "{uri}: {rest}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_products_state_comes_back_byte_for_byte() {
    on_each(async |app| {
        let long = "x".repeat(4096);
        for state in [
            "plain",
            "a+b",
            "a%20b",
            "%41",
            "%2f%2F",
            "a=b==",
            "~!*'()-._",
            "%E2%9C%93",
            "%ff%fe",
            "?/:@;,$",
            "%26error%3Daccess_denied",
            "%25%32%36",
            "%0d%0aLocation:%20https://evil.test",
            "%3Cscript%3E",
            "{a:1}|^[]",
            "eyJhIjoxfQ.sig-_",
            long.as_str(),
        ] {
            let url = format!("{}&state={state}", app.authorize_url(&app.acme, &[]));
            let browser = Browser::new();
            let began = browser.get(&url).await;
            assert_eq!(began.status, 302, "{state}: {}", began.text());
            let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
            let done = browser.get(&back).await;
            assert_eq!(done.status, 302, "{state}");
            let (_, tail) = done.location().rsplit_once("&state=").expect("a state");
            assert_eq!(tail, state);
        }
    })
    .await;
}

#[tokio::test]
async fn an_integration_is_named_by_id_or_by_key() {
    on_each(async |app| {
        for name in [app.acme.integration.as_str(), "sandbox"] {
            let (_, pairs) =
                Browser::new().connect(app, &app.acme, &[("integration_id", name)]).await.redirect();
            assert_eq!(value(&pairs, "integration_id"), name, "it is called back as it was called");
            let connection = app.connection(&app.acme, value(&pairs, "connection_id")).await;
            assert_eq!(connection.integration_id, app.acme.integration);
            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
            assert_eq!(app.exchange(&app.acme.key, &body).await.json()["integration_id"], name);
        }
    })
    .await;
}

/// A finished flow's one-time code and connection id.
async fn code(app: &TestApp, external_id: &str) -> (String, String) {
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[("external_id", external_id)]).await.redirect();
    (value(&pairs, "code").to_owned(), value(&pairs, "connection_id").to_owned())
}

async fn webhook(
    app: &TestApp,
    name: &str,
    events: Vec<EventKind>,
) -> claviger_engine::domain::webhook::Endpoint {
    let url = format!("https://hooks.test/{name}");
    let new = NewWebhook { name: name.to_owned(), url, events, format: Default::default(), secret: None };
    app.change(async |to| Ok(setup::webhook(to, &app.acme.workspace, new).await?.0)).await
}

#[tokio::test]
async fn the_event_and_its_deliveries_are_written_with_the_connection() {
    on_each(async |app| {
        let wants = webhook(app, "wants", vec![EventKind::ConnectionCreated]).await;
        webhook(app, "wants-others", vec![EventKind::ConnectionDeleted]).await;
        let mut off = webhook(app, "switched-off", vec![EventKind::ConnectionCreated]).await;
        off.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_endpoint(&app.acme.workspace, &off).await).await;

        let (_, id) = code(app, "u").await;
        let events = app.events(&app.acme).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, EventKind::ConnectionCreated);
        assert_eq!(events[0].connection_id.as_str(), id);
        let said = events[0].data.to_string();
        assert!(!said.contains("sbx_"), "an event carries no token: {said}");
        let deliveries = app.read().await.deliveries(&app.acme.workspace, &events[0].id).await.unwrap();
        assert_eq!(deliveries.iter().map(|d| &d.endpoint_id).collect::<Vec<_>>(), [&wants.id]);
        assert_eq!((deliveries[0].attempts, deliveries[0].next_at), (0, Some(app.broker.clock.now())));
    })
    .await;
}

#[tokio::test]
async fn a_failed_exchange_leaves_neither_connection_nor_event() {
    on_each(async |app| {
        webhook(app, "wants", EventKind::ALL.to_vec()).await;
        app.sandbox
            .faults(json!({ "token_status": 400, "token_body": "{\"error\":\"invalid_grant\"}" }))
            .await;
        let done = Browser::new().connect(app, &app.acme, &[("state", "s")]).await;
        assert_eq!(done.status, 302);
        let (target, pairs) = done.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["error", "error_description", "state"]);
        assert_eq!(value(&pairs, "error"), "server_error");
        assert_eq!(value(&pairs, "state"), "s");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn connection_credential_and_event_are_written_together_or_not_at_all() {
    for table in ["event", "delivery", "credential"] {
        for completion in [Completion::Redirect, Completion::Server] {
            on_each(async |app| {
                webhook(app, "wants", vec![EventKind::ConnectionCreated]).await;
                app.complete(&app.acme, completion).await;
                let browser = Browser::new();
                let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
                let back = browser.consent(&leg, "alice", "allow").await;
                trial::lose_table(&app.broker.store, table).await;
                let (target, pairs) = app.passing(browser.get(&back)).await.redirect();
                assert_eq!(target, CB);
                if completion == Completion::Server {
                    let body =
                        json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
                    let answer = app.passing(app.exchange(&app.acme.key, &body)).await;
                    answer.assert_problem(500, "internal_error");
                } else {
                    assert_eq!(names(&pairs), ["error", "error_description"], "{table}");
                    assert_eq!(value(&pairs, "error"), "server_error", "{table}");
                }
                assert_eq!(app.sandbox.exchanges().await, 1);
                assert_eq!(app.sandbox.stats().await.revocations, 1, "no grant that nobody knows of");
                assert_eq!(app.connections(&app.acme).await.len(), 0, "no connection without its {table}");
                if table != "event" {
                    assert_eq!(app.events(&app.acme).await.len(), 0, "no event without the {table}");
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn each_completed_flow_is_a_new_connection() {
    on_each(async |app| {
        let browser = Browser::new();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let (_, pairs) = browser.connect(app, &app.acme, &[("external_id", "same")]).await.redirect();
            ids.insert(value(&pairs, "connection_id").to_owned());
        }
        assert_eq!(ids.len(), 3);
        assert_eq!(app.connections(&app.acme).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn two_tabs_of_one_browser_finish_in_either_order() {
    on_each(async |app| {
        let browser = Browser::new();
        let first = browser.set_out(app, &app.acme, &[("external_id", "first")]).await;
        let second = browser.set_out(app, &app.acme, &[("external_id", "second")]).await;
        for (leg, who) in [(second, "second"), (first, "first")] {
            let back = browser.consent(&leg, "bob", "allow").await;
            let (_, pairs) = browser.get(&back).await.redirect();
            assert_eq!(value(&pairs, "external_id"), who);
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_refuses_comes_back_as_an_error() {
    on_each(async |app| {
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("state", "s"), ("external_id", "u")]).await;
        let back = browser.consent(&leg, "alice", "deny").await;
        let done = browser.get(&back).await;
        assert_eq!(done.status, 302);
        let (target, pairs) = done.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["error", "error_description", "state"]);
        assert_eq!(value(&pairs, "error"), "access_denied");
        assert_eq!(value(&pairs, "error_description"), "the person refused");
        assert_eq!(value(&pairs, "state"), "s");
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_providers_own_making_is_called_a_server_error() {
    on_each(async |app| {
        for (theirs, ours) in [
            ("temporarily_unavailable", "temporarily_unavailable"),
            ("invalid_scope", "invalid_scope"),
            ("consent_required", "consent_required"),
            ("E1234", "server_error"),
            ("<script>", "server_error"),
            ("a&b=c#d", "server_error"),
        ] {
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[]).await;
            let text = "line\r\none <b>two</b> &code=x#y";
            let done = browser.get(&leg.back(&[("error", theirs), ("error_description", text)])).await;
            let (target, pairs) = done.redirect();
            assert_eq!((target.as_str(), names(&pairs)), (CB, vec!["error", "error_description"]));
            assert_eq!(value(&pairs, "error"), ours, "{theirs}");
            assert!(!value(&pairs, "error_description").contains(['\r', '\n']), "one line");
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_posted_callback_is_sent_round_once_more_as_get() {
    on_each(async |app| {
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("state", "s")]).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let (path, query) = back.split_once('?').unwrap();
        // A cross-site POST comes without Lax cookies.
        let pairs = crate::support::decode(query);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let stranger = Browser::new();
        let request = stranger.request(http::Method::POST, path).header("sec-fetch-site", "cross-site");
        let posted = stranger.form(request, &pairs).await;
        assert_eq!(posted.status, 303);
        let to = posted.location();
        assert_eq!(
            to,
            format!("{}?{}", path.strip_prefix(&app.origin).unwrap(), crate::support::encode(&pairs))
        );
        assert_eq!(app.sandbox.exchanges().await, 0, "the POST itself does nothing");
        let done = browser.get(&format!("{}{to}", app.origin)).await;
        assert_eq!(value(&done.redirect().1, "state"), "s");
        assert_eq!(app.sandbox.exchanges().await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_token_request_proves_what_the_authorization_request_challenged() {
    on_each(async |app| {
        let stub = Stub::start().await;
        app.integrate(&app.acme, "stub", &stub.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub")]).await;
        let done = browser.get(&leg.back(&[("code", "c+d/e f&g")])).await;
        assert_eq!(done.status, 302, "{}", done.text());
        let seen = stub.seen();
        let token = seen.iter().find(|seen| seen.path == "/token").expect("a token request");
        let form = token.form();
        assert_eq!(value(&form, "grant_type"), "authorization_code");
        assert_eq!(value(&form, "code"), "c+d/e f&g");
        assert_eq!(value(&form, "redirect_uri"), leg.redirect_uri());
        let verifier = value(&form, "code_verifier");
        assert!((43..=128).contains(&verifier.len()), "RFC 7636 §4.1");
        let hex = hash::token(verifier);
        let digest: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(digest), value(&leg.params, "code_challenge"));
        assert!(token.headers.contains_key("authorization"), "the client authenticates");
        assert_eq!(stub.token_requests(), 1);
        let userinfo = seen.iter().find(|seen| seen.path == "/userinfo").expect("an identity call");
        assert_eq!(userinfo.headers["authorization"], "Bearer canary_stub_access");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_say_who_it_is_leaves_a_connection_without_a_name() {
    on_each(async |app| {
        app.sandbox.faults(json!({ "userinfo_status": 500 })).await;
        let (_, id) = code(app, "u").await;
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!((connection.status, connection.account.id), (Status::Active, None));
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
    })
    .await;
}
