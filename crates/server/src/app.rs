//! The app: a broker from settings, its listeners, and its orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use claviger_catalog::Catalog;
use claviger_engine::{
    broker::{Broker, Urls},
    connect::Discovery,
    id::WorkspaceId,
    limit::{Limiter, Rate},
    outbound::{self, Outbound, Policy},
    proxy::Recorder,
    refresh::Flights,
    store::Store,
    time::Clock,
    vault::{KeyRing, Vault},
};
use ipnet::IpNet;
use tokio::{net::TcpListener, sync::watch};

use crate::{config::Settings, hosted::page::Pages, listen, router};

/// Flows begun from one address: enough for an office behind one, too few for a flood.
const FLOWS: Rate = Rate::Per { count: 60, window: Duration::from_secs(60) };

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// The engine.
    pub broker: Arc<Broker>,
    /// The templates.
    pub pages: Pages,
    /// Whether browsers reach us over https.
    pub https: bool,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// What only `claviger dev` has.
    pub dev: Option<Arc<Dev>>,
}

/// What only `claviger dev` has.
pub struct Dev {
    /// The ready workspace.
    pub workspace: WorkspaceId,
    /// A path whose proxied GET answers with the account's data.
    pub sample_path: &'static str,
}

impl Dev {
    /// A command that makes a call through the proxy.
    pub fn curl(&self, proxy: &str, connection: &str, key: &str) -> String {
        format!(
            "curl {proxy}{} \\\n  -H \"Authorization: Bearer {key}\" \\\n  -H \"BU-Connection-Id: {connection}\"",
            self.sample_path
        )
    }
}

impl App {
    /// What the handlers share, around a broker.
    pub fn new(broker: Arc<Broker>, trusted_proxies: &[IpNet], dev: Option<Dev>) -> Result<Self> {
        let https = broker.urls.app.starts_with("https://");
        Ok(Self { pages: Pages::load()?, https, trusted_proxies: trusted_proxies.into(), dev: dev.map(Arc::new), broker })
    }
}

/// Builds the broker: opens and migrates the store, reads the catalog, prepares the way out.
pub async fn broker(settings: &Settings, keys: KeyRing, dev: bool) -> Result<Arc<Broker>> {
    let store = Store::open(settings.database_url.expose()).await.context("the database can't be opened")?;
    store.migrate().await.context("the database can't be migrated")?;
    let clock = Clock::system();
    clock.correct(store.database_time().await?);
    let mut allow = settings.outbound_allow.clone();
    if dev {
        allow.extend([IpNet::new(std::net::Ipv4Addr::new(127, 0, 0, 0).into(), 8)?]);
        allow.extend([IpNet::new(std::net::Ipv6Addr::LOCALHOST.into(), 128)?]);
    }
    let outbound = Outbound::new(outbound::Config {
        policy: Policy { allow },
        extra_ca: settings.outbound_ca.clone(),
        user_agent: concat!("claviger/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..outbound::Config::default()
    })?;
    Ok(Arc::new(Broker {
        logs: Recorder::new(store.clone()),
        store,
        vault: Vault::new(keys),
        outbound,
        catalog: Catalog::builtin().context("a provider file is broken")?,
        clock,
        urls: Urls { app: settings.public_url.clone(), proxy: settings.proxy_public_url.clone() },
        dev,
        proxy_limit: Limiter::new(settings.proxy_rate_limit),
        flow_limit: Limiter::new(FLOWS),
        flights: Flights::default(),
        discovery: Discovery::default(),
    }))
}

/// The two listeners, bound.
pub struct Bound {
    app: TcpListener,
    proxy: TcpListener,
}

impl Bound {
    /// Takes both ports, so that a taken one is an error before anything has begun.
    pub async fn take(settings: &Settings) -> Result<Self> {
        Ok(Self {
            app: listen::bind("listen", settings.listen).await?,
            proxy: listen::bind("proxy_listen", settings.proxy_listen).await?,
        })
    }

    /// Where the app listens, also when the port was 0.
    pub fn app(&self) -> Result<SocketAddr> {
        Ok(self.app.local_addr()?)
    }

    /// Where the proxy listens.
    pub fn proxy(&self) -> Result<SocketAddr> {
        Ok(self.proxy.local_addr()?)
    }
}

/// Serves until `stop` says so, finishes open requests within the limit, and writes what was recorded.
pub async fn serve(app: App, bound: Bound, settings: &Settings, stop: watch::Receiver<bool>) -> Result<()> {
    let tls = settings.tls.as_ref().map(|tls| listen::tls(&tls.cert, &tls.key)).transpose()?;
    let limit = settings.shutdown_timeout;
    tracing::info!(app = %bound.app()?, proxy = %bound.proxy()?, public_url = %app.broker.urls.app, "listening");
    let purge = tokio::spawn(purge(app.broker.clone()));
    let broker = app.broker.clone();
    let doors = listen::serve(bound.app, tls.clone(), router::app(app.clone()), stopped(stop.clone()), limit);
    let proxy = listen::serve(bound.proxy, tls, router::proxy(app), stopped(stop), limit);
    let (doors, proxy) = tokio::join!(doors, proxy);
    purge.abort();
    broker.logs.flush().await;
    broker.store.close().await;
    let cut = doors.cut + proxy.cut;
    if cut > 0 {
        tracing::warn!(cut, "connections were still busy at the limit and were cut");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Ready once `stop` says so, or its sender is gone.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}

/// Turns ctrl-c and SIGTERM into a stop.
pub fn on_signal() -> Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = term.recv() => {}
        }
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    Ok(stopped)
}

/// Forgets flows a day after their end, once an hour; and keeps the clock with the database's.
async fn purge(broker: Arc<Broker>) {
    const EVERY: Duration = Duration::from_secs(3600);
    const KEEP: Duration = Duration::from_secs(86_400);
    loop {
        if let Err(error) = tidy(&broker, KEEP).await {
            tracing::warn!(error = ?error, "old flows were not forgotten");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn tidy(broker: &Broker, keep: Duration) -> claviger_engine::error::Result<()> {
    broker.clock.correct(broker.store.database_time().await?);
    let now = broker.clock.now();
    let mut conn = broker.store.begin(claviger_engine::domain::audit::Actor::System, now).await?;
    conn.any_purge_flows(now.minus(keep)).await?;
    conn.commit().await
}
