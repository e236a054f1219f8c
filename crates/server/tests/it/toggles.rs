//! The two toggles: what the redirect may carry, and how a product that gets no id there learns of a connection
//! all the same.

use claviger_engine::{
    domain::event::EventKind,
    setup::{self, NewWebhook},
    webhook::deliver,
};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Browser, CB, Reply, Stub, TestApp, names, on_each, value};

/// A product that listens at a webhook endpoint for new connections.
async fn listening(app: &TestApp) -> Stub {
    let product = Stub::start().await;
    product.reply("/hook", Reply::json("{}"));
    let new = NewWebhook {
        name: "product".into(),
        url: format!("{}/hook", product.origin),
        events: vec![EventKind::ConnectionCreated],
        format: Default::default(),
        secret: None,
    };
    app.change(async |to| setup::webhook(to, &app.acme.workspace, new).await).await;
    product
}

/// The one event that the product heard since it had heard `before`.
async fn heard(app: &TestApp, product: &Stub, before: usize) -> Value {
    assert_eq!(deliver::round(&app.broker).await.expect("a round"), 1);
    let told: Vec<_> = product.seen().into_iter().filter(|seen| seen.path == "/hook").collect();
    assert_eq!(told.len(), before + 1, "once");
    serde_json::from_slice(&told[before].body).expect("JSON")
}

#[tokio::test]
async fn whatever_the_redirect_carries_the_webhook_carries_both_ids() {
    on_each(async |app| {
        let product = listening(app).await;
        for (round, (connection_id, external_id, want)) in [
            (true, true, vec!["connection_id", "integration_id", "external_id", "code", "state"]),
            (true, false, vec!["connection_id", "integration_id", "code", "state"]),
            (false, true, vec!["integration_id", "external_id", "code", "state"]),
            (false, false, vec!["integration_id", "code", "state"]),
        ]
        .into_iter()
        .enumerate()
        {
            app.settings(&app.acme, |settings| {
                settings.include_connection_id = connection_id;
                settings.include_external_id = external_id;
            })
            .await;
            let customer = format!("customer-{round}");
            let done =
                Browser::new().connect(app, &app.acme, &[("external_id", &customer), ("state", "s")]).await;
            let (target, pairs) = done.redirect();
            assert_eq!((target.as_str(), names(&pairs)), (CB, want));
            assert!(connection_id || !done.location().contains("conn_"), "{}", done.location());
            assert!(external_id || !done.location().contains(&customer), "{}", done.location());

            let event = heard(app, &product, round).await;
            assert_eq!(event["type"], "connection.created");
            assert_eq!(event["data"]["external_id"], customer.as_str());
            assert_eq!(event["data"]["integration_id"], app.acme.integration.as_str());
            let id = event["data"]["id"].as_str().expect("a connection id");
            if connection_id {
                assert_eq!(value(&pairs, "connection_id"), id);
            }
            let me = app.call(&app.acme.key, id, "/me").await;
            assert_eq!((me.status.as_u16(), &me.json()["name"]), (200, &json!("Alice Example")));

            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
            let exchanged = app.exchange(&app.acme.key, &body).await.json();
            assert_eq!(
                (&exchanged["connection_id"], &exchanged["external_id"]),
                (&json!(id), &json!(customer))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_product_without_ids_in_the_redirect_finds_its_customers_connections() {
    on_each(async |app| {
        let product = listening(app).await;
        app.settings(&app.acme, |settings| {
            settings.include_connection_id = false;
            settings.include_external_id = false;
        })
        .await;
        // Two customers at once, and one of them at two integrations: only the webhook tells them apart.
        let mut known: Vec<(String, String)> = Vec::new();
        for (round, customer) in ["ann", "bob", "ann"].into_iter().enumerate() {
            let (_, pairs) =
                Browser::new().connect(app, &app.acme, &[("external_id", customer)]).await.redirect();
            assert_eq!(names(&pairs), ["integration_id", "code"]);
            let event = heard(app, &product, round).await;
            let text = |name: &str| event["data"][name].as_str().expect("a text").to_owned();
            assert_eq!(text("external_id"), customer);
            known.push((text("external_id"), text("id")));
        }
        for customer in ["ann", "bob"] {
            let mut heard: Vec<_> = known.iter().filter(|(of, _)| of == customer).map(|(_, id)| id).collect();
            heard.sort();
            let url = format!("{}/v1/connections?external_id={customer}", app.origin);
            let request = http::Request::builder().method(Method::GET).uri(url);
            let request = request.header("authorization", format!("Bearer {}", app.acme.key));
            let listed = Browser::new().send(request, Default::default()).await;
            assert_eq!(listed.status, 200, "{}", listed.text());
            let listed = listed.json();
            let mut ids: Vec<_> =
                listed.as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
            ids.sort_by_key(ToString::to_string);
            assert_eq!(json!(ids), json!(heard), "{customer}");
            for id in heard {
                assert_eq!(app.call(&app.acme.key, id, "/me").await.status, 200);
            }
        }
    })
    .await;
}
