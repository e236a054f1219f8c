//! `claviger serve`: the broker, in production.
//!
//! Refuses to start without a root key, with one that opens nothing of what the database holds, or where secrets would
//! travel in the clear; takes its ports before it touches the database.

use std::process::ExitCode;

use super::open;
use crate::{
    app::{self, App, Bound},
    config::Settings,
};

pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    settings.check_public_urls()?;
    let vault = open::vault(&settings)?;
    let bound = Bound::take(&settings).await?;
    let store = open::current_store(&settings).await?;
    open::check_keys(&store, &vault).await?;
    let broker = open::broker(&settings, store, vault, false).await?;
    let app = App::new(broker, &settings.trusted_proxies, None)?;
    app::serve(app, bound, &settings, app::on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}
