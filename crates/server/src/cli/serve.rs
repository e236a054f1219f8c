//! `claviger serve`: the broker, in production.
//!
//! Refuses to start without a root key, with one that opens nothing of what the database holds, or where secrets would
//! travel in the clear; takes its ports before it touches the database.

use std::{io::IsTerminal as _, process::ExitCode};

use claviger_engine::{broker::Broker, setup::first};

use super::open;
use crate::{
    app::{self, App, Bound},
    config::Settings,
    dashboard::first_run,
    out,
};

pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    settings.check_public_urls()?;
    let vault = open::vault(&settings)?;
    let bound = Bound::take(&settings).await?;
    let store = open::current_store(&settings).await?;
    open::check_keys(&store, &vault).await?;
    let broker = open::broker(&settings, store, vault, false).await?;
    tell_how_to_begin(&broker).await?;
    let app = App::new(broker, &settings.trusted_proxies, None)?;
    app::serve(app, bound, &settings, app::on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// While there is no operator, the one-time link by which the first is made. Where stdout may be kept in a log, only
/// while there is nothing yet that it would open.
async fn tell_how_to_begin(broker: &Broker) -> anyhow::Result<()> {
    if !std::io::stdout().is_terminal() && !first::is_empty(broker).await? {
        return Ok(());
    }
    let Some(link) = first::link(broker).await? else { return Ok(()) };
    let (app, prefix, hours) = (&broker.urls.app, first_run::PREFIX, first::LINK_LIFE.as_secs() / 3600);
    out::line(format_args!(
        "Nobody can sign in at the dashboard yet. Open this link to set up the first administrator; it works once, for \
         {hours} hours:\n\n  {app}{prefix}{}\n",
        link.expose()
    ))?;
    Ok(())
}
