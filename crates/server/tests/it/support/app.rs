//! The server under test: a real app and proxy listener on ports of their own, over one database.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use claviger::{app::App, listen, router};
use claviger_catalog::Catalog;
use claviger_engine::{
    access::Lifetimes,
    broker::{Broker, Urls},
    connect::Discovery,
    domain::{
        api_key::Scope,
        audit::Actor,
        connection::Connection,
        event::Event,
        integration::{CallbackKind, Config, Integration, Mode},
        workspace::{Completion, Settings},
    },
    id::{ConnectionId, IntegrationId, WorkspaceId},
    limit::{Limiter, Rate},
    metrics::Metrics,
    outbound::{self, Outbound, Policy, Resolver},
    proxy::{Bounds, Quota, Recorder, Sampling, Waits},
    refresh::{self, Flights},
    secret::Secret,
    setup::{self, Change, NewApiKey, NewIntegration, NewWorkspace},
    store::{Conn, ConnectionFilter, Page, Store},
    time::{Clock, Millis},
    vault::{KeyRing, Vault},
    watch::{self, Look},
};
use http::{Method, Request};
use ipnet::IpNet;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Answer, Browser, Sandbox, encode, sandbox};

/// The redirect URI that every tenant has registered.
pub const CB: &str = "https://app.test/cb";

/// Whom an authorization is for, where it must be for someone.
pub const OWNER: &str = "customer-1";

/// All rows, as far as a story has any.
pub const ALL: Page = Page { offset: 0, limit: 1000 };

/// How a server is set up.
pub struct Options {
    pub outbound: outbound::Config,
    /// Who knows the addresses of names.
    pub resolver: Resolver,
    /// Provider files besides those of the catalog.
    pub providers: Vec<(&'static str, String)>,
    /// The root keys; made up when absent.
    pub keys: Option<String>,
    pub trusted: Vec<IpNet>,
    pub flows: Rate,
    pub calls: Rate,
    pub bounds: Bounds,
    /// Whether answers say what is left of `calls`.
    pub quota: bool,
    /// For how long a provider's word that calls come too often is believed.
    pub waits: Option<Duration>,
    /// The app's public URL, when it is not simply where it listens.
    pub public_url: Option<String>,
    pub dev: bool,
    /// How long sessions last.
    pub sessions: Lifetimes,
    /// Whether those who call at a host that no workspace has are the first tenant's users.
    pub default_workspace: bool,
    /// How refreshes are done.
    pub refresh: refresh::Settings,
}

impl Default for Options {
    fn default() -> Self {
        let policy = Policy { allow: vec!["127.0.0.0/8".parse().expect("a net")] };
        Self {
            outbound: outbound::Config { policy, ..outbound::Config::default() },
            resolver: Resolver::System,
            providers: Vec::new(),
            keys: None,
            trusted: Vec::new(),
            flows: Rate::Off,
            calls: Rate::Off,
            bounds: Bounds::default(),
            quota: false,
            waits: Some(Duration::from_secs(3600)),
            public_url: None,
            dev: false,
            sessions: Lifetimes { idle: Duration::from_secs(3600), life: Duration::from_secs(24 * 3600) },
            default_workspace: true,
            refresh: refresh::Settings::default(),
        }
    }
}

/// A workspace with a redirect URI, an integration `sandbox` at the sandbox provider, and an API key.
pub struct Tenant {
    pub workspace: WorkspaceId,
    pub client_id: String,
    pub integration: IntegrationId,
    pub key: String,
}

/// A running server. It ends when dropped.
pub struct TestApp {
    pub broker: Arc<Broker>,
    /// Where the app listens.
    pub origin: String,
    /// Where the proxy listens.
    pub proxy: String,
    pub sandbox: Sandbox,
    /// The first tenant.
    pub acme: Tenant,
    tasks: Vec<JoinHandle<()>>,
    /// Whether authorizations name an owner unless a story says otherwise: completion `server` wants one.
    owned: AtomicBool,
}

impl TestApp {
    /// Starts one over an empty, migrated database.
    pub async fn start(store: Store, options: Options) -> Self {
        let app = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", app.local_addr().expect("an address"));
        let proxy_origin = format!("http://{}", proxy.local_addr().expect("an address"));
        let public = options.public_url.clone().unwrap_or_else(|| origin.clone());
        let sandbox = Sandbox::start(&public).await;
        let (trusted, sole) = (options.trusted.clone(), options.default_workspace);
        let urls = Urls { app: public, proxy: proxy_origin.clone() };
        let broker = broker(store, options, urls, Millis(1_790_000_000_000));
        // As the job does each second: from now on what was read is remembered.
        watch::once(&broker, &mut Look::new()).await.expect("a look at what changed");
        let acme = tenant(&broker, &sandbox, "Acme", Settings::default()).await;
        let mut served = App::new(broker.clone(), &trusted, None).expect("an app");
        served.default_workspace = sole.then(|| acme.client_id.as_str().into());
        let limit = Duration::from_secs(5);
        let doors = router::app(served.clone());
        let calls = router::proxy(served);
        let tasks = vec![
            tokio::spawn(async move {
                let _ended = listen::serve(app, None, doors, std::future::pending(), limit).await;
            }),
            tokio::spawn(async move {
                let _ended = listen::serve(proxy, None, calls, std::future::pending(), limit).await;
            }),
        ];
        Self { broker, origin, proxy: proxy_origin, sandbox, acme, tasks, owned: AtomicBool::new(false) }
    }

