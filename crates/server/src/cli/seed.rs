//! `claviger seed`: made-up connections in great number, for trying and measuring.
//!
//! What they are like is the engine's; here they are counted, two thousand to a transaction, so that a run that is broken
//! off leaves what it did, and the next goes on behind it. A database where customers' connections are is refused.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use claviger_engine::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Status},
        integration::Integration,
        workspace::Workspace,
    },
    setup::{self, Seeding},
};

use super::open;
use crate::{app, config::Settings, out};

/// Connections of one transaction.
const AT_ONCE: u64 = 2000;
/// The most there may be; their numbers have eight digits.
const MOST: u64 = 10_000_000;

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many to make
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    connections: u64,
    /// The integration, by key or id; given several times, they take turns
    #[arg(long = "integration", value_name = "KEY", default_value = "sandbox")]
    integrations: Vec<String>,
    /// The workspace, by client id; the only one when absent
    #[arg(long, value_name = "CLIENT_ID")]
    workspace: Option<String>,
    /// Print the ids of those that can be used, a line each
    #[arg(long)]
    ids: bool,
    /// Also where there are connections that this command did not make
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let (store, vault) = (open::current_store(settings).await?, open::vault(settings)?);
    open::check_keys(&store, &vault).await?;
    let broker = open::broker(settings, store.clone(), vault, false).await?;
    let done = perform(&broker, &args).await;
    store.close().await;
    done
}

async fn perform(broker: &Arc<Broker>, args: &Args) -> anyhow::Result<ExitCode> {
    let mut conn = broker.store.read().await?;
    let workspace = open::workspace(&mut conn, args.workspace.as_deref()).await?;
    let mut integrations = Vec::new();
    for key in &args.integrations {
        let found = conn.integration_by_selector(&workspace.id, key).await?;
        integrations
            .push(found.with_context(|| format!("there is no integration {key} in {}", workspace.name))?);
    }
    if !args.force && conn.any_real_connection().await? {
        bail!("this database has connections that were not made up; with --force others are put beside them");
    }
    let first = u64::try_from(conn.any_seeded_connections().await?).unwrap_or_default();
    if first + args.connections > MOST {
        bail!("there are {first} made-up connections, and more than {MOST} there can't be");
    }
    drop(conn);
    make(broker, &workspace, &integrations, first, args).await
}

/// Makes them, a transaction after the other, until all are there or a signal comes.
async fn make(
    broker: &Arc<Broker>,
    workspace: &Workspace,
    integrations: &[Integration],
    first: u64,
    args: &Args,
) -> anyhow::Result<ExitCode> {
    let (signal, began, end) = (app::on_signal()?, Instant::now(), first + args.connections);
    let mut said = began;
    let mut at = first;
    for integration in integrations.iter().cycle() {
        if at >= end || *signal.borrow() {
            break;
        }
        let numbers = at..end.min(at + share(args.connections, integrations.len()));
        at = numbers.end;
        let made = setup::seed(broker, Seeding { integration, numbers, of: end }, Actor::Cli).await?;
        if args.ids {
            print(&made)?;
        }
        if said.elapsed() >= Duration::from_secs(2) {
            said = Instant::now();
            out::say(format_args!("{} of {} connections", at - first, args.connections));
        }
    }
    let took = began.elapsed().as_secs_f64();
    out::say(format_args!("{} connections in {took:.1} s, in {}", at - first, workspace.name));
    Ok(if at == end { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many of one integration are made before the next has its turn.
fn share(connections: u64, integrations: usize) -> u64 {
    let integrations = u64::try_from(integrations).unwrap_or(u64::MAX);
    connections.div_ceil(integrations).min(AT_ONCE)
}

/// The ids of those that can be used.
fn print(made: &[Connection]) -> std::io::Result<()> {
    let usable = made.iter().filter(|made| made.status == Status::Active && made.frozen_at.is_none());
    let ids: Vec<_> = usable.map(|made| made.id.as_str()).collect();
    out::lines(&ids)
}
