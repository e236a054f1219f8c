//! A broker on a fresh database, one connection in it, and the provider that it leads to.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use claviger_catalog::Catalog;
use claviger_protocol::oauth2::Tokens;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::super::*;
use crate::{
    broker::Urls,
    connect::tokens,
    domain::{
        api_key::Scope,
        audit::Actor,
        connection::{Account, Connection, Owner, OwnerKind, Status},
        integration::{AsOf, CallbackKind, Config, Integration, Mode},
        request_log::RequestLog,
        workspace::{Settings, Workspace},
    },
    id::{ApiKeyId, IntegrationId, WorkspaceId},
    limit::{Limiter, Rate},
    outbound::{self, Outbound, Policy, full},
    secret::Secret,
    store::{Page, Store},
    time::{Clock, Millis},
    vault::{KeyRing, Vault},
};

pub(super) const T0: Millis = Millis(1_767_323_045_678);

const PROVIDER: &str = r#"
key = "acme"
name = "Acme"

[oauth2]
client_auth = "body"

[oauth2.endpoints]
source = "integration"
"#;

/// A request as the provider saw it.
#[derive(Clone)]
pub(super) struct Seen {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Answers = dyn Fn(usize, &Seen) -> Response<Body> + Send + Sync;

/// The provider: answers by script, and echoes bodies as they come at `/api/echo`.
pub(super) struct Provider {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Provider {
    async fn start(answers: Arc<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, noted) = (Arc::clone(&answers), Arc::clone(&noted));
                let service =
                    service_fn(move |request| answer(Arc::clone(&answers), Arc::clone(&noted), request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(async move {
                    let _ended = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { addr, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn answer(
    answers: Arc<Answers>,
    noted: Arc<Mutex<Vec<Seen>>>,
    request: http::Request<Incoming>,
) -> std::result::Result<Response<Body>, Infallible> {
    if request.uri().path() == "/api/echo" {
        return Ok(Response::new(Body::new(request.into_body().map_err(Into::into))));
    }
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let seen = Seen { line, headers: head.headers, body };
    let count = {
        let mut all = noted.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen.clone());
        all.len()
    };
    Ok(answers(count, &seen))
}

/// What a test starts from.
pub(super) struct World {
    pub broker: Arc<Broker>,
    pub provider: Provider,
    pub key: ApiKey,
    pub connection: Connection,
    _directory: TempDir,
}

/// A world whose provider gives these answers; the number counts its requests from 1.
pub(super) async fn world(answers: impl Fn(usize, &Seen) -> Response<Body> + Send + Sync + 'static) -> World {
    world_with(Rate::Off, answers).await
}

pub(super) async fn world_with(
    rate: Rate,
    answers: impl Fn(usize, &Seen) -> Response<Body> + Send + Sync + 'static,
) -> World {
    let provider = Provider::start(Arc::new(answers)).await;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}", directory.path().join("c.db").display())).await.unwrap();
    store.migrate().await.unwrap();
    let mut catalog = Catalog::empty();
    catalog.add("acme.toml", PROVIDER).unwrap();
    let policy = Policy { allow: vec!["127.0.0.0/8".parse().unwrap()] };
    let long = Duration::from_secs(20);
    let outbound =
        outbound::Config { policy, header_timeout: long, idle_timeout: long, ..outbound::Config::default() };
    let metrics = Arc::default();
    let broker = Arc::new(Broker {
        vault: Vault::new(KeyRing::parse(KeyRing::generate().unwrap().expose()).unwrap()),
        outbound: Outbound::new(outbound).unwrap(),
        catalog,
        clock: Clock::fixed(T0),
        urls: Urls { app: "https://app.test".into(), proxy: "https://proxy.test".into() },
        dev: false,
        proxy_limit: Limiter::new(rate),
        bounds: Default::default(),
        quota: Default::default(),
        waits: crate::proxy::Waits::new(Some(Duration::from_secs(3600))),
        flow_limit: Limiter::new(Rate::Off),
        sign_ins: Default::default(),
        sessions: crate::access::Lifetimes { idle: long, life: long },
        keys: Default::default(),
        subjects: Default::default(),
        kept: Default::default(),
        watch: Default::default(),
        flights: Default::default(),
        refresh: Default::default(),
        refused: Default::default(),
        tries: Default::default(),
        nonces: Default::default(),
        discovery: Default::default(),
        logs: Recorder::new(store.clone(), Sampling::ALL, &metrics),
        metrics,
        tasks: Default::default(),
        store,
    });
    // As if changes were looked for: what was read is remembered.
    broker.store.board().looked();
    let (key, connection) = plant(&broker, provider.addr).await;
    World { broker, provider, key, connection, _directory: directory }
}

/// Writes the rows that a call needs.
async fn plant(broker: &Broker, provider: SocketAddr) -> (ApiKey, Connection) {
    let workspace = workspace("ours");
    let url = |path: &str| Some(format!("http://{provider}{path}"));
    let integration = Integration {
        id: IntegrationId::new(),
        workspace_id: workspace.id.clone(),
        key: "acme".into(),
        provider: "acme".into(),
        name: "Acme".into(),
        description: None,
        tags: Vec::new(),
        owner: None,
        mode: Mode::PerUser,
        client_id: Some("client".into()),
        client_secret: None,
        scopes: Vec::new(),
        callback: CallbackKind::Own,
        config: Config {
            authorize_url: url("/authorize"),
            token_url: url("/token"),
            base_url: url("/api/"),
            headers: BTreeMap::from([("X-Team".into(), "blue".into())]),
            ..Config::default()
        },
        version: 1,
        disabled_at: None,
        created_at: T0,
        updated_at: T0,
        as_of: AsOf::default(),
    };
    let connection = Connection {
        id: ConnectionId::new(),
        workspace_id: workspace.id.clone(),
        integration_id: integration.id.clone(),
        owner: Owner { kind: OwnerKind::External, key: Some("alice".into()) },
        status: Status::Active,
        status_reason: None,
        scopes_asked: Vec::new(),
        scopes_granted: Vec::new(),
        account: Account::default(),
        inputs: BTreeMap::new(),
        name: None,
        auth_option: None,
        frozen_at: None,
        authorized_at: T0,
        refreshed_at: None,
        expires_at: None,
        created_at: T0,
        updated_at: T0,
    };
    let held = Tokens {
        refresh_token: Some(Secret::new("ref_canary_first")),
        ..Tokens::of(Secret::new("tok_canary_first"), "Bearer")
    };
    let credential = tokens::seal(broker, &workspace.id, &connection.id, &held, T0).unwrap();
    let key = api_key(&workspace.id);
    let mut conn = broker.store.begin(Actor::System, T0).await.unwrap();
    conn.create_workspace(&workspace).await.unwrap();
    conn.create_integration(&workspace.id, &integration).await.unwrap();
    conn.create_connection(&workspace.id, &connection).await.unwrap();
    conn.create_credential(&workspace.id, &credential).await.unwrap();
    conn.create_api_key(&workspace.id, &key).await.unwrap();
    conn.commit().await.unwrap();
    (key, connection)
}

pub(super) fn workspace(name: &str) -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        name: name.into(),
        client_id: name.into(),
        jwt_secret: None,
        settings: Settings::default(),
        created_at: T0,
        updated_at: T0,
    }
}

pub(super) fn api_key(workspace: &WorkspaceId) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        workspace_id: workspace.clone(),
        name: "test".into(),
        prefix: "ck_12345678".into(),
        hash: "0".repeat(64),
        scopes: vec![Scope::Proxy],
        integration_id: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        created_at: T0,
    }
}

impl World {
    /// The product's server, with its key and connection.
    pub fn caller(&self) -> Caller {
        Caller::Key { key: Arc::new(self.key.clone()), connection: self.connection.id.clone() }
    }

    pub fn call(&self, request: Request<Body>) -> Call {
        Call {
            caller: self.caller(),
            target: Target::Path,
            max_retries: None,
            request,
            request_id: RequestId::new(),
            said: |error| match error {
                Error::TargetNotAllowed { .. } => (400, "target_not_allowed"),
                Error::Provider { .. } => (502, "upstream_unreachable"),
                _ => (500, "other"),
            },
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Result<Response<Body>> {
        let request = Request::builder().method(method).uri(path).body(full(body)).unwrap();
        forward(&self.broker, self.call(request)).await
    }

    /// The request log, oldest first.
    pub async fn log(&self) -> Vec<RequestLog> {
        self.broker.logs.flush().await;
        let mut conn = self.broker.store.read().await.unwrap();
        let page = Page { offset: 0, limit: 100 };
        let mut rows = conn.request_logs(&self.connection.workspace_id, &page).await.unwrap();
        rows.reverse();
        rows
    }
}

pub(super) fn status(status: u16) -> Response<Body> {
    Response::builder().status(status).body(full("answer")).unwrap()
}

/// The whole body as text.
pub(super) async fn text(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
