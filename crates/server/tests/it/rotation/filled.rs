//! Every column that holds sealed texts, filled.

use super::*;

/// What is under way when the keys change: a browser at the provider, and a code that is still to be exchanged.
pub(super) struct UnderWay {
    pub browser: Browser,
    pub leg: Leg,
    pub code: String,
}

/// Fills every column that holds sealed texts.
pub(super) async fn fill(app: &TestApp) -> (String, UnderWay) {
    let ws = &app.acme.workspace;
    app.change(async |to| {
        let new = NewWebhook {
            name: "hook".into(),
            url: "https://hooks.test/x".into(),
            events: vec![EventKind::ConnectionCreated],
            format: Default::default(),
            secret: None,
        };
        let (hook, _) = setup::webhook(to, ws, new).await?;
        setup::roll_webhook_secret(to, &hook, HOUR).await
    })
    .await;
    ways(app).await;
    rarer(app).await;
    let id = connected(app).await;
    before(app, &id).await;
    app.complete(&app.acme, Completion::Server).await;
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
    let code = value(&pairs, "code").to_owned();
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[]).await;
    for held in held(&mut app.read().await).await.unwrap() {
        assert!(held.by_root.values().sum::<i64>() > 0, "{} is filled", held.column);
    }
    (id, UnderWay { browser, leg, code })
}

/// A refresh leaves the credential before it, until the new one has worked.
async fn before(app: &TestApp, id: &str) {
    let (ws, id) = (&app.acme.workspace, ConnectionId::parse(id).unwrap());
    let mut credential = app.read().await.credential(ws, &id).await.unwrap().unwrap();
    let aad = Field::PreviousTokens.of(ws, id.as_str());
    credential.previous = Some(app.broker.vault.seal(&aad, &Secret::new("{}")).unwrap());
    // It is known to work, so that no call erases the one before.
    credential.worked_at = Some(app.broker.clock.now());
    credential.version += 1;
    let seen = credential.version - 1;
    assert!(app.change(async |to| to.conn.replace_credential(ws, &credential, seen).await).await);
}

/// What customers have: an option with a client of its own, an app that is lent, and what a product left with us.
async fn ways(app: &TestApp) {
    let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
    let lent = NewOauthApp {
        key: "lent".into(),
        provider: "github".into(),
        client_id: "app".into(),
        client_secret: Some(Secret::new("the app's")),
    };
    let option = NewAuthOption {
        key: "more".into(),
        title: None,
        description: None,
        provider: None,
        client_id: Some("more".into()),
        client_secret: Some(Secret::new("the option's")),
        scopes: Vec::new(),
        callback: None,
        config: at("https://more.test"),
        nth: 0,
    };
    let of = app.integration(&app.acme, &app.acme.integration).await;
    let id = CustomerId::new();
    let left =
        app.broker.vault.seal(&Field::CustomerCredentials.of(ws, id.as_str()), &Secret::new("{}")).unwrap();
    let customer = Customer {
        id,
        workspace_id: ws.clone(),
        key: "customer".into(),
        name: None,
        fields: Default::default(),
        credentials: Some(left),
        seen_at: now,
        created_at: now,
        updated_at: now,
    };
    app.change(async |to| {
        setup::oauth_app(to, ws, lent).await?;
        setup::auth_option(to, &of, option).await?;
        to.conn.create_customer(ws, &customer).await
    })
    .await;
}

/// What the rarer ways to authenticate keep: a key of ours, and a code that somebody has yet to enter.
async fn rarer(app: &TestApp) {
    let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
    let sealed =
        |field: Field, id: &str| app.broker.vault.seal(&field.of(ws, id), &Secret::new("{}")).unwrap();
    app.complete(&app.acme, Completion::Confirm).await;
    let began = Browser::new().get(&app.authorize_url(&app.acme, &[])).await;
    app.complete(&app.acme, Completion::Redirect).await;
    let flow = FlowId::parse(began.location().strip_prefix("/connect/").expect("a page")).expect("a flow");
    let id = ClientKeyId::new();
    let key = ClientKey {
        secret: sealed(Field::ClientKey, id.as_str()),
        id,
        workspace_id: ws.clone(),
        integration_id: app.acme.integration.clone(),
        option_id: None,
        purpose: Purpose::Signing,
        alg: Alg::ES256,
        public: "{}".to_owned(),
        signs_from: now,
        created_at: now,
    };
    let device = sealed(Field::Device, flow.as_str());
    let later = now.plus(HOUR);
    let (endpoints, inputs) = (Endpoints::default(), Default::default());
    let given = DeviceGiven {
        was: None,
        device: &device,
        endpoints: &endpoints,
        inputs: &inputs,
        poll_at: later,
        expires_at: later,
    };
    app.change(async |to| {
        to.conn.create_client_key(ws, &key).await?;
        to.conn.give_device(ws, &flow, &given).await
    })
    .await;
}
