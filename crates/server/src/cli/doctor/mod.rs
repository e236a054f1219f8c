//! `claviger doctor`: what is wrong with this installation, and what to do about it.
//!
//! It only looks: nothing is made, migrated or changed. Each check says one thing in one line, with the remedy
//! below it. Exit code 1 if any check fails; a warning alone is no failure.

use std::process::ExitCode;

use crate::{config::Settings, out};

mod certificates;
mod keys;
mod network;
mod people;
mod state;
#[cfg(test)]
mod tests;

pub(super) use state::sqlite_is_missing;

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    check: &'static str,
    verdict: Verdict,
    says: String,
    /// What to do; empty when all is well.
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Warning,
    Failure,
}

impl Finding {
    fn fine(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fine, says: says.into(), remedy: String::new() }
    }

    fn warning(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, says: says.into(), remedy: remedy.into() }
    }

    fn failure(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failure, says: says.into(), remedy: remedy.into() }
    }
}

/// A lease that ends before an answer has to be here.
fn short_lease(settings: &Settings) -> Option<Finding> {
    settings.short_lease().map(|(says, remedy)| Finding::warning("refreshes", says, remedy))
}

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut findings = state::check(settings).await;
    findings.extend(network::public_urls(settings));
    findings.extend(network::listeners(settings).await);
    findings.extend(network::tls(settings));
    findings.extend(short_lease(settings));
    for finding in &findings {
        let word = match finding.verdict {
            Verdict::Fine => "ok  ",
            Verdict::Warning => "warn",
            Verdict::Failure => "FAIL",
        };
        out::line(format_args!("{word}  {:<10} {}", finding.check, finding.says))?;
        for line in finding.remedy.lines() {
            out::line(format_args!("                 {line}"))?;
        }
    }
    let failed = findings.iter().any(|f| f.verdict == Verdict::Failure);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
