//! Each `Conn` method, called on both databases. What the tests share is here; the tests are a file per
//! group of nouns.

use std::collections::BTreeMap;

use super::{Conn, Page, Store, trial::on_each};
use crate::{
    domain::{
        api_key::{ApiKey, Scope},
        audit::Actor,
        connection::{Account, Connection, Onto, Owner, OwnerKind, Status},
        credential::Credential,
        event::{Event, EventKind},
        flow::{Endpoints, Flow, Handoff, Style},
        integration::{AsOf, CallbackKind, Config, Integration, Mode},
        workspace::{Completion, Settings, Workspace},
    },
    error::{Error, Result},
    id::{ApiKeyId, ConnectionId, EventId, FlowId, IntegrationId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

mod again;
mod archive;
mod auth_options;
mod backups;
mod budgets;
mod bystanders;
mod certificates;
mod chosen;
mod client_keys;
mod connect_requests;
mod connections;
mod customers;
mod deliveries;
mod devices;
mod due;
mod erasing;
mod figures;
mod flows;
mod framed;
mod health;
mod integrations;
mod lines;
mod members;
mod opening;
mod operators;
mod people;
mod process;
mod reconnect_links;
mod records;
mod refreshes;
mod retention;
mod sealed;
mod second_schema;
mod seeded;
mod sessions;
mod sharing;
mod teams;
mod transactions;
mod upgrade;
mod webhooks;
mod workspaces;

const T0: Millis = Millis(1_767_323_045_678);
const ALL: Page = Page { offset: 0, limit: 100 };

fn later(seconds: u64) -> Millis {
    T0.plus(std::time::Duration::from_secs(seconds))
}

async fn begin(store: &Store) -> Conn {
    store.begin(Actor::Cli, T0).await.unwrap()
}

async fn read(store: &Store) -> Conn {
    store.read().await.unwrap()
}

fn conflict<T>(result: Result<T>) -> String {
    match result {
        Err(Error::Conflict { message }) => message,
        Err(other) => panic!("expected a conflict, got {other:?}"),
        Ok(_) => panic!("expected a conflict, got an answer"),
    }
}

fn missing<T>(result: Result<T>) -> bool {
    result.is_err_and(|error| matches!(error, Error::NotFound { .. }))
}

fn sealed(text: &str) -> Sealed {
    Sealed::from_row(text.to_owned())
}

fn workspace(name: &str) -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        name: name.to_owned(),
        client_id: format!("client-{name}"),
        jwt_secret: None,
        settings: Settings::default(),
        created_at: T0,
        updated_at: T0,
    }
}

fn integration(ws: &WorkspaceId, key: &str) -> Integration {
    Integration {
        id: IntegrationId::new(),
        workspace_id: ws.clone(),
        key: key.to_owned(),
        provider: "sandbox".to_owned(),
        name: "Sandbox ÄÖ".to_owned(),
        description: None,
        tags: Vec::new(),
        owner: None,
        mode: Mode::PerUser,
        client_id: Some("oauth-client".to_owned()),
        client_secret: Some(sealed("v1.k.a.b")),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        callback: CallbackKind::Own,
        config: Config { issuer: Some("https://id.example".to_owned()), ..Config::default() },
        version: 1,
        disabled_at: None,
        created_at: T0,
        updated_at: T0,
        as_of: AsOf::default(),
    }
}

fn api_key(ws: &WorkspaceId, prefix: &str) -> ApiKey {
    let id = ApiKeyId::new();
    ApiKey {
        workspace_id: ws.clone(),
        name: "server".to_owned(),
        prefix: prefix.to_owned(),
        hash: crate::vault::hash::token(id.as_str()),
        id,
        scopes: vec![Scope::Management, Scope::Proxy],
        integration_id: None,
        expires_at: Some(later(3600)),
        last_used_at: None,
        revoked_at: None,
        created_at: T0,
    }
}

fn inputs() -> BTreeMap<String, String> {
    BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())])
}

