//! What a refresh changes besides the token, and a refresh whose answer can't be written at first.

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::domain::integration::Config;
use claviger_engine::{
    domain::event::{Event, EventKind},
    id::ConnectionId,
    store::trial,
};
use serde_json::json;

use super::{HOUR, Mint, hasty};
use crate::support::{
    Browser, Options, TestApp,
    app::{at, new_integration},
    on_each, on_each_with, value,
};

/// A provider that tells with its tokens where its API is, and has it hand-entered where tokens are to be had.
const FILE: &str = r#"
key = "roving"
name = "Roving"
category = "testing"

[oauth2.endpoints]
source = "integration"

[oauth2.answer.save.site]
path = "site"
pattern = "^[a-z]{1,20}$"
default = "home"

[api]
base_url = "https://{site}.roving.example/"
"#;

fn roving() -> Options {
    Options { providers: vec![("roving.toml", FILE.to_owned())], ..Options::default() }
}

fn updates(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().filter(|event| event.kind == EventKind::ConnectionUpdated).collect()
}

async fn refresh(app: &TestApp, id: &str) {
    app.pass(HOUR);
    let answer = app.call(&app.acme.key, id, "/x").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn granted_scopes_that_change_are_kept_and_told() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let say = |text| mint.instead.lock().unwrap().push_back((200, text));
        refresh(app, &id).await;
        assert_eq!(updates(app.events(&app.acme).await).len(), 0, "a refresh is no change");

        say(r#"{"access_token":"a","refresh_token":"r","expires_in":3600,"scope":"read write"}"#);
        refresh(app, &id).await;
        let told = updates(app.events(&app.acme).await);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].connection_id.as_str(), &told[0].data["is_valid"]), (id.as_str(), &json!(true)));
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!(connection.scopes_granted, ["read", "write"]);
        assert_eq!(connection.updated_at, app.broker.clock.now());

        say(r#"{"access_token":"b","refresh_token":"s","expires_in":3600,"scope":"write read"}"#);
        refresh(app, &id).await;
        refresh(app, &id).await;
        assert_eq!(
            updates(app.events(&app.acme).await).len(),
            1,
            "another order is no change, silence neither"
        );
        say(r#"{"access_token":"c","refresh_token":"t","expires_in":3600,"scope":"read"}"#);
        refresh(app, &id).await;
        assert_eq!(updates(app.events(&app.acme).await).len(), 2);
        assert_eq!(app.connection(&app.acme, &id).await.scopes_granted, ["read"]);
    })
    .await;
}

#[tokio::test]
async fn an_api_that_moves_is_told_of() {
    on_each_with(roving, async |app| {
        let mint = Mint::start().await;
        let config =
            Config { base_url: Some(format!("{}/api/{{site}}", mint.up.origin)), ..at(&mint.up.origin) };
        app.integrate_as(&app.acme, new_integration("roving", "roving", config)).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "roving")]).await;
        let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        let site = |site: &str| BTreeMap::from([("site".to_owned(), site.to_owned())]);
        assert_eq!(app.connection(&app.acme, &id).await.inputs, site("home"));

        let moved = r#"{"access_token":"a","refresh_token":"r","expires_in":3600,"site":"away"}"#;
        mint.instead.lock().unwrap().extend([(200, moved), (200, moved)]);
        refresh(app, &id).await;
        refresh(app, &id).await;
        assert_eq!(app.connection(&app.acme, &id).await.inputs, site("away"));
        let paths: Vec<_> = mint.up.calls().into_iter().map(|call| call.target).collect();
        assert_eq!(paths.last().map(String::as_str), Some("/api/away/x"));
        assert_eq!(updates(app.events(&app.acme).await).len(), 1, "told once");
    })
    .await;
}

#[tokio::test]
async fn a_change_is_told_with_the_tokens_that_brought_it_or_not_at_all() {
    on_each_with(hasty, async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let changed = r#"{"access_token":"a","refresh_token":"r","expires_in":3600,"scope":"read"}"#;
        mint.instead.lock().unwrap().push_back((200, changed));
        app.pass(HOUR);
        trial::lose_table(&app.broker.store, "event").await;
        let answer = app.passing(app.call(&app.acme.key, &id, "/x")).await;
        answer.assert_problem(500, "internal_error");
        let of = ConnectionId::parse(&id).unwrap();
        let kept = app.read().await.credential(&app.acme.workspace, &of).await.unwrap().unwrap();
        assert_eq!(kept.version, 1);
        assert_eq!(app.connection(&app.acme, &id).await.scopes_granted.len(), 0);

        // Whoever waited was told that it takes too long; it is written all the same, when that can be.
        trial::find_table(&app.broker.store, "event").await;
        let written = async {
            while app.connection(&app.acme, &id).await.scopes_granted.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        app.passing(written).await;
        assert_eq!(updates(app.events(&app.acme).await).len(), 1);
        assert_eq!((app.call(&app.acme.key, &id, "/x").await.status.as_u16(), mint.spent().len()), (200, 1));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_fails_for_a_while_costs_no_token() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        trial::lose_table(&app.broker.store, "change_log").await;
        let (answer, ()) = tokio::join!(app.call(&app.acme.key, &id, "/x"), async {
            while mint.spent().is_empty() {
                tokio::task::yield_now().await;
            }
            for _ in 0..10 {
                app.pass(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(mint.used().len(), 0, "a token that is not kept is not used");
            trial::find_table(&app.broker.store, "change_log").await;
            app.drift(60).await;
        });
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            (mint.spent(), mint.used()),
            (vec!["refresh-1".to_owned()], vec!["Bearer access-2".to_owned()])
        );
    })
    .await;
}
