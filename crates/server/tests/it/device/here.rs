//! Codes that whoever runs a command waits for: no browser carries the flow.

use std::collections::BTreeMap;

use claviger_engine::{
    connect::device::{self, Device, Here, Step},
    domain::{
        connection::{Owner, OwnerKind},
        workspace::Workspace,
    },
    error::Error,
};

use super::{after, codes, entered, integrate, pending, provider};
use crate::support::{Reply, TestApp, on_each};

async fn workspace(app: &TestApp) -> Workspace {
    app.read().await.workspace(&app.acme.workspace).await.expect("read").expect("a workspace")
}

fn external(key: &str) -> Owner {
    Owner { kind: OwnerKind::External, key: Some(key.to_owned()) }
}

fn wish<'a>(workspace: &'a Workspace, integration: &'a str, owner: Owner) -> Here<'a> {
    Here { workspace, integration, owner, inputs: BTreeMap::new() }
}

#[tokio::test]
async fn a_command_waits_for_its_code() {
    on_each(async |app| {
        let stub = provider().await;
        integrate(app, &stub).await;
        let acme = workspace(app).await;
        let flow = device::begin(&app.broker, wish(&acme, "tv", external("u"))).await.expect("a flow");
        let step = async || device::step(&app.broker, &flow).await.expect("a step");
        let Step::Waiting(Device::Given { user_code, verification_uri, .. }) = step().await else {
            panic!("it waits");
        };
        assert_eq!(
            (user_code.as_str(), verification_uri.as_str()),
            ("WDJB-MJHT", "https://tv.example/enter")
        );
        assert_eq!(stub.token_requests(), 0, "not before its time");
        app.pass(std::time::Duration::from_secs(5));
        assert!(matches!(step().await, Step::Waiting(_)));
        assert!(matches!(step().await, Step::Waiting(_)));
        assert_eq!(stub.token_requests(), 1, "once per interval");
        entered(&stub);
        app.pass(std::time::Duration::from_secs(5));
        let Step::Connected(id) = step().await else { panic!("it is connected") };
        assert_eq!(app.connection(&app.acme, id.as_str()).await.owner, external("u"));

        // A broker that runs beside it asks as well as it does.
        pending(&stub);
        let other = device::begin(&app.broker, wish(&acme, "tv", external("u"))).await.expect("a flow");
        entered(&stub);
        assert_eq!(after(app, 5).await, 1);
        assert!(matches!(device::step(&app.broker, &other).await, Ok(Step::Connected(_))));
    })
    .await;
}

#[tokio::test]
async fn a_command_hears_why_not() {
    on_each(async |app| {
        let stub = provider().await;
        integrate(app, &stub).await;
        let acme = workspace(app).await;
        for (code, words) in [("access_denied", "did not allow"), ("invalid_grant", "did not complete")] {
            let flow = device::begin(&app.broker, wish(&acme, "tv", external("u"))).await.expect("a flow");
            stub.reply("/token", Reply::oauth_error(400, code));
            app.pass(std::time::Duration::from_secs(5));
            let Ok(Step::Failed(why)) = device::step(&app.broker, &flow).await else { panic!("{code}") };
            assert!(why.contains(words), "{why}");
        }
        pending(&stub);
        let flow = device::begin(&app.broker, wish(&acme, "tv", external("u"))).await.expect("a flow");
        app.pass(std::time::Duration::from_secs(900));
        let Ok(Step::Failed(why)) = device::step(&app.broker, &flow).await else { panic!("it is over") };
        assert!(why.contains("in time"), "{why}");

        let nobody = Owner { kind: OwnerKind::User, key: Some("nobody".to_owned()) };
        let unknown = Owner { kind: OwnerKind::Customer, key: Some("nobody".to_owned()) };
        let refused = async |integration: &'static str, owner: Owner| {
            device::begin(&app.broker, wish(&acme, integration, owner)).await.err()
        };
        assert!(matches!(refused("nothing", external("u")).await, Some(Error::NotFound { .. })));
        assert!(matches!(refused("sandbox", external("u")).await, Some(Error::Conflict { .. })));
        assert!(matches!(refused("tv", nobody).await, Some(Error::Denied { .. })));
        let Some(Error::Denied { message }) = refused("tv", unknown).await else { panic!("nobody knows it") };
        assert!(message.contains("becomes known with its first token"), "{message}");
        stub.reply("/device", Reply::oauth_error(400, "invalid_scope"));
        assert!(matches!(refused("tv", external("u")).await, Some(Error::Conflict { .. })));
        stub.reply("/device", Reply::Say(500, "text/plain", String::new()));
        assert!(matches!(refused("tv", external("u")).await, Some(Error::Provider { .. })));
        stub.reply("/device", Reply::json(&codes().to_string()));
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
