//! From settings to what commands work with: the store, the keys, the broker, the workspace.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use claviger_catalog::Catalog;
use claviger_engine::{
    broker::{Broker, Urls},
    connect::Discovery,
    domain::workspace::Workspace,
    error::Error,
    limit::{Limiter, Rate, at_once::AtOnce},
    metrics::Metrics,
    outbound::{self, Outbound, Policy},
    proxy::{Bounds, Quota, Recorder, Refused, Sampling, Waits},
    refresh::{self, Flights},
    setup,
    store::{Conn, Store},
    time::Clock,
    vault::{KeyRing, Vault},
};

use crate::config::{SettingError, Settings};

/// Flows begun from one address: enough for an office behind one, too few for a flood.
const FLOWS: Rate = Rate::Per { count: 60, window: Duration::from_secs(60) };

/// Which part of these limits may pass in one process before the others know of it.
const CALLS_AHEAD: NonZeroU32 = NonZeroU32::new(16).unwrap();
const FLOWS_AHEAD: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// What to do without a root key.
const NO_KEY: &str = "there is no master key, and secrets are never stored unsealed. Make one:

    (umask 077; claviger key generate > claviger.key)
    export CLAVIGER_MASTER_KEY_FILE=claviger.key

Keep a copy where the database's backups are not: without the key every stored credential is lost.";

/// Opens the database, and leaves its schema as it is.
pub async fn store(settings: &Settings) -> anyhow::Result<Store> {
    Store::open_with(settings.database_url.expose(), settings.database_connections)
        .await
        .with_context(|| format!("database_url: {} can't be opened", settings.database_shown()))
}

/// Opens the database and brings its schema up to date.
pub async fn current_store(settings: &Settings) -> anyhow::Result<Store> {
    let store = store(settings).await?;
    let done =
        store.migrate().await.with_context(|| format!("the schema of {}", settings.database_shown()))?;
    if done.from != done.to {
        tracing::info!(from = done.from, to = done.to, "the schema was brought up to date");
    }
    Ok(store)
}

/// Reads the root keys.
pub fn keys(settings: &Settings) -> anyhow::Result<KeyRing> {
    let key = settings.master_key.as_ref().ok_or_else(|| SettingError(NO_KEY.to_owned()))?;
    KeyRing::parse(key.read()?.expose()).with_context(|| key.origin().to_owned())
}

/// What seals and opens, with the root keys of the settings.
pub fn vault(settings: &Settings) -> anyhow::Result<Vault> {
    keys(settings).map(Vault::new)
}

/// A vault for changes that seal nothing: passwords and keys are hashed.
pub fn idle_vault() -> anyhow::Result<Vault> {
    Ok(Vault::new(KeyRing::parse(KeyRing::generate()?.expose())?))
}

/// Opens each workspace's own secret. Says how many open, and what is wrong with one that does not.
pub async fn try_keys(
    store: &Store,
    vault: &Vault,
) -> claviger_engine::error::Result<(usize, Option<Error>)> {
    let (mut opened, mut failed) = (0, None);
    for workspace in store.read().await?.any_workspaces().await? {
        let Some(sealed) = &workspace.jwt_secret else { continue };
        match vault.open(&setup::jwt_secret_aad(&workspace.id), sealed) {
            Ok(_) => opened += 1,
            Err(error) => failed = Some(error),
        }
    }
    Ok((opened, failed))
}

/// Refuses root keys that open nothing of what is there. What they would seal could not be opened beside it: no ring
/// takes two keys of one id.
pub async fn check_keys(store: &Store, vault: &Vault) -> anyhow::Result<()> {
    match try_keys(store, vault).await.context("the stored secrets can't be read")? {
        (0, Some(error)) => Err(anyhow::Error::new(error).context(
            "the root keys open nothing of what the database holds: it was sealed with others. Give those (`claviger \
             key list` names them), or correct database_url",
        )),
        _ => Ok(()),
    }
}

/// The catalog that is compiled in.
pub fn catalog() -> anyhow::Result<Catalog> {
    Catalog::builtin().context("the catalog that is compiled in")
}

/// The one client that requests leave by. `dev` may reach this machine, where its sandbox is.
pub fn outbound(settings: &Settings, dev: bool) -> anyhow::Result<Outbound> {
    Outbound::new(outbound_config(settings, dev)).context("outbound_ca")
}

