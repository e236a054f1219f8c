//! The app: what the handlers share around a broker, its listeners, and its orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use claviger_engine::{
    broker::Broker, connect::Listeners, id::WorkspaceId, jobs::Jobs, process, secret::Secret,
};
use ipnet::IpNet;
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
};

use crate::{config::Settings, cores::Cores, held::Held, hosted::page::Pages, listen, router};

/// How long work between a provider's answer and its being written may take at the end: longer than any one
/// request to a provider.
const SETTLE: Duration = Duration::from_secs(60);

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
    /// The client id of the workspace whose users sign in at a host that no workspace has.
    pub default_workspace: Option<Arc<str>>,
    /// What only `claviger dev` has.
    pub dev: Option<Arc<Dev>>,
    /// Who waits for connect requests to end.
    pub listeners: Arc<Listeners>,
    /// One readiness check at a time: it takes a turn at the database's writer.
    pub checking: Arc<Mutex<()>>,
    /// Where what this process holds is counted.
    pub held: Held,
}

/// What only `claviger dev` has.
pub struct Dev {
    /// The ready workspace.
    pub workspace: WorkspaceId,
    /// A path whose proxied GET answers with the account's data.
    pub sample_path: &'static str,
    /// The ready key, when the terminal is to show each new connection's call with it.
    pub api_key: Option<Secret>,
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
    /// What the handlers share, around a broker; without a default workspace.
    pub fn new(broker: Arc<Broker>, trusted_proxies: &[IpNet], dev: Option<Dev>) -> Result<Self> {
        let https = broker.urls.app.starts_with("https://");
        Ok(Self {
            pages: Pages::load()?,
            https,
            trusted_proxies: trusted_proxies.into(),
            default_workspace: None,
            dev: dev.map(Arc::new),
            listeners: Arc::default(),
            checking: Arc::default(),
            held: Held::default(),
            broker,
        })
    }
}

/// The listeners, bound.
pub struct Bound {
    app: TcpListener,
    proxy: TcpListener,
    metrics: Option<TcpListener>,
}

impl Bound {
    /// Takes all ports, so that a taken one is an error before anything has begun.
    pub async fn take(settings: &Settings) -> Result<Self> {
        let metrics = match settings.metrics_listen {
            Some(addr) => Some(listen::bind("metrics_listen", addr).await?),
            None => None,
        };
        Ok(Self {
            app: listen::bind("listen", settings.listen).await?,
            proxy: listen::bind("proxy_listen", settings.proxy_listen).await?,
            metrics,
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
pub async fn serve(
    mut app: App,
    bound: Bound,
    settings: &Settings,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    app.default_workspace = settings.default_workspace.as_deref().map(Into::into);
    let tls = settings.tls.as_ref().map(|tls| listen::tls(&tls.cert, &tls.key)).transpose()?;
    let limits = listen::Limits::of(settings);
    // To the very end: connections to the database that calls opened live on these threads.
    let cores = Cores::start(settings.proxy_threads).context("proxy_threads")?;
    app.held = Held::of(limits.clone(), &cores);
    // Before anything is served, so that no rotation of root keys overlooks this process.
    let presence = process::announce(&app.broker).await?;
    tracing::info!(app = %bound.app()?, proxy = %bound.proxy()?, public_url = %app.broker.urls.app, "listening");
    let jobs = Jobs::start(&app.broker, settings.keep);
    let broker = app.broker.clone();
    let metrics = async {
        if let Some(listener) = bound.metrics {
            listen::serve(
                listener,
                None,
                router::metrics(app.clone()),
                stopped(stop.clone()),
                limits.clone(),
            )
            .await;
        }
    };
    let doors = listen::serve(
        bound.app,
        tls.clone(),
        router::app(app.clone()),
        stopped(stop.clone()),
        limits.clone(),
    );
    let (calls, stop_calls) = (router::proxy(app.clone()), stopped(stop.clone()));
    let proxy = listen::serve_on(Some(&cores), bound.proxy, tls, calls, stop_calls, limits.clone());
    // Whoever waits for an end that may never come would be waited for.
    let leave = async {
        stopped(stop.clone()).await;
        app.listeners.close();
        broker.watch.leave(settings.shutdown_timeout).await;
    };
    let (doors, proxy, (), ()) = tokio::join!(doors, proxy, metrics, leave);
    jobs.stop().await;
    broker.settle(SETTLE).await;
    broker.logs.flush().await;
    presence.leave().await;
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
