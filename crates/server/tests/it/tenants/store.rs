//! Below the doors: no method of the store that takes a workspace finds or changes what belongs to another.

mod customers;
mod figures;
mod health;
mod options;
mod people;
mod rarer;
mod refreshes;

use std::{collections::BTreeSet, path::Path, time::Duration};

use claviger_engine::{
    connect,
    domain::{
        audit::Actor,
        connection::{Connection, Owner, Status},
        credential::Credential,
        event::EventKind,
        flow::{Endpoints, Flow},
        integration::{Integration, Mode},
        user::{Operator, Role, User},
        webhook::{Attempt, Delivery, DisabledReason, Endpoint},
        workspace::Completion,
    },
    error::{Error, Result},
    id::{ApiKeyId, AttemptId, ConnectionId, FlowId, OperatorId, WorkspaceId},
    setup::{self, NewUser},
    store::{After, Claim, Conn, ConnectionFilter, FlowEnd, Minutes, Tried, Viewer, trial},
    time::Millis,
    vault::hash,
};

use self::{
    customers::Customers, health::Dying, options::Ways, people::People, rarer::Rarer, refreshes::Refreshes,
};
use super::every_event;
use crate::support::{Browser, Tenant, TestApp, app::ALL, on_each, value};

/// How many changes are about people.
const PEOPLE: usize = 14;

/// All minutes.
const EVER: Minutes = Minutes { from: Millis(0), until: Millis(i64::MAX) };

/// What names the claim on their delivery.
const LEASE: &str = "theirs";

/// Everything of a tenant that a method can name.
struct Theirs {
    connection: Connection,
    /// A user's own.
    own: Connection,
    credential: Credential,
    integration: Integration,
    endpoint: Endpoint,
    delivery: Delivery,
    key: ApiKeyId,
    /// A flow that waits on our page.
    begun: Flow,
    /// A flow whose one-time code is still to be exchanged.
    ended: Flow,
    user: User,
    people: People,
    customers: Customers,
    ways: Ways,
    rarer: Rarer,
    refreshes: Refreshes,
    dying: Dying,
    operator: OperatorId,
}

