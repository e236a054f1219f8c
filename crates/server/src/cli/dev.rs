//! `claviger dev`: everything on loopback with nothing to set up.
//!
//! An SQLite file, keys and secrets made once and kept in `dev.json` (0600), a workspace, and the sandbox
//! provider with an integration ready to connect. For trying and developing; `serve` is for everything else.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use claviger_engine::{
    broker::{Broker, Urls},
    domain::{
        api_key::Scope,
        audit::Actor,
        integration::{Config, Integration, Mode},
        workspace::Workspace,
    },
    error::Error,
    secret::Secret,
    setup::{self, Change, NewIntegration},
    vault::{KeyRing, Vault},
};
use tokio::net::TcpListener;

use crate::{
    app::{self, App, Bound, Dev},
    cli::open,
    config::{SettingError, Settings},
    listen,
};

mod kept;
mod seed;
mod show;

use kept::Kept;

/// The integration that is ready.
const KEY: &str = "sandbox";
/// A path whose proxied GET answers with the account's data.
const SAMPLE: &str = "/me";
/// How long the sandbox's access tokens live.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The user and the team that `--seed` makes.
const USER: &str = "alice";
const TEAM: &str = "ops";

/// Arguments of `claviger dev`.
#[derive(clap::Args)]
pub struct Args {
    /// Where the database and the generated keys are kept
    #[arg(long, default_value = ".claviger")]
    dir: PathBuf,
    /// Print one line of JSON with every address and key, and nothing else, on stdout
    #[arg(long)]
    json: bool,
    /// Connect a handful of demo customers through the sandbox at the start, and make a second user, in a team that
    /// may use the integration
    #[arg(long)]
    seed: bool,
}

/// Runs until a signal.
pub async fn run(args: Args, mut settings: Settings) -> Result<()> {
    on_loopback(&settings)?;
    let kept = Kept::in_dir(&args.dir)?;
    let bound = Bound::take(&settings).await?;
    let sandbox = listen::bind("sandbox_listen", settings.sandbox_listen).await?;
    settings.public_url = format!("http://{}", bound.app()?);
    settings.proxy_public_url = format!("http://{}", bound.proxy()?);
    let sandbox_url = format!("http://{}", sandbox.local_addr()?);
    settings.database_url = Secret::new(format!("sqlite://{}", args.dir.join("claviger.db").display()));

    let store = open::current_store(&settings).await?;
    let vault = Vault::new(KeyRing::parse(kept.master_key.expose()).context("the master key in dev.json")?);
    let broker = open::broker(&settings, store, vault, true).await?;
    let workspace = ready(&broker, &kept, &sandbox_url).await?;
    let stop = app::on_signal()?;
    let playing = tokio::spawn(play(sandbox, sandbox_url.clone(), &broker.urls, &kept));
    let shown = show::Shown { urls: &broker.urls, sandbox_url: &sandbox_url, kept: &kept };
    if args.json {
        shown.json()?;
    } else {
        shown.text()?;
    }
    let api_key = (!args.json).then(|| kept.api_key.clone());
    let dev = Dev { workspace: workspace.id.clone(), sample_path: SAMPLE, api_key };
    let app = App::new(broker.clone(), &settings.trusted_proxies, Some(dev))?;
    let seeding = async {
        if args.seed {
            seed::run(&broker, &workspace.id, &shown)
                .await
                .unwrap_or_else(|error| tracing::error!("{error:#}"));
        }
    };
    let (served, ()) = tokio::join!(app::serve(app, bound, &settings, stop), seeding);
    playing.abort();
    served
}

/// Refuses listeners that others than this machine reach: `dev` lets anybody be anybody at the sandbox, sends
/// browsers to any loopback address and prints its secrets.
fn on_loopback(settings: &Settings) -> Result<(), SettingError> {
    let listeners = [
        ("listen", Some(settings.listen)),
        ("proxy_listen", Some(settings.proxy_listen)),
        ("sandbox_listen", Some(settings.sandbox_listen)),
        ("metrics_listen", settings.metrics_listen),
    ];
    for (name, address) in listeners {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            return Err(SettingError(format!(
                "{name} = \"{address}\" is not on loopback, and dev is for this machine alone: give an address \
                 such as 127.0.0.1:{}, or use `claviger serve`",
                address.port()
            )));
        }
    }
    Ok(())
}

