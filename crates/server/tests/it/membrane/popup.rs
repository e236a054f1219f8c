//! A customer's browser is sent to `/connection-popup`, and comes back with a connection or with an error.

use std::time::Duration;

use bytes::Bytes;
use claviger_engine::{
    domain::{
        connection::{OwnerKind, Status},
        event::EventKind,
        workspace::Completion,
    },
    id::ConnectionId,
};
use http::Method;
use serde_json::{Value, json};

use super::{
    front::{Front, KEY, WRONG_KEY, connected, failed, keyed, posted, provider, providers},
    token,
};
use crate::support::{Browser, CB, Leg, on_each, on_each_with, value};

#[tokio::test]
async fn the_seeds_form_makes_a_connection_and_comes_back_with_it() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let payload =
            json!({ "integrationId": "it", "connectionParameters": { "apiKey": KEY }, "redirectUri": CB });
        let browser = Browser::new();
        let nobody = front.submit_with(&browser, "/connection-popup", &payload, &[]).await;
        nobody.assert_page(401, "token");
        assert_eq!(app.connections(&app.acme).await.len(), 0);

        let path = format!("/connection-popup?token={}", front.token);
        let done = front.submit_with(&browser, &path, &payload, &[]).await;
        assert_eq!(done.status, 303, "a POST is not repeated");
        let id = connected(&done);
        assert!(browser.cookies("127.0.0.1").is_empty(), "nothing is asked, so no cookie is needed");
        let made = app.connection(&app.acme, &id).await;
        assert_eq!((made.owner.kind, made.owner.key.as_deref()), (OwnerKind::Customer, Some("user-1")));
        assert_eq!((made.status, made.name), (Status::Active, None));
        let told = app.events(&app.acme).await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].kind, told[0].connection_id.as_str()),
            (EventKind::ConnectionCreated, id.as_str())
        );
        let called = app.call(&app.acme.key, &id, "/me").await;
        let unknown = app.call(&app.acme.key, ConnectionId::new().as_str(), "/me").await;
        assert_eq!(
            (called.status, called.text()),
            (unknown.status, unknown.text()),
            "it is this door's only"
        );

        let with_header = [("authorization", format!("Bearer {}", front.token))];
        let headers: Vec<(&str, &str)> =
            with_header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let again = front.submit_with(&browser, "/connection-popup", &payload, &headers).await;
        assert_eq!(connected(&again), id, "in place of the one there is");
    })
    .await;
}

#[tokio::test]
async fn a_browser_goes_to_the_provider_and_back() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let began = front.open(&browser, &[("name", "Mine")]).await;
        assert_eq!(began.status, 302, "{}", began.text());
        assert_eq!(began.header("referrer-policy"), Some("no-referrer"));
        let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
        let done = browser.get(&back).await;
        let id = connected(&done);
        let made = app.connection(&app.acme, &id).await;
        assert_eq!((made.owner.key.as_deref(), made.name.as_deref()), (Some("user-1"), Some("Mine")));
        assert_eq!(browser.get(&back).await.location(), done.location(), "the same callback, the same end");
        assert_eq!(app.sandbox.exchanges().await, 1);

        let other = Front::new(app, "user-2").await;
        let theirs = connected(&other.connect(&Browser::new(), "bob", json!({})).await);
        assert_ne!(theirs, id);
        assert_eq!((front.connections().await.len(), other.connections().await.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn both_paths_and_both_methods_begin_alike() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        for path in ["/connection-popup", "/connect", "/connection-popup/", "/connect/"] {
            let browser = Browser::new();
            let url = front.url(&[]).replace("/connection-popup?", &format!("{path}?"));
            let began = browser.get(&url).await;
            assert!(began.location().starts_with(&app.sandbox.origin), "{path}: {}", began.location());
            let began = front.submit_with(&browser, path, &front.payload(json!({})), &[]).await;
            assert_eq!(began.status, 303, "{path}: {}", began.text());
            assert!(began.location().contains("?handle="), "{path}: {}", began.location());
            let on = front.follow(&browser, &began).await;
            assert!(on.location().starts_with(&app.sandbox.origin), "{path}: {}", on.location());
        }
    })
    .await;
}

