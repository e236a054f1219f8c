//! `claviger freeze`, `unfreeze` and `revoke`: many connections at once, for whoever handles an incident.
//!
//! The report goes to stdout or a file, a line as soon as it is known, so that what was done is told even where it is
//! broken off; progress and the sum go to stderr. What is chosen is `choice`'s, how a line is written `report`'s, what is
//! done the engine's.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use claviger_engine::{
    broker::Broker,
    connect::bulk::{self, Chosen, Line, Verb},
    domain::{audit::Actor, workspace::Workspace},
    store::Store,
};

use self::{choice::Choice, report::Report};
use super::open;
use crate::{app, config::Settings, out};

mod choice;
mod report;

/// How often it is said how far it is: on a terminal, and in a log.
const SAY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    report: report::Shape,
    /// Say which connections are chosen, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask first
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(verb: Verb, args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open::current_store(settings).await?;
    // Only an end opens credentials: freezing works without the root key.
    let vault = if verb == Verb::End { open::vault(settings)? } else { open::idle_vault()? };
    if verb == Verb::End {
        open::check_keys(&store, &vault).await?;
    }
    let broker = open::broker(settings, store.clone(), vault, false).await?;
    let done = perform(&broker, verb, args).await;
    broker.settle(settings.shutdown_timeout).await;
    if verb == Verb::End {
        scrub(&store).await;
    }
    store.close().await;
    done
}

async fn perform(broker: &Arc<Broker>, verb: Verb, args: Args) -> anyhow::Result<ExitCode> {
    let (workspace, wanted) = args.choice.read(&mut broker.store.read().await?).await?;
    let (chosen, gone) = bulk::choose(broker, &workspace.id, &wanted).await?;
    let mut report = args.report.open()?;
    let mut sum = Sum::new(verb, chosen.len() + gone.len());
    for line in gone {
        report.write(&line)?;
        sum.count(&line);
    }
    if args.dry_run {
        for was in chosen {
            report.write(&bulk::only_chosen(was, broker.clock.now()))?;
        }
        out::say(format_args!("{} {} would be {}", sum.all, noun(sum.all), word(verb)));
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !chosen.is_empty() {
        ask(verb, &workspace, chosen.len())?;
    }
    let whole = go(broker, &workspace, verb, chosen, &mut report, &mut sum).await?;
    sum.say(whole);
    Ok(if whole && sum.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Does it; `false` when it was stopped before its end.
async fn go(
    broker: &Arc<Broker>,
    workspace: &Workspace,
    verb: Verb,
    chosen: Vec<Chosen>,
    report: &mut Report,
    sum: &mut Sum,
) -> anyhow::Result<bool> {
    let mut running = bulk::run(broker, &workspace.id, verb, chosen, Actor::Cli);
    let (mut signal, mut stopped) = (app::on_signal()?, false);
    loop {
        tokio::select! {
            line = running.next() => match line {
                Some(line) => {
                    report.write(&line)?;
                    sum.count(&line);
                }
                None => return Ok(!stopped),
            },
            _ = signal.wait_for(|stop| *stop), if !stopped => {
                out::say("\nclaviger: stopping; what is under way comes to its end");
                stopped = true;
                running.stop();
            }
        }
    }
}

/// Overwrites what is left of erased credentials in an SQLite database's log, where nobody is in the way.
async fn scrub(store: &Store) {
    if let Err(error) = store.scrub().await {
        tracing::warn!(?error, "the write-ahead log was not overwritten");
    }
}

/// Asks whoever is at the terminal.
fn ask(verb: Verb, workspace: &Workspace, count: usize) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("{count} {} of {} would be {}: say --yes", noun(count), workspace.name, word(verb));
    }
    let after = if verb == Verb::End { ". This can't be taken back" } else { "" };
    let mut err = std::io::stderr().lock();
    write!(err, "{count} {} of {} will be {}{after}. Type yes: ", noun(count), workspace.name, word(verb))?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("no answer")?;
    if answer.trim() != "yes" {
        bail!("nothing was done");
    }
    Ok(())
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Freeze => "frozen",
        Verb::Thaw => "unfrozen",
        Verb::End => "ended and revoked",
    }
}

fn noun(count: usize) -> &'static str {
    if count == 1 { "connection" } else { "connections" }
}

/// How far it is.
struct Sum {
    verb: Verb,
    all: usize,
    bad: usize,
    /// How many came to which end.
    ends: std::collections::BTreeMap<&'static str, usize>,
    done: usize,
    terminal: bool,
    said: Instant,
}

impl Sum {
    fn new(verb: Verb, all: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { verb, all, bad: 0, ends: Default::default(), done: 0, terminal, said: Instant::now() }
    }

    fn count(&mut self, line: &Line) {
        self.done += 1;
        self.bad += usize::from(line.end.is_bad());
        *self.ends.entry(line.end.as_str()).or_default() += 1;
        let every = if self.terminal { SAY.0 } else { SAY.1 };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        let text = format!("{} of {} done, {} to look after", self.done, self.all, self.bad);
        if self.terminal { out::progress(text) } else { out::say(text) }
    }

    fn say(&self, whole: bool) {
        let ends: Vec<_> = self.ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
        let ends = if ends.is_empty() { "nothing to do".to_owned() } else { ends.join(", ") };
        if self.terminal {
            out::progress("");
        }
        out::say(format_args!("{} of {} {}: {ends}", self.done, self.all, noun(self.all)));
        if !whole {
            out::say("stopped before its end: run it again, what is done stays done");
        } else if self.bad > 0 && self.verb == Verb::End {
            out::say("what failed at the provider has to be taken back there: see the report");
        } else if self.bad > 0 {
            out::say("not all of it could be done: see the report, and run it again");
        }
    }
}