    /// Ends it, so that its database can be closed.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            let _aborted = task.await;
        }
    }

    /// Moves the clock on second by second, each in a moment: whoever begins to wait only now is reached as well.
    pub async fn drift(&self, seconds: u32) {
        for _ in 0..seconds {
            self.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Does something while the clock moves on, ten times as fast as real time or faster: what pauses goes on.
    pub async fn passing<T>(&self, work: impl Future<Output = T>) -> T {
        let moving = async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.pass(Duration::from_millis(500));
            }
        };
        tokio::select! {
            done = work => done,
            () = moving => unreachable!("it never ends"),
        }
    }

    /// One more tenant.
    pub async fn tenant(&self, name: &str) -> Tenant {
        tenant(&self.broker, &self.sandbox, name, Settings::default()).await
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Duration) {
        self.broker.clock.advance(time);
    }

    /// Makes a change as the command line would.
    pub async fn change<T>(
        &self,
        work: impl AsyncFnOnce(&mut Change<'_>) -> claviger_engine::error::Result<T>,
    ) -> T {
        change(&self.broker, work).await
    }

    /// Reads from the database.
    pub async fn read(&self) -> Conn {
        self.broker.store.read().await.expect("a connection")
    }

    /// Changes a tenant's settings.
    pub async fn settings(&self, tenant: &Tenant, edit: impl FnOnce(&mut Settings)) {
        let mut workspace =
            self.read().await.workspace(&tenant.workspace).await.expect("read").expect("a workspace");
        edit(&mut workspace.settings);
        self.change(async |to| {
            to.conn.update_workspace(&tenant.workspace, &workspace.name, &workspace.settings).await
        })
        .await;
    }

    /// Changes how a tenant's authorizations complete.
    pub async fn complete(&self, tenant: &Tenant, completion: Completion) {
        self.owned.store(completion == Completion::Server, Ordering::Relaxed);
        self.settings(tenant, |settings| settings.completion = completion).await;
    }

    /// Registers one more redirect URI.
    pub async fn register(&self, tenant: &Tenant, uri: &str) {
        assert!(self.change(async |to| setup::redirect_uri(to, &tenant.workspace, uri).await).await);
    }

    /// One more integration of a tenant, with hand-entered endpoints at `origin`.
    pub async fn integrate(&self, tenant: &Tenant, key: &str, origin: &str) -> IntegrationId {
        self.integrate_as(tenant, new_integration(key, "oauth2", at(origin))).await
    }

    /// One more integration of a tenant.
    pub async fn integrate_as(&self, tenant: &Tenant, input: NewIntegration) -> IntegrationId {
        self.change(async move |to| Ok(setup::integration(to, &tenant.workspace, input).await?.id)).await
    }

    pub async fn integration(&self, tenant: &Tenant, id: &IntegrationId) -> Integration {
        self.read().await.integration(&tenant.workspace, id).await.expect("read").expect("an integration")
    }

    /// Points an integration elsewhere, as an operator would.
    pub async fn reconfigure(&self, tenant: &Tenant, id: &IntegrationId, edit: impl FnOnce(&mut Config)) {
        let was = self.integration(tenant, id).await;
        let mut config = was.config.clone();
        edit(&mut config);
        let input = NewIntegration {
            name: Some(was.name.clone()),
            mode: was.mode,
            client_id: was.client_id.clone(),
            client_secret: Some(Secret::new(sandbox::SECRET)),
            scopes: was.scopes.clone(),
            ..new_integration(&was.key, &was.provider, config)
        };
        self.change(async |to| setup::update_integration(to, &was, input).await).await;
    }

    /// `/authorize` for a tenant's sandbox integration; `extra` replaces or adds parameters, an empty value removes.
    pub fn authorize_url(&self, tenant: &Tenant, extra: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("client_id", tenant.client_id.as_str()),
            ("integration_id", tenant.integration.as_str()),
            ("redirect_uri", CB),
        ];
        if self.owned.load(Ordering::Relaxed) {
            pairs.push(("external_id", OWNER));
        }
        for (name, value) in extra {
            pairs.retain(|(known, _)| known != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        format!("{}/authorize?{}", self.origin, encode(&pairs))
    }

    /// `POST /connection` with this API key and body.
    pub async fn exchange(&self, key: &str, body: &Value) -> Answer {
        self.exchange_bytes(key, body.to_string().into()).await
    }

    /// The same with any bytes as the body.
    pub async fn exchange_bytes(&self, key: &str, body: Bytes) -> Answer {
        let request = Request::builder().method(Method::POST).uri(format!("{}/connection", self.origin));
        let request = request.header("authorization", format!("Bearer {key}"));
        Browser::new().send(request.header("content-type", "application/json"), body).await
    }

    /// A proxied GET.
    pub async fn call(&self, key: &str, connection: &str, path: &str) -> Answer {
        let request = Request::builder().uri(format!("{}{path}", self.proxy));
        let request =
            request.header("authorization", format!("Bearer {key}")).header("bu-connection-id", connection);
        Browser::new().send(request, Bytes::new()).await
    }

    /// A tenant's connections.
    pub async fn connections(&self, tenant: &Tenant) -> Vec<Connection> {
        let filter = ConnectionFilter::default();
        self.read().await.connections(&tenant.workspace, &filter, &ALL).await.expect("read")
    }

    /// A tenant's connection, which must be there.
    pub async fn connection(&self, tenant: &Tenant, id: &str) -> Connection {
        let id = ConnectionId::parse(id).expect("a connection id");
        self.read().await.connection(&tenant.workspace, &id).await.expect("read").expect("a connection")
    }

    /// A tenant's events, newest first.
    pub async fn events(&self, tenant: &Tenant) -> Vec<Event> {
        self.read().await.events(&tenant.workspace, &ALL).await.expect("read")
    }

    /// Whether anything was connected or told of.
    pub async fn assert_nothing_connected(&self, tenant: &Tenant) {
        assert_eq!(self.connections(tenant).await.len(), 0, "nothing is connected");
        assert_eq!(self.events(tenant).await.len(), 0, "nothing is told");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What a server works with, its clock standing at `now`.
pub fn broker(store: Store, options: Options, urls: Urls, now: Millis) -> Arc<Broker> {
    let keys = match options.keys {
        Some(text) => KeyRing::parse(&text),
        None => KeyRing::generate().and_then(|text| KeyRing::parse(text.expose())),
    };
    let mut catalog = Catalog::builtin().expect("the catalog");
    for (file, text) in &options.providers {
        catalog.add(file, text).expect("a provider file");
    }
    let metrics = Arc::new(Metrics::default());
    Arc::new(Broker {
        logs: Recorder::new(store.clone(), Sampling::ALL, &metrics),
        metrics,
        tasks: Default::default(),
        store,
        vault: Vault::new(keys.expect("keys")),
        outbound: Outbound::with_resolver(options.outbound, options.resolver).expect("a way out"),
        catalog,
        clock: Clock::fixed(now),
        urls,
        dev: options.dev,
        proxy_limit: Limiter::new(options.calls),
        bounds: options.bounds,
        quota: Quota::new(options.calls, options.quota),
        waits: Waits::new(options.waits),
        flow_limit: Limiter::new(options.flows),
        sign_ins: Default::default(),
        sessions: options.sessions,
        keys: Default::default(),
        subjects: Default::default(),
        kept: Default::default(),
        watch: Default::default(),
        flights: Flights::default(),
        refresh: options.refresh,
        refused: Default::default(),
        tries: Default::default(),
        nonces: Default::default(),
        discovery: Discovery::default(),
    })
}

/// An integration to be, with the sandbox's client.
pub fn new_integration(key: &str, provider: &str, config: Config) -> NewIntegration {
    NewIntegration {
        key: key.to_owned(),
        provider: provider.to_owned(),
        name: None,
        description: None,
        tags: Vec::new(),
        mode: Mode::PerUser,
        client_id: Some(sandbox::CLIENT.to_owned()),
        client_secret: Some(Secret::new(sandbox::SECRET)),
        scopes: Vec::new(),
        callback: None::<CallbackKind>,
        config,
    }
}

/// Hand-entered endpoints at an origin.
pub fn at(origin: &str) -> Config {
    Config {
        authorize_url: Some(format!("{origin}/authorize")),
        token_url: Some(format!("{origin}/token")),
        revoke_url: Some(format!("{origin}/revoke")),
        userinfo_url: Some(format!("{origin}/userinfo")),
        base_url: Some(format!("{origin}/api")),
        authorize_params: BTreeMap::new(),
        ..Config::default()
    }
}

async fn change<T>(
    broker: &Arc<Broker>,
    work: impl AsyncFnOnce(&mut Change<'_>) -> claviger_engine::error::Result<T>,
) -> T {
    let mut conn = broker.store.begin(Actor::Cli, broker.clock.now()).await.expect("a transaction");
    let done = work(&mut Change::of(broker, &mut conn)).await.expect("the change is admitted");
    conn.commit().await.expect("a commit");
    done
}

async fn tenant(broker: &Arc<Broker>, sandbox: &Sandbox, name: &str, settings: Settings) -> Tenant {
    let config = at(&sandbox.origin);
    change(broker, async move |to| {
        let new = NewWorkspace { name: name.to_owned(), settings, ..NewWorkspace::default() };
        let (workspace, _) = setup::workspace(to, new).await?;
        setup::redirect_uri(to, &workspace.id, CB).await?;
        let integration =
            setup::integration(to, &workspace.id, new_integration("sandbox", "sandbox", config)).await?;
        let scopes = vec![Scope::Management, Scope::Proxy];
        let key = NewApiKey { name: "server".to_owned(), scopes, integration_id: None, expires_at: None };
        let (_, key) = setup::api_key(to, &workspace.id, key).await?;
        Ok(Tenant {
            workspace: workspace.id,
            client_id: workspace.client_id,
            integration: integration.id,
            key: key.expose().to_owned(),
        })
    })
    .await
}
