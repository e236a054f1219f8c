//! `claviger openapi`: the OpenAPI document of the doors that have one.

use std::process::ExitCode;

use crate::{out, surface::bundleup};

pub(super) fn run() -> anyhow::Result<ExitCode> {
    out::line(bundleup::openapi::document()?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