/// A tenant with something in every table.
async fn theirs(app: &TestApp, tenant: &Tenant) -> Theirs {
    let ws = &tenant.workspace;
    let (endpoint, _) = app.change(async |to| setup::webhook(to, ws, every_event()).await).await;
    let connected = async || {
        let (_, pairs) = Browser::new().connect(app, tenant, &[("external_id", "u")]).await.redirect();
        app.connection(tenant, value(&pairs, "connection_id")).await
    };
    let gone = connected().await;
    connect::end(&app.broker, ws, &gone.id, Actor::Cli).await.unwrap();
    app.pass(Duration::from_secs(1));
    let connection = connected().await;
    assert_eq!(app.call(&tenant.key, connection.id.as_str(), "/me").await.status, 200);
    app.broker.logs.flush().await;

    app.complete(tenant, Completion::Server).await;
    let (_, pairs) = Browser::new().connect(app, tenant, &[("external_id", "u")]).await.redirect();
    let code = hash::token(value(&pairs, "code"));
    app.complete(tenant, Completion::Confirm).await;
    let began = Browser::new().get(&app.authorize_url(tenant, &[])).await;
    let begun = began.location().strip_prefix("/connect/").expect("a page").to_owned();
    app.complete(tenant, Completion::Redirect).await;

    let new = NewUser {
        username: "their-user".into(),
        display_name: None,
        email: None,
        password: None,
        superuser: false,
        permissions: Vec::new(),
    };
    let user = app.change(async |to| setup::user(to, ws, new).await).await;
    let own = Connection {
        id: ConnectionId::new(),
        integration_id: app.integrate(tenant, "second", "https://second.test").await,
        owner: Owner::member(Mode::PerUser, &user.username),
        ..connection.clone()
    };
    app.change(async |to| to.conn.create_connection(ws, &own).await).await;
    let operator = Operator {
        id: OperatorId::new(),
        username: "their-operator".into(),
        password_hash: None,
        roles: vec![(ws.clone(), Role::Owner)],
        disabled_at: None,
        created_at: app.broker.clock.now(),
    };
    app.change(async |to| to.conn.create_operator(&operator).await).await;

    let event = app.events(tenant).await.into_iter().find(|event| event.connection_id == connection.id);
    let event = event.expect("an event").id;
    app.change(async |to| {
        let until = app.broker.clock.now().plus(Duration::from_secs(60));
        let claim = Claim { endpoint: &endpoint.id, limit: 8, lease: LEASE, until };
        to.conn.any_claim_deliveries(&claim).await
    })
    .await;
    let mut conn = app.read().await;
    let delivery = conn.deliveries(ws, &event).await.unwrap().remove(0);
    app.change(async |to| to.conn.add_attempt(ws, &attempt(&delivery)).await).await;
    let known: BTreeSet<_> = trial::contents(&app.broker.store).await.into_iter().collect();
    let flow = async |conn: &mut Conn, id: &str| {
        let id = FlowId::parse(id).expect("a flow id");
        conn.any_flow(&id).await.unwrap().expect("a flow")
    };
    let mut ended = None;
    for (_, id) in known.iter().filter(|(place, _)| place == "flow.id") {
        let found = flow(&mut conn, id).await;
        ended = ended.or(Some(found).filter(|flow| flow.code_hash.as_ref() == Some(&code)));
    }
    let credential = conn.credential(ws, &connection.id).await.unwrap().expect("a credential");
    Theirs {
        refreshes: refreshes::settle(app, tenant, &connection, &credential).await,
        dying: health::settle(app, tenant, &connection, &credential).await,
        credential,
        integration: app.integration(tenant, &tenant.integration).await,
        key: conn.api_keys(ws).await.unwrap().remove(0).id,
        begun: flow(&mut conn, &begun).await,
        ended: ended.expect("the flow of the code"),
        customers: customers::settle(app, tenant, &own).await,
        connection,
        own,
        endpoint,
        delivery,
        people: people::settle(app, tenant, &user).await,
        ways: options::settle(app, tenant).await,
        rarer: rarer::settle(app, tenant, gone.id).await,
        user,
        operator: operator.id,
    }
}

fn attempt(of: &Delivery) -> Attempt {
    Attempt {
        id: AttemptId::new(),
        delivery_id: of.id.clone(),
        number: 0,
        status: Some(204),
        error: None,
        answer: Some("their receiver's answer".to_owned()),
        duration_ms: 1,
        at: of.created_at,
    }
}