/// The sandbox, with Claviger as its one client.
fn play(
    listener: TcpListener,
    issuer: String,
    urls: &Urls,
    kept: &Kept,
) -> impl Future<Output = std::io::Result<()>> + use<> {
    let client = claviger_sandbox::Client {
        redirect_prefix: Some(format!("{}/oauth2/callback/", urls.app)),
        ..claviger_sandbox::Client::new(KEY, kept.sandbox_secret.expose())
    };
    let config = claviger_sandbox::Config {
        access_token_lifetime: TOKEN_LIFE,
        ..claviger_sandbox::Config::new(issuer, client)
    };
    claviger_sandbox::serve(listener, config)
}

/// Makes the workspace, key, users and integration at the first start; later only follows a changed port.
async fn ready(broker: &Broker, kept: &Kept, sandbox_url: &str) -> Result<Workspace> {
    let mut conn = broker.store.begin(Actor::Cli, broker.clock.now()).await?;
    let found = conn.any_workspace_by_client_id(&kept.client_id).await?;
    let mut to = Change::of(broker, &mut conn);
    let workspace = match found {
        Some(workspace) => workspace,
        None => kept.set_up(&mut to).await?,
    };
    let landing = show::landing(&broker.urls);
    setup::redirect_uri(&mut to, &workspace.id, &landing).await?;
    let wanted = || integration(sandbox_url, kept);
    match to.conn.integration_by_selector(&workspace.id, KEY).await? {
        None => drop(setup::integration(&mut to, &workspace.id, wanted()).await?),
        // Where keys are published is not asked for.
        Some(was) if Config { jwks: None, ..was.config.clone() } != wanted().config => {
            drop(follow(&mut to, &was, wanted()).await?);
        }
        Some(_) => {}
    }
    conn.commit().await?;
    Ok(workspace)
}

async fn follow(
    to: &mut Change<'_>,
    was: &Integration,
    wanted: NewIntegration,
) -> Result<Integration, Error> {
    tracing::info!("the sandbox has another address now: connections made before must be authorized again");
    setup::update_integration(to, was, wanted).await
}

fn integration(sandbox_url: &str, kept: &Kept) -> NewIntegration {
    NewIntegration {
        key: KEY.to_owned(),
        provider: "sandbox".to_owned(),
        name: Some("Sandbox".to_owned()),
        description: None,
        tags: Vec::new(),
        mode: Mode::PerUser,
        client_id: Some(KEY.to_owned()),
        client_secret: Some(kept.sandbox_secret.clone()),
        scopes: Vec::new(),
        callback: None,
        config: Config {
            issuer: Some(sandbox_url.to_owned()),
            authorize_url: Some(format!("{sandbox_url}/authorize")),
            token_url: Some(format!("{sandbox_url}/token")),
            revoke_url: Some(format!("{sandbox_url}/revoke")),
            userinfo_url: Some(format!("{sandbox_url}/userinfo")),
            base_url: Some(format!("{sandbox_url}/api")),
            ..Config::default()
        },
    }
}

/// What the ready key may do.
const SCOPES: [Scope; 2] = [Scope::Management, Scope::Proxy];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Given, load_from};

    #[test]
    fn dev_listens_to_this_machine_only() {
        let told = |name: &str, value: &str| {
            let pair = (name.to_owned(), value.to_owned());
            on_loopback(&load_from(&Given::default(), [pair]).unwrap().settings).map_err(|e| e.to_string())
        };
        for (name, setting) in [
            ("CLAVIGER_LISTEN", "listen"),
            ("CLAVIGER_PROXY_LISTEN", "proxy_listen"),
            ("CLAVIGER_SANDBOX_LISTEN", "sandbox_listen"),
            ("CLAVIGER_METRICS_LISTEN", "metrics_listen"),
        ] {
            for fine in ["127.0.0.1:0", "127.0.0.2:1", "[::1]:1"] {
                assert_eq!(told(name, fine), Ok(()), "{name}={fine}");
            }
            for open in ["0.0.0.0:8080", "[::]:8080", "192.168.1.2:8080", "[::ffff:192.168.1.2]:1"] {
                let text = told(name, open).unwrap_err();
                assert!(text.starts_with(&format!("{setting} = ")) && text.contains("127.0.0.1"), "{text}");
            }
        }
    }
}
