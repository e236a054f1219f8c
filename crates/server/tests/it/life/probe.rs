//! Keys that never end: where an integration wants it, their provider is asked now and then whether it still takes them.

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    connect::{self, Import},
    domain::{
        audit::Actor,
        connection::{Owner, OwnerKind, Status},
        event::EventKind,
        integration::Config,
    },
    error::Error,
    refresh::sweep,
    setup,
};

use crate::support::{Options, Reply, Stub, TestApp, app::new_integration, on_each_with};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// By when each key is verified again: its time, and the tenth by which keys are spread.
const DUE: Duration = Duration::from_secs(24 * 3600 + 24 * 360);

fn file(origin: &str) -> String {
    format!(
        "key = \"keyed\"\nname = \"Keyed\"\n[oauth2]\nlifetime = \"never\"\n[oauth2.endpoints]\n\
         authorize_url = \"{origin}/authorize\"\ntoken_url = \"{origin}/token\"\n[api]\n\
         base_url = \"{origin}/api\"\n[[verify.calls]]\nurl = \"/check\"\n"
    )
}

fn options(stub: &Stub) -> impl Fn() -> Options + use<> {
    let text = file(&stub.origin);
    move || Options { providers: vec![("keyed.toml", text.clone())], ..Options::default() }
}

/// A connection whose token does not end and can't be refreshed.
async fn connected(app: &TestApp, every: Option<&str>) -> String {
    let config = Config { verify_every: every.map(str::to_owned), ..Config::default() };
    app.integrate_as(&app.acme, new_integration("keyed", "keyed", config)).await;
    let import = Import {
        integration: "keyed",
        only: None,
        owner: Owner { kind: OwnerKind::External, key: Some("customer-1".into()) },
        access_token: "canary-key-4711".to_owned().into(),
        refresh_token: None,
        expires_in: None,
        scopes: None,
        inputs: BTreeMap::new(),
        verify: false,
    };
    let made = connect::import(&app.broker, &app.acme.workspace, import, Actor::Cli).await;
    made.expect("a connection").connection.id.as_str().to_owned()
}

async fn swept(app: &TestApp) {
    sweep::once(&app.broker).await.expect("a sweep");
}

fn asked(stub: &Stub) -> usize {
    stub.seen().iter().filter(|seen| seen.path == "/api/check").count()
}

#[tokio::test]
async fn it_is_off_unless_the_integration_wants_it() {
    let stub = Stub::start().await;
    on_each_with(options(&stub), async |app| {
        let _id = connected(app, None).await;
        for _ in 0..3 {
            app.pass(DUE * 10);
            swept(app).await;
        }
        assert_eq!(asked(&stub), 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_asked_about_when_its_time_has_come() {
    let stub = Stub::start().await;
    stub.reply("/api/check", Reply::json("{}"));
    on_each_with(options(&stub), async |app| {
        let before = asked(&stub);
        let id = connected(app, Some("24h")).await;
        app.pass(DAY - Duration::from_millis(1));
        swept(app).await;
        assert_eq!(asked(&stub), before, "not yet");
        app.pass(DUE - DAY);
        for round in 1..=3 {
            swept(app).await;
            swept(app).await;
            assert_eq!(asked(&stub) - before, round, "once each time");
            app.pass(DUE);
        }
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
        let call = stub.seen().into_iter().rfind(|seen| seen.path == "/api/check").expect("a call");
        assert_eq!(call.headers["authorization"], "Bearer canary-key-4711");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_ends_it_in_the_providers_words_and_is_told_once() {
    let stub = Stub::start().await;
    on_each_with(options(&stub), async |app| {
        let words = r#"{"message":"this key was revoked: canary-key-4711"}"#;
        stub.reply("/api/check", Reply::Say(401, "application/json", words.to_owned()));
        let before = asked(&stub);
        let id = connected(app, Some("24h")).await;
        for _ in 0..3 {
            app.pass(DUE);
            swept(app).await;
        }
        assert_eq!(asked(&stub) - before, 1, "nobody is asked any more");
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!(connection.status, Status::NeedsReauth);
        let reason = connection.status_reason.expect("a reason");
        assert!(reason.contains("401") && reason.contains("this key was revoked"), "{reason}");
        assert!(!reason.contains("canary"), "{reason}");
        let events = app.events(&app.acme).await;
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn trouble_never_ends_it_and_it_is_asked_again_in_a_while() {
    let stub = Stub::start().await;
    on_each_with(options(&stub), async |app| {
        let before = asked(&stub);
        let id = connected(app, Some("24h")).await;
        app.pass(DUE);
        let troubles = [
            Reply::Say(503, "text/plain", String::new()),
            Reply::Say(429, "text/plain", String::new()),
            Reply::Say(404, "text/plain", String::new()),
            Reply::Break,
        ];
        for (n, trouble) in troubles.into_iter().enumerate() {
            stub.reply("/api/check", trouble);
            swept(app).await;
            swept(app).await;
            assert_eq!(asked(&stub) - before, n + 1, "it is left alone for a while");
            app.pass(Duration::from_secs(1800));
        }
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
        assert_eq!(app.events(&app.acme).await.len(), 1, "nobody is told");
    })
    .await;
}

#[tokio::test]
async fn it_is_wanted_only_where_there_is_a_way_to_ask() {
    let stub = Stub::start().await;
    on_each_with(options(&stub), async |app| {
        for (provider, every) in
            [("keyed", "9m"), ("keyed", "91d"), ("keyed", "often"), ("keyed", ""), ("bearer", "24h")]
        {
            let base_url = (provider == "bearer").then(|| stub.origin.clone());
            let config = Config { verify_every: Some(every.to_owned()), base_url, ..Config::default() };
            let mut input = new_integration("it", provider, config);
            if provider == "bearer" {
                (input.client_id, input.client_secret) = (None, None);
            }
            let mut conn =
                app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.expect("a transaction");
            let made = setup::integration(
                &mut setup::Change::of(&app.broker, &mut conn),
                &app.acme.workspace,
                input,
            )
            .await;
            let Err(Error::Invalid { field, .. }) = made else { panic!("{provider} {every} is taken") };
            assert_eq!(field, "config.verify_every", "{provider} {every}");
        }
    })
    .await;
}