fn connection(ws: &WorkspaceId, integration: &IntegrationId, owner: Option<&str>) -> Connection {
    Connection {
        id: ConnectionId::new(),
        workspace_id: ws.clone(),
        integration_id: integration.clone(),
        owner: Owner { kind: OwnerKind::External, key: owner.map(str::to_owned) },
        status: Status::Active,
        status_reason: None,
        scopes_asked: vec!["read".to_owned()],
        scopes_granted: Vec::new(),
        account: Account { id: Some("acct-1".to_owned()), name: Some("Alice".to_owned()), email: None },
        inputs: inputs(),
        name: None,
        auth_option: None,
        frozen_at: None,
        authorized_at: T0,
        refreshed_at: None,
        expires_at: Some(later(600)),
        created_at: T0,
        updated_at: T0,
    }
}

fn credential(connection: &Connection, version: i64) -> Credential {
    Credential {
        connection_id: connection.id.clone(),
        workspace_id: connection.workspace_id.clone(),
        sealed: sealed(&format!("v1.k.wrapped.body{version}")),
        version,
        expires_at: Some(later(600)),
        refresh_expires_at: None,
        obtained_at: T0,
        fence: 0,
        parent_hash: None,
        previous: None,
        previous_until: None,
        worked_at: None,
        lifetime: None,
    }
}

fn endpoints() -> Endpoints {
    Endpoints {
        issuer: Some("https://id.example".to_owned()),
        iss_required: true,
        request_token_url: None,
        authorize_url: "https://id.example/authorize".to_owned(),
        token_url: "https://id.example/token".to_owned(),
        refresh_url: None,
        revoke_url: None,
        introspect_url: Some("https://id.example/introspect".to_owned()),
        userinfo_url: None,
        redirect_uri: "https://broker.example/oauth2/callback".to_owned(),
        scopes: vec!["read".to_owned()],
        device_url: None,
        par_url: Some("https://provider.example/par".to_owned()),
        nonce_hash: None,
    }
}

fn flow(integration: &Integration, expires_at: Millis) -> Flow {
    Flow {
        id: FlowId::new(),
        workspace_id: integration.workspace_id.clone(),
        integration_id: integration.id.clone(),
        integration_version: integration.version,
        browser_hash: "b".repeat(64),
        state_hash: None,
        verifier: None,
        owner: Owner { kind: OwnerKind::External, key: Some("alice".to_owned()) },
        onto: Onto::New,
        name: None,
        auth_option: None,
        request: None,
        custom_state: None,
        completion: Completion::Redirect,
        handoff: Handoff::Redirect {
            uri: "https://app.example/done".to_owned(),
            style: Style::BundleUp,
            integration: "crm".to_owned(),
            state: Some("s\u{0}%\u{1F511}".to_owned()),
        },
        callback: CallbackKind::Own,
        inputs: inputs(),
        endpoints: None,
        expires_at,
        taken_at: None,
        callback_hash: None,
        outcome: None,
        provider_code: None,
        code_hash: None,
        code_expires_at: None,
        code_used_at: None,
        connection_id: None,
        device: None,
        poll_at: None,
        session_hash: None,
        origin: None,
        created_at: T0,
    }
}

fn event(connection: &Connection, kind: EventKind) -> Event {
    Event {
        id: EventId::new(),
        workspace_id: connection.workspace_id.clone(),
        kind,
        connection_id: connection.id.clone(),
        data: serde_json::json!({ "b": 1, "a": [null, "x"] }),
        about: None,
        created_at: T0,
    }
}

/// Two workspaces with an integration each: what belongs to one must never show through the other.
struct Scene {
    ws: WorkspaceId,
    other: WorkspaceId,
    integration: Integration,
    foreign: Integration,
}

async fn scene(store: &Store) -> Scene {
    let (one, two) = (workspace("one"), workspace("two"));
    let (integration, foreign) = (integration(&one.id, "crm"), integration(&two.id, "crm"));
    let mut conn = begin(store).await;
    conn.create_workspace(&one).await.unwrap();
    conn.create_workspace(&two).await.unwrap();
    conn.create_integration(&one.id, &integration).await.unwrap();
    conn.create_integration(&two.id, &foreign).await.unwrap();
    conn.commit().await.unwrap();
    Scene { ws: one.id, other: two.id, integration, foreign }
}

/// What the audit log of a workspace says, oldest first, as `verb target`.
async fn audited(store: &Store, ws: &WorkspaceId) -> Vec<String> {
    let rows = read(store).await.audits(ws, &ALL).await.unwrap();
    rows.iter().rev().map(|row| format!("{} {}", row.verb, row.target)).collect()
}
