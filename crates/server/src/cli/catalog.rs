//! `claviger catalog`: provider files.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use claviger_catalog::{Catalog, lint};

use crate::out;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check provider files, and say what is wrong by file and key; without FILES those that are compiled in
    Check {
        /// Provider files (TOML)
        files: Vec<PathBuf>,
    },
    /// List the providers that are compiled in
    List,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { files } => check(files),
        Command::List => {
            for provider in Catalog::builtin()?.iter() {
                out::line(format_args!("{}  {}", provider.key, provider.name))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut read = Vec::new();
    for path in paths {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let text =
            fs::read_to_string(path).map_err(|e| anyhow::anyhow!("{} can't be read: {e}", path.display()))?;
        read.push((name, text));
    }
    let mut files: Vec<(&str, &str)> =
        read.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    if files.is_empty() {
        files = Catalog::builtin_files().to_vec();
    }
    let findings = lint::check_all(&files);
    for finding in &findings {
        out::line(finding)?;
    }
    let errors = findings.iter().filter(|finding| finding.severity.is_error()).count();
    let warnings = findings.len() - errors;
    out::say(format_args!("{} files, {errors} errors, {warnings} warnings", files.len()));
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
