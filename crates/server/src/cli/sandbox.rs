//! `claviger sandbox`: the sandbox provider alone, to try and test against. It knows nothing of the broker.

use std::{process::ExitCode, time::Duration};

use claviger_engine::secret::{Secret, token};
use claviger_sandbox::{Client, Config};

use crate::{app, config::Settings, listen, out};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The id of its one client
    #[arg(long, default_value = "sandbox")]
    client_id: String,
    /// The secret of its one client; made up when absent. Nothing of value may stand behind it
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
    /// A redirect URI of the client, character for character; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Also accept this prefix followed by one path segment, such as http://127.0.0.1:8080/oauth2/callback/
    #[arg(long, value_name = "PREFIX")]
    redirect_prefix: Option<String>,
    /// How long its access tokens live, in seconds
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    token_lifetime: u64,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let listener = listen::bind("sandbox_listen", settings.sandbox_listen).await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let secret = match args.client_secret {
        Some(given) => Secret::new(given),
        None => token()?,
    };
    for (name, value) in [
        ("issuer", issuer.as_str()),
        ("authorize_url", &format!("{issuer}/authorize")),
        ("token_url", &format!("{issuer}/token")),
        ("revoke_url", &format!("{issuer}/revoke")),
        ("introspect_url", &format!("{issuer}/introspect")),
        ("userinfo_url", &format!("{issuer}/userinfo")),
        ("base_url", &format!("{issuer}/api")),
        ("client_id", &args.client_id),
        ("client_secret", secret.expose()),
    ] {
        out::line(format_args!("{name:<14} {value}"))?;
    }
    let mut client = Client::new(args.client_id, secret.expose());
    client.redirect_uris = args.redirect_uris;
    client.redirect_prefix = args.redirect_prefix;
    let mut config = Config::new(issuer, client);
    config.access_token_lifetime = Duration::from_secs(args.token_lifetime);
    let mut stop = app::on_signal()?;
    tokio::select! {
        served = claviger_sandbox::serve(listener, config) => served?,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(ExitCode::SUCCESS)
}