/// Every query: whether it finds something of theirs.
async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let Theirs { connection, own, integration, endpoint, delivery, user, .. } = of;
    let (id, lease) = (&delivery.id, LEASE);
    let filter =
        ConnectionFilter { integration_id: Some(integration.id.clone()), ..ConnectionFilter::default() };
    let now = delivery.created_at;
    let kind = EventKind::ConnectionCreated;
    let viewer = Viewer { username: &user.username, sees_as: None };
    let mut found = vec![
        ("api_keys", conn.api_keys(ws).await?.iter().any(|key| key.id == of.key)),
        ("attempts", !conn.attempts(ws, id).await?.is_empty()),
        ("attempts_made", conn.attempts_made(ws, id, lease).await?.is_some()),
        ("audits", conn.audits(ws, &ALL).await?.iter().any(|row| row.target == endpoint.id.as_str())),
        ("connection", conn.connection(ws, &connection.id).await?.is_some()),
        ("connection_of", conn.connection_of(ws, &own.integration_id, &own.owner).await?.is_some()),
        ("connections_for", !conn.connections_for(ws, &viewer, &ALL).await?.is_empty()),
        ("count_connections_for", conn.count_connections_for(ws, &viewer).await? > 0),
        ("connections", !conn.connections(ws, &filter, &ALL).await?.is_empty()),
        ("count_endpoints", conn.count_endpoints(ws).await? > 0),
        ("credential", conn.credential(ws, &connection.id).await?.is_some()),
        ("deliveries", !conn.deliveries(ws, &delivery.event_id).await?.is_empty()),
        ("deliveries_of", !conn.deliveries_of(ws, &endpoint.id, None, &ALL).await?.is_empty()),
        ("delivery", conn.delivery(ws, &endpoint.id, id).await?.is_some()),
        ("endpoint", conn.endpoint(ws, &endpoint.id).await?.is_some()),
        ("endpoints", !conn.endpoints(ws, &ALL).await?.is_empty()),
        ("endpoints_for", !conn.endpoints_for(ws, kind).await?.is_empty()),
        ("errand", conn.errand(ws, id, lease).await?.is_some()),
        ("events", conn.events(ws, &ALL).await?.iter().any(|event| event.id == delivery.event_id)),
        ("has_redirect_uri", conn.has_redirect_uri(ws, "https://theirs.test/").await?),
        ("hold_credential", conn.hold_credential(ws, &connection.id, of.credential.version).await?),
        ("hold_endpoint", conn.hold_endpoint(ws, &endpoint.id).await?.is_some()),
        ("hold_integration", conn.hold_integration(ws, &integration.id, integration.version).await?),
        ("integration", conn.integration(ws, &integration.id).await?.is_some()),
        (
            "integration_by_selector",
            conn.integration_by_selector(ws, integration.id.as_str()).await?.is_some(),
        ),
        ("integrations", conn.integrations(ws, &ALL).await?.iter().any(|one| one.id == integration.id)),
        ("pending_flows", conn.pending_flows(ws, now, connect::FLOW_LIFE).await? > 0),
        ("redirect_uris", conn.redirect_uris(ws).await?.contains(&"https://theirs.test/".to_owned())),
        ("call_rollups", !conn.call_rollups(ws, EVER, &ALL).await?.is_empty()),
        ("request_logs", !conn.request_logs(ws, &ALL).await?.is_empty()),
        ("revocations", !conn.revocations(ws, &ALL).await?.is_empty()),
        ("user", conn.user(ws, &user.id).await?.is_some()),
        ("user_by_name", conn.user_by_name(ws, &user.username).await?.is_some()),
        ("users", !conn.users(ws, &ALL).await?.is_empty()),
    ];
    found.extend(people::look(conn, ws, of).await?);
    found.extend(customers::look(conn, ws, of).await?);
    found.extend(options::look(conn, ws, of).await?);
    found.extend(rarer::look(conn, ws, of).await?);
    found.extend(refreshes::look(conn, ws, of).await?);
    found.extend(health::look(conn, ws, of).await?);
    found.extend(figures::look(conn, ws, of).await?);
    Ok(found)
}

