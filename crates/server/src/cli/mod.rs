//! The command line: the map of every command. A file per command or group; none decides what the engine
//! decides.
//!
//! Results go to stdout, everything else to stderr. Exit code 0 is done, 1 is not done, 2 is a wrong command
//! line. Settings are `crate::config`'s; how a command comes by database, vault and broker is [`open`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use claviger_engine::connect::bulk::Verb;

use crate::{config, out, telemetry};

mod api_key;
mod apply;
mod backup;
mod bulk;
mod catalog;
mod client_key;
mod connect;
mod dev;
mod doctor;
mod flags;
mod health;
mod key;
mod migrate;
pub mod open;
mod openapi;
mod refreshes;
mod sandbox;
mod seed;
mod serve;
mod team;
mod token;
mod user;
mod workspace;

use flags::Flags;

/// A self-hosted connection broker: your customers connect their accounts elsewhere, your product uses them,
/// and never sees a token.
#[derive(Parser)]
#[command(name = "claviger", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on loopback with nothing to set up: for trying and developing
    Dev(dev::Args),
    /// Run the broker
    Serve,
    /// Bring the database's schema up to date, and nothing else
    Migrate,
    /// Check database, key, clock, public URLs and listeners, and say what to do about each
    Doctor,
    /// Say whether a running Claviger answers, for a container's health check
    Health(health::Args),
    /// Copy the SQLite database, also while it is in use
    Backup(backup::Args),
    /// Make the installation what a YAML file says
    Apply(apply::Args),
    /// Workspaces
    #[command(subcommand)]
    Workspace(workspace::Command),
    /// API keys
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Users, who sign in at the Informer-style door
    #[command(subcommand)]
    User(user::Command),
    /// Teams of users
    #[command(subcommand)]
    Team(team::Command),
    /// Users' API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Root keys
    #[command(subcommand)]
    Key(key::Command),
    /// Our own keys towards providers
    #[command(subcommand)]
    ClientKey(client_key::Command),
    /// Provider files
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Connect an account by a code that a person enters on another device
    Connect(connect::Args),
    /// List refresh tokens that were sent, and nobody knows what their providers did with them
    Refreshes(refreshes::Args),
    /// Freeze connections: no call is made with them, and nothing is lost
    Freeze(bulk::Args),
    /// Let frozen connections be used again
    Unfreeze(bulk::Args),
    /// End connections: tell their providers, erase their credentials, remove them
    Revoke(bulk::Args),
    /// Make connections up, many of them, to try and to measure with
    Seed(seed::Args),
    /// Print the OpenAPI document of a door
    Openapi(openapi::Args),
    /// Run the sandbox provider alone: an authorization server and an API to try and test against
    Sandbox(sandbox::Args),
}

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            out::say(format_args!("claviger: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // These need no settings, and a broken configuration must not stand in their way.
    match &cli.command {
        Command::Key(key::Command::Generate(args)) => return key::generate(args),
        Command::Catalog(command) => return catalog::run(command),
        Command::Openapi(args) => return openapi::run(args),
        _ => {}
    }
    let loaded = config::load(&cli.flags.given)?;
    telemetry::init(loaded.settings.log_format, &loaded.settings.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let settings = loaded.settings;
    match cli.command {
        Command::Dev(args) => dev::run(args, settings).await.map(|()| ExitCode::SUCCESS),
        Command::Serve => serve::run(settings).await,
        Command::Migrate => migrate::run(&settings).await,
        Command::Doctor => doctor::run(&settings).await,
        Command::Health(args) => health::run(&args, &settings).await,
        Command::Backup(args) => backup::run(&args, &settings).await,
        Command::Apply(args) => apply::run(&args, &settings).await,
        Command::Workspace(command) => workspace::run(command, &settings).await,
        Command::ApiKey(command) => api_key::run(command, &settings).await,
        Command::User(command) => user::run(command, &settings).await,
        Command::Team(command) => team::run(command, &settings).await,
        Command::Token(command) => token::run(command, &settings).await,
        Command::ClientKey(command) => client_key::run(command, &settings).await.map(|()| ExitCode::SUCCESS),
        Command::Sandbox(args) => sandbox::run(args, &settings).await,
        Command::Key(command) => key::run(command, &settings).await,
        Command::Connect(args) => connect::run(args, &settings).await,
        Command::Refreshes(args) => refreshes::run(args, &settings).await,
        Command::Freeze(args) => bulk::run(Verb::Freeze, args, &settings).await,
        Command::Unfreeze(args) => bulk::run(Verb::Thaw, args, &settings).await,
        Command::Revoke(args) => bulk::run(Verb::End, args, &settings).await,
        Command::Seed(args) => seed::run(args, &settings).await,
        Command::Catalog(_) | Command::Openapi(_) => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_flag_is_taken_before_and_after_the_command() {
        for line in [
            ["claviger", "--listen", "127.0.0.1:1", "serve"],
            ["claviger", "serve", "--listen", "127.0.0.1:1"],
        ] {
            let given = Cli::parse_from(line).flags.given;
            assert_eq!(
                given.flags.get("listen").map(|text| text.expose().to_owned()).as_deref(),
                Some("127.0.0.1:1")
            );
        }
    }
}
