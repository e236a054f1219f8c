//! `claviger migrate`: the schema, brought up to date.

use std::process::ExitCode;

use super::open;
use crate::{config::Settings, out};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::store(settings).await?;
    let done = store.migrate().await?;
    out::line(if done.from == done.to {
        format!("the schema is up to date (number {})", done.to)
    } else {
        format!("the schema went from number {} to {}", done.from, done.to)
    })?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