/// The changes, by number; what removes something comes last, and a user only once its people's are tried. `None`
/// after the last.
async fn change(
    n: usize,
    conn: &mut Conn,
    ws: &WorkspaceId,
    of: &Theirs,
) -> Option<(&'static str, Result<()>)> {
    let Theirs {
        connection, own, credential, integration, endpoint, delivery, key, begun, ended, user, ..
    } = of;
    if n < PEOPLE {
        return people::change(n, conn, ws, of).await;
    }
    if n < PEOPLE + customers::CHANGES {
        return Some(customers::change(n - PEOPLE, conn, ws, of).await);
    }
    let n = n - PEOPLE - customers::CHANGES;
    if n < options::CHANGES {
        return Some(options::change(n, conn, ws, of).await);
    }
    let n = n - options::CHANGES;
    if n < rarer::CHANGES {
        return Some(rarer::change(n, conn, ws, of).await);
    }
    let n = n - rarer::CHANGES;
    if n < refreshes::CHANGES {
        return Some(refreshes::change(n, conn, ws, of).await);
    }
    let n = n - refreshes::CHANGES;
    if n < health::CHANGES {
        return Some(health::change(n, conn, ws, of).await);
    }
    let later = delivery.created_at.plus(Duration::from_secs(7));
    let sealed = &credential.sealed;
    let end = FlowEnd {
        outcome: sealed,
        provider_code: ended.provider_code.as_ref(),
        code_hash: ended.code_hash.as_deref(),
        code_expires_at: ended.code_expires_at,
        connection_id: None,
    };
    let code = ended.code_hash.as_deref().unwrap_or_default();
    Some(match n - health::CHANGES {
        0 => ("set_api_key_scopes", conn.set_api_key_scopes(ws, key, &[]).await.map(drop)),
        // Kept by the minute.
        1 => {
            let at = later.plus(Duration::from_secs(3600));
            ("touch_api_key", conn.touch_api_key(ws, key, at).await)
        }
        2 => {
            let status = Status::NeedsReauth;
            let done = conn.set_connection_status(ws, &connection.id, status, Some("no"), later).await;
            ("set_connection_status", done)
        }
        3 => {
            let is = Connection { refreshed_at: Some(later), ..connection.clone() };
            ("note_refreshed", conn.note_refreshed(ws, &is).await)
        }
        4 => ("freeze_connection", conn.freeze_connection(ws, &connection.id, Some(later)).await.map(drop)),
        5 => {
            let newer = Credential { version: credential.version + 1, ..credential.clone() };
            let done = conn.replace_credential(ws, &newer, credential.version).await;
            ("replace_credential", done.map(drop))
        }
        6 => {
            let (at, inputs) = (Endpoints::default(), Default::default());
            let done = conn.start_flow(ws, &begun.id, "a state", None, &at, &inputs).await;
            ("start_flow", done.map(drop))
        }
        7 => ("finish_flow", conn.finish_flow(ws, &ended.id, &end).await),
        8 => ("take_code", conn.take_code(ws, code, later).await.map(drop)),
        9 => ("forget_provider_code", conn.forget_provider_code(ws, &ended.id).await),
        10 => ("set_flow_connection", conn.set_flow_connection(ws, &ended.id, &connection.id).await),
        11 => {
            let other = Integration { name: "other".to_owned(), ..integration.clone() };
            ("update_integration", conn.update_integration(ws, &other).await.map(drop))
        }
        12 => ("set_user_password", conn.set_user_password(ws, &user.id, "$argon2id$").await),
        13 => {
            let other = User { email: Some("a@b.test".to_owned()), ..user.clone() };
            ("update_user", conn.update_user(ws, &other).await)
        }
        14 => ("disable_user", conn.disable_user(ws, &user.id, Some(later)).await),
        15 => ("add_attempt", conn.add_attempt(ws, &attempt(delivery)).await.map(drop)),
        16 => {
            let after = After::Again(later);
            ("settle_delivery", conn.settle_delivery(ws, &delivery.id, LEASE, after).await.map(drop))
        }
        17 => ("requeue_delivery", conn.requeue_delivery(ws, &endpoint.id, &delivery.id).await.map(drop)),
        18 => ("requeue_last", conn.requeue_last(ws, &delivery.id).await.map(drop)),
        // Before what makes it active again.
        19 => ("retire_endpoint", conn.retire_endpoint(ws, &endpoint.id).await.map(drop)),
        20 => {
            let other = Endpoint { name: "other".to_owned(), ..endpoint.clone() };
            ("update_endpoint", conn.update_endpoint(ws, &other).await)
        }
        21 => {
            let tried = Tried { url: &endpoint.url, at: later, arrived: false };
            ("note_attempt", conn.note_attempt(ws, &endpoint.id, &tried).await.map(drop))
        }
        22 => {
            let done = conn.disable_endpoint(ws, &endpoint.id, &endpoint.url, DisabledReason::Gone).await;
            ("disable_endpoint", done.map(drop))
        }
        23 => ("set_operator_role", conn.set_operator_role(ws, &of.operator, None).await),
        24 => ("remove_redirect_uri", conn.remove_redirect_uri(ws, "https://theirs.test/").await.map(drop)),
        25 => ("revoke_api_key", conn.revoke_api_key(ws, key, later).await.map(drop)),
        26 => ("drop_deliveries", conn.drop_deliveries(ws, &endpoint.id, 9).await.map(drop)),
        27 => ("delete_endpoint", conn.delete_endpoint(ws, &endpoint.id).await.map(drop)),
        28 => ("delete_connection", conn.delete_connection(ws, &connection.id).await.map(drop)),
        29 => ("delete_integration", conn.delete_integration(ws, &integration.id).await.map(drop)),
        30 => {
            let is = Connection { authorized_at: later, ..own.clone() };
            ("authorize_connection", conn.authorize_connection(ws, &is).await)
        }
        _ => return None,
    })
}