#[tokio::test]
async fn a_forms_flow_is_taken_over_by_one_browser_once() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let (browser, other) = (Browser::new(), Browser::new());
        let began = front.submit(&browser, json!({})).await;
        assert!(browser.cookies("127.0.0.1").is_empty());
        let on = front.follow(&browser, &began).await;
        let leg = Leg::of(on.location());
        front.follow(&other, &began).await.assert_page(400, "used already");
        front.follow(&browser, &began).await.assert_page(400, "used already");
        let back = browser.consent(&leg, "alice", "allow").await;
        other.get(&back).await.assert_refused("another browser");
        browser.get(&back).await.assert_refused("it is over now");
        assert_eq!(app.sandbox.exchanges().await, 0);

        // A wrong handle, none, and one that came too late.
        let began = front.submit(&browser, json!({})).await;
        let url = format!("{}{}", app.origin, began.location());
        let (flow, handle) = url.split_once("?handle=").unwrap();
        browser.get(&format!("{flow}?handle=x{handle}")).await.assert_page(400, "belongs to another browser");
        browser.get(flow).await.assert_page(404, "nothing to show");
        let cookie = [("claviger-browser".to_owned(), handle.to_owned())].into();
        other.set_cookies("127.0.0.1", cookie);
        let page = flow.replace("/connection-popup/", "/connect/");
        other.get(&page).await.assert_page(400, "belongs to another browser");
        app.pass(Duration::from_secs(601));
        browser.get(&url).await.assert_page(400, "has expired");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn two_tabs_connect_each_on_its_own() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let many = json!({ "allowMultipleConnections": true });
        let (one, two) = (front.set_out(&browser, many.clone()).await, front.set_out(&browser, many).await);
        let (first, second) =
            (browser.consent(&one, "alice", "allow").await, browser.consent(&two, "bob", "allow").await);
        let (second, first) = (browser.get(&second).await, browser.get(&first).await);
        assert_ne!(connected(&first), connected(&second));
        assert_eq!(front.connections().await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn who_declines_comes_back_with_an_error_and_nothing_else() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let uri = format!("{CB}?next=%2Fhome&x=1#part");
        let leg = front.set_out(&browser, json!({ "redirectUri": uri })).await;
        let back = browser.consent(&leg, "alice", "deny").await;
        let done = browser.get(&back).await;
        let to = done.location();
        assert!(to.starts_with(&format!("{CB}?next=%2Fhome&x=1&error=")), "{to}");
        assert!(to.ends_with("#part"), "{to}");
        let (_, pairs) = done.redirect();
        let data = value(&pairs, "errorData").trim_end_matches("#part");
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], &data["data"]["error"]), (&json!("connection"), &json!("access_denied")));
        app.assert_nothing_connected(&app.acme).await;
        let done = front.connect(&browser, "alice", json!({ "redirectUri": uri })).await;
        let id = front.connections().await[0].id.to_string();
        assert_eq!(done.location(), format!("{CB}?next=%2Fhome&x=1&connectionId={id}#part"));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_comes_back_and_nothing_begins() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        keyed(app, "asking", "asking", &upstream).await;
        let theirs = connected(&Front::new(app, "user-2").await.connect(&Browser::new(), "bob", json!({})).await);
        let other = app.tenant("Other").await;
        let long = "a".repeat(1025);
        let frame = [("sec-fetch-dest", "iframe")];
        let bad = |field: &str| ("bad_request", None, json!(field));
        let missing = ("bad_request", Some("not_found"), Value::Null);
        let it = |parameters: Value| json!({ "integrationKey": "it", "connectionParameters": parameters });
        for (extra, headers, want) in [
            (json!({ "integrationKey": null }), &[][..], bad("integrationId")),
            (json!({ "integrationKey": "nosuch" }), &[], missing.clone()),
            (json!({ "integrationKey": null, "integrationId": other.integration.as_str() }), &[], missing.clone()),
            (json!({ "connectionId": theirs }), &[], missing.clone()),
            (json!({ "connectionId": "conn_x" }), &[], missing.clone()),
            (json!({ "authOptionKey": "nosuch" }), &[], missing.clone()),
            (json!({ "integrationKey": 7 }), &[], bad("integrationKey")),
            (json!({ "name": "a\u{7}b" }), &[], bad("name")),
            (json!({ "customState": long }), &[], bad("customState")),
            (json!({ "requestId": "short" }), &[], bad("requestId")),
            (json!({ "requestId": 1_234_567_890_123_456_789_u64, "name": [] }), &[], bad("name")),
            (json!({ "connectorParameters": { "scopes": "admin" } }), &[], bad("connectorParameters")),
            (it(json!("{")), &[], bad("connectionParameters")),
            (it(json!([])), &[], bad("connectionParameters")),
            (it(json!({ "api_key": 7 })), &[], bad("connectionParameters")),
            (it(json!({ "api_key": "canary-key-four" })), &[], bad("connectionParameters")),
            (it(json!({ "api_key": WRONG_KEY })), &[], bad("connectionParameters")),
            (it(json!({})), &frame, bad("connectionParameters")),
            (
                json!({ "integrationKey": "asking", "connectionParameters": { "subDomain": "A", "apiKey": KEY } }),
                &[],
                bad("connectionParameters"),
            ),
            (
                json!({ "integrationKey": "asking", "connectionParameters": { "apiKey": KEY } }),
                &frame,
                bad("connectionParameters"),
            ),
            (json!({}), &frame, ("configuration", None, Value::Null)),
        ] {
            let answer =
                front.submit_with(&Browser::new(), "/connection-popup", &front.payload(extra.clone()), headers).await;
            let (_, data) = failed(&answer);
            let (kind, key, field) = want;
            assert_eq!((&data["type"], data["key"].as_str()), (&json!(kind), key), "{extra} {data}");
            assert_eq!(data["data"]["field"], field, "{extra} {data}");
        }
        let nobody = token(app, &app.acme, json!({})).await;
        let (_, data) = failed(&front.with(&nobody).open(&Browser::new(), &[]).await);
        assert_eq!(data["key"], "access_denied");
        app.change(async |to| {
            let mut off = to.conn.integration(&app.acme.workspace, &app.acme.integration).await?.unwrap();
            off.disabled_at = Some(app.broker.clock.now());
            to.conn.update_integration(&app.acme.workspace, &off).await
        })
        .await;
        let (text, data) = failed(&front.open(&Browser::new(), &[]).await);
        assert_eq!(data["type"], "configuration", "{text}");
        assert_eq!(front.connections().await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_asked_on_a_page() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "asking", &upstream).await;
        let browser = Browser::new();
        let given = json!({ "integrationKey": "it", "connectionParameters": { "sub_domain": "acme" } });
        let began = front.submit(&browser, given).await;
        let page = front.follow(&browser, &began).await;
        let url = format!("{}{}", app.origin, page.location());
        let shown = browser.get(&url).await;
        shown.assert_page(200, "API key");
        assert!(!shown.text().contains("Subdomain"), "what is known is not asked again");
        let wrong =
            browser.submit(&url, &[("decision", "continue"), ("credential-api_key", WRONG_KEY)]).await;
        wrong.assert_page(422, "does not accept it");
        let done = browser.submit(&url, &[("decision", "continue"), ("credential-api_key", KEY)]).await;
        let made = app.connection(&app.acme, &connected(&done)).await;
        assert_eq!(made.inputs["sub_domain"], "acme");

        let began = front.open(&browser, &[("integrationKey", "it")]).await;
        let url = format!("{}{}", app.origin, began.location());
        let declined = browser.submit(&url, &[("decision", "cancel")]).await;
        let (_, data) = failed(&declined);
        assert_eq!(data["data"]["error"], "access_denied");
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_workspace_that_wants_a_click_gets_one_that_names_the_customer() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        keyed(app, "it", "keyed", &upstream).await;
        for completion in [Completion::Confirm, Completion::Server] {
            app.complete(&app.acme, completion).await;
            let named = token(app, &app.acme, json!({ "id": "user-1", "name": "Ada <Lovelace>" })).await;
            let (front, browser) = (Front::new(app, "user-1").await.with(&named), Browser::new());
            let began = front.open(&browser, &[]).await;
            let url = format!("{}{}", app.origin, began.location());
            let page = browser.get(&url).await;
            page.assert_page(200, "Ada &lt;Lovelace&gt;");
            assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
            let left = browser.submit(&url, &[("decision", "continue")]).await;
            let back = browser.consent(&Leg::of(left.location()), "alice", "allow").await;
            connected(&browser.get(&back).await);
            // Who brings the credential itself gives away nobody else's account.
            let parameters = json!({ "integrationKey": "it", "connectionParameters": { "api_key": KEY } });
            connected(&front.submit(&browser, parameters).await);
        }
        assert_eq!(app.sandbox.exchanges().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_state_of_the_callers_own_goes_to_the_provider_and_back() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        for custom in ["MY_CUSTOM_STATE", "a:b:c", "a b&c=%d/é", &"\u{1f511}".repeat(1024)] {
            let leg = front.set_out(&browser, json!({ "customState": custom })).await;
            let (ours, theirs) = leg.state().split_once(':').unwrap();
            assert_eq!((ours.len(), theirs), (43, custom));
            let back = browser.consent(&leg, "alice", "allow").await;
            let done = browser.get(&back).await;
            connected(&done);
            assert_eq!(browser.get(&back).await.location(), done.location(), "it is one callback");
        }
        let plain = front.set_out(&browser, json!({})).await;
        assert!(!plain.state().contains(':'));
        // Ours is what counts: without it there is nothing.
        let leg = front.set_out(&browser, json!({ "customState": "x" })).await;
        let (_, query) =
            leg.back(&[("code", "c")]).split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let forged = query.replace(leg.state().split(':').next().unwrap(), "");
        browser.get(&format!("{}?{forged}", leg.redirect_uri())).await.assert_refused("no state of ours");
    })
    .await;
}

