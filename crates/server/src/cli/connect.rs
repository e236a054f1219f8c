//! `claviger connect`: connects an account by a code that a person enters on another device (RFC 8628).
//!
//! The link and the code go to stderr, for a person; the connection's id goes to stdout, for a program. What may be
//! connected for whom is the engine's to say. Broken off, the flow is left to expire; where a broker runs, a code that is
//! entered all the same still makes the connection.

use std::{collections::BTreeMap, io::IsTerminal as _, process::ExitCode, sync::Arc, time::Duration};

use anyhow::anyhow;
use claviger_engine::{
    broker::Broker,
    connect::device::{self, Device, Here, Step},
    domain::connection::{Owner, OwnerKind},
    error::Error,
    id::FlowId,
};

use super::open;
use crate::{config::Settings, out};

/// How often it is looked whether somebody has entered the code.
const LOOK: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Args {
    /// What to connect: an integration's id or key
    #[arg(long)]
    integration: String,
    /// For whom: external:ID, user:NAME or customer:ID
    #[arg(long, value_name = "KIND:KEY", value_parser = owner)]
    owner: Owner,
    /// What the provider has to be told, such as subdomain=acme; as often as needed
    #[arg(long = "input", value_name = "KEY=VALUE", value_parser = pair)]
    inputs: Vec<(String, String)>,
    /// The workspace, by its client id; needed where there are several
    #[arg(long, value_name = "CLIENT_ID")]
    workspace: Option<String>,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    let vault = open::vault(settings)?;
    open::check_keys(&store, &vault).await?;
    let broker = open::broker(settings, store.clone(), vault, false).await?;
    let workspace = open::workspace(&mut store.read().await?, args.workspace.as_deref()).await?;
    let inputs: BTreeMap<String, String> = args.inputs.into_iter().collect();
    let wish = Here { workspace: &workspace, integration: &args.integration, owner: args.owner, inputs };
    let flow = device::begin(&broker, wish).await.map_err(told)?;
    let done = wait(&broker, &flow).await;
    broker.settle(settings.shutdown_timeout).await;
    store.close().await;
    done
}

/// Shows the code, and waits until somebody has entered it, or nobody has in time.
async fn wait(broker: &Arc<Broker>, flow: &FlowId) -> anyhow::Result<ExitCode> {
    let mut shown = false;
    loop {
        match device::step(broker, flow).await.map_err(told)? {
            Step::Waiting(given) if !shown => {
                show(&given);
                shown = true;
            }
            Step::Waiting(_) => {}
            Step::Connected(connection) => {
                out::line(connection)?;
                return Ok(ExitCode::SUCCESS);
            }
            Step::Failed(why) => {
                out::say(format_args!("claviger: not connected: {why}"));
                return Ok(ExitCode::FAILURE);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show(given: &Device) {
    let Device::Given { user_code, verification_uri, verification_uri_complete, expires_at } = given else {
        return;
    };
    out::say(format_args!("Open  {verification_uri}\nEnter {user_code}"));
    if let Some(whole) = verification_uri_complete {
        out::say(format_args!("Or open  {whole}"));
    }
    let until = expires_at.rfc3339();
    let hint = if std::io::stderr().is_terminal() { " (Ctrl-C stops waiting)" } else { "" };
    out::say(format_args!("Waiting until {until}{hint}"));
}

/// What went wrong, in words for a person at a terminal.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::NotFound { what } => anyhow!("there is no such {what}"),
        Error::Invalid { field: "input", message } => anyhow!("--input {message}"),
        Error::Invalid { message, .. } | Error::Conflict { message } | Error::Denied { message } => {
            anyhow!("{message}")
        }
        other => anyhow::Error::new(other),
    }
}

fn owner(text: &str) -> Result<Owner, String> {
    let wrong = || "must be external:ID, user:NAME or customer:ID".to_owned();
    let (kind, key) = text.split_once(':').ok_or_else(wrong)?;
    let kind = OwnerKind::parse(kind).filter(|kind| *kind != OwnerKind::Shared).ok_or_else(wrong)?;
    if key.is_empty() { Err(wrong()) } else { Ok(Owner { kind, key: Some(key.to_owned()) }) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "must be KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_of_a_kind() {
        let read = |text| owner(text).map(|it| (it.kind, it.key.unwrap_or_default()));
        assert_eq!(read("external:a:b"), Ok((OwnerKind::External, "a:b".to_owned())));
        assert_eq!(read("user:alice"), Ok((OwnerKind::User, "alice".to_owned())));
        assert_eq!(read("customer:c1"), Ok((OwnerKind::Customer, "c1".to_owned())));
        for bad in ["", "alice", "user:", "shared:alice", "nobody:x", ":x"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err());
    }
}
