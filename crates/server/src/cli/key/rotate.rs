//! `claviger key rotate`: every stored secret's data key wrapped with the first root key.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use claviger_engine::{
    broker::Broker,
    rotate::{self, Progress, Report},
};
use serde_json::json;

use crate::{cli::open, out};

/// How often a long rotation says how far it is.
const SAYS: Duration = Duration::from_secs(1);
/// How many of the secrets that can't be rotated are named on stderr.
const SHOWN: usize = 20;

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// Say what would be done, also whether each secret opens that would be wrapped, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON instead
    #[arg(long)]
    json: bool,
}

/// Exit code 1 when the processes are not ready for it, or a secret is left that can't be rotated.
pub(super) async fn run(args: &Args, broker: &Broker) -> anyhow::Result<ExitCode> {
    let tell = teller();
    let report = if args.dry_run {
        rotate::rehearse(broker, tell).await?
    } else {
        rotate::rotate(broker, tell).await?
    };
    if args.json {
        out::line(told(&report, args.dry_run))?;
    } else {
        for line in lines(&report, args.dry_run) {
            out::line(line)?;
        }
    }
    for failure in report.failures.iter().take(SHOWN) {
        out::say(format_args!("not rotated: {}", failure.why));
    }
    if report.failed == 0 {
        // What the first key's id stands on may have been wrapped by another key of that id.
        open::check_keys(&broker.store, &broker.vault).await?;
        return Ok(ExitCode::SUCCESS);
    }
    out::say(format_args!(
        "{} stored secrets can't be rotated; all others {}. Where a root key is missing, give it as well, behind the \
         first one, and run this again; keep the old keys until then. What is damaged has to be set again: connect \
         the account anew, enter the client secret, roll the webhook's secret; a flow ends by itself.",
        report.failed,
        if args.dry_run { "can" } else { "are" },
    ));
    Ok(ExitCode::FAILURE)
}

/// Says on stderr how far it is, now and then.
fn teller() -> impl FnMut(Progress) {
    let mut said = Instant::now();
    move |progress| {
        if said.elapsed() >= SAYS {
            said = Instant::now();
            out::say(format_args!("{}: {} done, {} left", progress.column, progress.done, progress.left));
        }
    }
}

fn lines(report: &Report, dry_run: bool) -> Vec<String> {
    let (key, all) = (&report.key, report.wrapped.values().sum::<i64>());
    let mut lines = vec![match (all, dry_run) {
        (0, _) if report.failed > 0 => format!("no stored secret can be wrapped with {key}"),
        (0, _) => format!("{key} wraps every stored secret: nothing to do"),
        (_, true) => format!("{all} stored secrets would be wrapped with {key}"),
        (_, false) => format!("{all} stored secrets are now wrapped with {key}"),
    }];
    let columns = report.wrapped.iter().filter(|(_, count)| **count > 0);
    lines.extend(columns.map(|(column, count)| format!("  {column:<34} {count}")));
    lines
}

fn told(report: &Report, dry_run: bool) -> serde_json::Value {
    let failures = report
        .failures
        .iter()
        .map(|failure| json!({ "column": failure.column, "record": failure.record, "why": failure.why }));
    json!({
        "key": report.key,
        "dry_run": dry_run,
        "wrapped": report.wrapped,
        "failed": report.failed,
        "failures": failures.collect::<Vec<_>>(),
    })
}
