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

fn check(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let mut errors = 0;
    let mut count = 0;
    let mut look = |name: &str, text: &str| {
        count += 1;
        for finding in lint::check(name, text) {
            errors += usize::from(finding.severity.is_error());
            findings.push(finding.to_string());
        }
    };
    if files.is_empty() {
        Catalog::builtin_files().iter().for_each(|(name, text)| look(name, text));
    }
    for path in files {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let text =
            fs::read_to_string(path).map_err(|e| anyhow::anyhow!("{} can't be read: {e}", path.display()))?;
        look(&name, &text);
    }
    for finding in &findings {
        out::line(finding)?;
    }
    out::say(format_args!("{count} files, {errors} errors, {} warnings", findings.len() - errors));
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