#[tokio::test]
async fn without_a_way_back_the_page_tells_and_closes() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let done = front.connect(&browser, "alice", json!({ "redirectUri": null })).await;
        let page = front.follow(&browser, &done).await;
        page.assert_page(200, "is connected");
        let (message, target) = posted(&page);
        assert_eq!((&message["type"], target.as_deref()), (&json!("newConnectionCreated"), Some("*")));
        assert_eq!(message["connection"]["id"], front.connections().await[0].id.as_str());
        assert!(message.get("requestId").is_none());
        Browser::new()
            .get(&format!("{}{}", app.origin, done.location()))
            .await
            .assert_page(404, "nothing to show");
    })
    .await;
}

#[tokio::test]
async fn its_pages_speak_the_browsers_language_in_the_products_name() {
    on_each(async |app| {
        app.settings(&app.acme, |settings| settings.brand.name = Some("Acme Suite".to_owned())).await;
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let see = async |url: &str, language: &str| {
            let request = browser.request(Method::GET, url).header("accept-language", language);
            browser.send(request, Bytes::new()).await
        };
        let began = front.submit(&browser, json!({ "redirectUri": null })).await;
        let leg = Leg::of(front.follow(&browser, &began).await.location());
        let refused = browser.get(&browser.consent(&leg, "alice", "deny").await).await;
        let url = format!("{}{}", app.origin, refused.location());
        for (language, tag, words) in [
            ("de", "de", "Sie haben es nicht erlaubt."),
            ("fr-CA", "fr", "Vous ne l’avez pas autorisé."),
            ("es", "es", "Usted no lo ha permitido."),
            ("ja", "en", "You did not allow it."),
        ] {
            let page = see(&url, language).await;
            page.assert_page(400, words);
            let text = page.text();
            assert!(
                text.contains(&format!("<html lang=\"{tag}\">")) && text.contains(">Acme Suite</span>"),
                "{text}"
            );
            assert!(text.contains("<svg class=\"bad\"") && text.contains("</text></svg>"), "{text}");
            assert_eq!(posted(&page).0["errorData"]["data"]["error"], "access_denied");
        }
        // Nobody is known to ask, and somebody is.
        let nobody = format!("{}/connection-popup", app.origin);
        see(&nobody, "fr").await.assert_page(401, "Le jeton est absent");
        let nothing = see(&front.url(&[("redirectUri", "https://nowhere.test/")]), "de").await;
        assert_eq!(nothing.status, 400, "{}", nothing.text());
        assert!(nothing.text().contains("<html lang=\"de\">"), "{}", nothing.text());
        assert!(nothing.text().contains(">Acme Suite</span>"), "{}", nothing.text());
        let gone = see(&url.replace("/connection-popup/", "/embed/"), "de").await;
        gone.assert_page(404, "Nichts anzuzeigen");
        assert!(gone.text().contains(">Acme Suite</span>"), "{}", gone.text());
    })
    .await;
}
