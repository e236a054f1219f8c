//! Addresses per tenant of the provider: what was typed on the connect page decides where codes, tokens and calls
//! go, as far as the provider's file lets it and no further.

use axum::body::Body;
use claviger_engine::domain::integration::Config;
use http::Method;

use crate::support::{
    Browser, Leg, Options, TestApp, Upstream,
    app::new_integration,
    on_each_with,
    upstream::{Head, Names, say},
    value,
    wire::{call, send},
};

fn file(port: &str) -> String {
    format!(
        r#"
        key = "cloud"
        name = "Cloud"
        [[inputs]]
        key = "subdomain"
        title = "Subdomain"
        pattern = "^[a-z0-9-]{{1,63}}$"
        [oauth2.endpoints]
        authorize_url = "https://{{subdomain}}.cloud.test:{port}/authorize"
        token_url = "https://{{subdomain}}.cloud.test:{port}/token"
        [api]
        base_url = "https://{{subdomain}}.cloud.test:{port}/api/v2"
        "#
    )
}

async fn answer(head: Head, _: Body) -> axum::response::Response {
    let host = head.all("host").concat();
    say(200, &[], host)
}

/// Connects an account at a subdomain; gives the connection's id.
async fn connect(app: &TestApp, subdomain: &str) -> String {
    let browser = Browser::new();
    let began = browser.get(&app.authorize_url(&app.acme, &[("integration_id", "cloud")])).await;
    let url = format!("{}{}", app.origin, began.location());
    let answer = browser.submit(&url, &[("subdomain", subdomain), ("decision", "continue")]).await;
    let leg = Leg::of(answer.location());
    assert!(leg.url.starts_with(&format!("https://{subdomain}.cloud.test:")), "{}", leg.url);
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    value(&done.redirect().1, "connection_id").to_owned()
}

#[tokio::test]
async fn each_connection_has_the_address_that_it_was_made_with() {
    let names = Names::new(&["red.cloud.test", "blue.cloud.test"]);
    let up = Upstream::secure(&names, "red.cloud.test", answer).await;
    let port = up.origin.rsplit(':').next().unwrap();
    let options = || Options { providers: vec![("cloud.toml", file(port))], ..names.options() };
    on_each_with(options, async |app| {
        app.integrate_as(&app.acme, new_integration("cloud", "cloud", Config::default())).await;
        let from = up.seen().len();
        let (red, blue) = (connect(app, "red").await, connect(app, "blue").await);
        let hosts = [format!("red.cloud.test:{port}"), format!("blue.cloud.test:{port}")];
        let told: Vec<String> = up.seen()[from..].iter().map(|head| head.all("host").concat()).collect();
        assert_eq!(told, hosts, "the code goes where it came from");
        for (id, host) in [(red, &hosts[0]), (blue, &hosts[1])] {
            let answer = send(call(app, Method::GET, &id, "/users?x").header("host", &hosts[0])).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, host.as_str()));
            assert_eq!(up.seen().pop().unwrap().target, "/api/v2/users?x");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stored_value_that_is_not_admitted_is_not_used() {
    let names = Names::new(&["red.cloud.test", "evil.test"]);
    let up = Upstream::secure(&names, "red.cloud.test", answer).await;
    let port = up.origin.rsplit(':').next().unwrap();
    let options = || Options { providers: vec![("cloud.toml", file(port))], ..names.options() };
    on_each_with(options, async |app| {
        app.integrate_as(&app.acme, new_integration("cloud", "cloud", Config::default())).await;
        let id = connect(app, "red").await;
        let (seen, asked) = (up.seen().len(), names.asked());
        for value in [
            "evil.test/",
            "evil.test#",
            "a@evil.test",
            "a.b",
            "..",
            "red\n",
            "RED",
            "red%2e",
            "\u{440}ed",
            "",
        ] {
            let mut connection = app.connection(&app.acme, &id).await;
            connection.inputs.insert("subdomain".into(), value.into());
            let ws = &app.acme.workspace;
            app.change(async |to| to.conn.note_refreshed(ws, &connection).await).await;
            send(call(app, Method::GET, &id, "/x")).await.assert_problem(400, "target_not_allowed");
        }
        assert_eq!((up.seen().len(), names.asked()), (seen, asked), "no name is even looked up");
    })
    .await;
}