fn outbound_config(settings: &Settings, dev: bool) -> outbound::Config {
    let mut allow = settings.outbound_allow.clone();
    if dev {
        allow.extend(["127.0.0.0/8", "::1/128"].iter().filter_map(|net| net.parse::<ipnet::IpNet>().ok()));
    }
    outbound::Config {
        policy: Policy { allow },
        extra_ca: settings.outbound_ca.clone(),
        connect_timeout: settings.outbound_connect_timeout,
        header_timeout: settings.outbound_header_timeout,
        idle_timeout: settings.outbound_idle_timeout,
        total_timeout: settings.outbound_total_timeout,
        user_agent: concat!("claviger/", env!("CARGO_PKG_VERSION")).to_owned(),
        require_https: true,
        h2c: settings.outbound_h2c.clone(),
        lanes: settings.proxy_threads,
    }
}

/// Which calls get a row. Whoever develops looks for the one call just made.
fn sampling(settings: &Settings, dev: bool) -> Sampling {
    if dev { Sampling::ALL } else { settings.request_log }
}

/// Everything together. The clock follows the database's.
pub async fn broker(
    settings: &Settings,
    store: Store,
    vault: Vault,
    dev: bool,
) -> anyhow::Result<Arc<Broker>> {
    let clock = Clock::system();
    clock.correct(store.database_time().await.context("the database's time")?);
    let metrics = Arc::new(Metrics::default());
    Ok(Arc::new(Broker {
        vault,
        outbound: outbound(settings, dev)?,
        catalog: catalog()?,
        clock,
        urls: Urls { app: settings.public_url.clone(), proxy: settings.proxy_public_url.clone() },
        dev,
        proxy_limit: Limiter::new(settings.proxy_rate_limit).over(&store, "calls", CALLS_AHEAD),
        bounds: Bounds {
            connection: AtOnce::new(settings.proxy_connection_calls),
            provider: AtOnce::new(settings.proxy_provider_calls),
            body: Some(settings.client_body_timeout),
        },
        quota: Quota::new(settings.proxy_rate_limit, settings.rate_limit_headers),
        waits: Waits::new(settings.proxy_wait_limit),
        flow_limit: Limiter::new(FLOWS).over(&store, "flows", FLOWS_AHEAD),
        sign_ins: Default::default(),
        sessions: settings.sessions,
        keys: Default::default(),
        subjects: Default::default(),
        kept: Default::default(),
        watch: Default::default(),
        flights: Flights::default(),
        refresh: refresh::Settings {
            ahead: settings.refresh_ahead,
            ..refresh::Settings::new(settings.refresh_lease)
        },
        refused: Refused::default(),
        tries: Default::default(),
        nonces: Default::default(),
        discovery: Discovery::default(),
        logs: Recorder::new(store.clone(), sampling(settings, dev), &metrics),
        metrics,
        tasks: Default::default(),
        store,
    }))
}

/// The workspace with this client id, or the only one there is.
pub async fn workspace(conn: &mut Conn, client_id: Option<&str>) -> anyhow::Result<Workspace> {
    if let Some(id) = client_id {
        let found = conn.any_workspace_by_client_id(id).await?;
        return found.ok_or_else(|| anyhow!("there is no workspace with the client id {id}"));
    }
    let mut all = conn.any_workspaces().await?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(anyhow!("there are several workspaces: name one with --workspace CLIENT_ID")),
        (None, _) => {
            Err(anyhow!("there is no workspace yet: make one with `claviger workspace create --name NAME`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, load_from};

    #[test]
    fn requests_leave_and_are_recorded_as_the_settings_say() {
        let pairs = [
            ("CLAVIGER_OUTBOUND_CONNECT_TIMEOUT", "1s"),
            ("CLAVIGER_OUTBOUND_HEADER_TIMEOUT", "2s"),
            ("CLAVIGER_OUTBOUND_IDLE_TIMEOUT", "3s"),
            ("CLAVIGER_OUTBOUND_TOTAL_TIMEOUT", "4s"),
            ("CLAVIGER_OUTBOUND_ALLOW", "10.0.0.0/8"),
            ("CLAVIGER_REQUEST_LOG_SAMPLE", "2.5%"),
            ("CLAVIGER_REQUEST_LOG_FULL_BELOW", "3"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = load_from(&Given::default(), pairs).unwrap().settings;
        let config = outbound_config(&settings, false);
        let timeouts =
            [config.connect_timeout, config.header_timeout, config.idle_timeout, config.total_timeout];
        assert_eq!(timeouts, [1, 2, 3, 4].map(Duration::from_secs));
        assert!(config.require_https && config.policy.allow.len() == 1);
        assert_eq!(outbound_config(&settings, true).policy.allow.len(), 3, "dev reaches its own sandbox");
        assert_eq!(sampling(&settings, false), Sampling { share: 25_000, full_below: 3 });
        assert_eq!(sampling(&settings, true), Sampling::ALL);
    }
}