/// All rows but those that say who did what.
async fn contents(app: &TestApp) -> Vec<(String, String)> {
    let mut all = trial::contents(&app.broker.store).await;
    all.retain(|(place, _)| !place.starts_with("audit") && !place.starts_with("change_"));
    all.sort();
    all
}

/// Does one of the changes for a workspace and keeps it if it succeeds.
async fn done(app: &TestApp, n: usize, ws: &WorkspaceId, of: &Theirs) -> Option<(&'static str, Result<()>)> {
    let mut conn = app.broker.store.begin(Actor::Cli, of.delivery.created_at).await.unwrap();
    let changed = change(n, &mut conn, ws, of).await;
    if matches!(changed, Some((_, Ok(())))) {
        conn.commit().await.unwrap();
    }
    changed
}

#[tokio::test]
async fn no_query_crosses_from_one_workspace_into_another() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        app.register(&other, "https://theirs.test/").await;
        let of = theirs(app, &other).await;
        let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.unwrap();
        for (query, found) in look(&mut conn, &other.workspace, &of).await.unwrap() {
            assert!(found, "{query} finds its own");
        }
        for (query, found) in look(&mut conn, &app.acme.workspace, &of).await.unwrap() {
            assert!(!found, "{query} finds another workspace's");
        }
    })
    .await;
}

#[tokio::test]
async fn no_change_crosses_from_one_workspace_into_another() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        app.register(&other, "https://theirs.test/").await;
        let of = theirs(app, &other).await;
        let before = contents(app).await;
        let mut n = 0;
        while let Some((name, outcome)) = done(app, n, &app.acme.workspace, &of).await {
            let quiet = matches!(outcome, Ok(()) | Err(Error::NotFound { .. } | Error::Conflict { .. }));
            assert!(quiet, "{name}: {outcome:?}");
            assert!(contents(app).await == before, "{name} changes another workspace's");
            n += 1;
        }
        let ended = connect::end(&app.broker, &app.acme.workspace, &of.connection.id, Actor::Cli).await;
        assert!(matches!(ended, Err(Error::NotFound { .. })));
        assert_eq!(app.call(&other.key, of.connection.id.as_str(), "/me").await.status, 200);

        // Each of them does change something of its own, so the above says something.
        let mut before = contents(app).await;
        let mut n = 0;
        while let Some((name, outcome)) = done(app, n, &other.workspace, &of).await {
            let after = contents(app).await;
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
            assert!(after != before, "{name} changes its own");
            (before, n) = (after, n + 1);
        }
    })
    .await;
}

/// A method that takes the workspace and names nothing in it, or makes something new.
fn names_nothing(method: &str) -> bool {
    method.starts_with("create_")
        || [
            "add_redirect_uri",
            "claim_connect_request",
            "delete_workspace",
            "hold_workspace",
            "meet_customer",
            "set_logo",
            "set_jwt_secret",
            "update_workspace",
            "workspace",
        ]
        .contains(&method)
}

#[test]
fn every_method_of_the_store_that_takes_a_workspace_is_tried_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/src/store");
    let mut methods = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for signature in text.split("pub async fn ").skip(1) {
            let head = signature.split('{').next().unwrap_or_default();
            if head.contains("ws: &WorkspaceId") {
                methods.insert(head.split('(').next().unwrap_or_default().to_owned());
            }
        }
    }
    assert!(methods.len() > 50, "{methods:?}");
    let ours = concat!(
        include_str!("store.rs"),
        include_str!("store/customers.rs"),
        include_str!("store/figures.rs"),
        include_str!("store/health.rs"),
        include_str!("store/options.rs"),
        include_str!("store/people.rs"),
        include_str!("store/rarer.rs"),
        include_str!("store/refreshes.rs")
    );
    let untried: Vec<_> = methods
        .iter()
        .filter(|method| !names_nothing(method) && !ours.contains(&format!("conn.{method}(ws")))
        .collect();
    assert!(untried.is_empty(), "not tried against another workspace: {untried:?}");
}
