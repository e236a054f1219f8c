//! `claviger key list`: which root keys are given, what each wraps, and who holds them.

use std::{collections::BTreeMap, process::ExitCode};

use claviger_engine::{
    broker::Broker,
    domain::process::Process,
    process,
    rotate::{self, Held},
    time::Millis,
};
use serde_json::json;

use crate::out;

pub(super) async fn run(broker: &Broker, json: bool) -> anyhow::Result<ExitCode> {
    let held = rotate::held(&mut broker.store.read().await?).await?;
    let found = Found {
        given: broker.vault.key_ids(),
        counts: rotate::by_root(&held),
        held,
        processes: process::alive(broker).await?,
        now: broker.clock.now(),
    };
    if json {
        out::line(found.json())?;
    } else {
        for line in found.lines() {
            out::line(line)?;
        }
        for line in found.advice() {
            out::say(line);
        }
        if let Err(error) = rotate::ready(broker).await {
            out::say(error);
        }
    }
    Ok(ExitCode::SUCCESS)
}

struct Found<'a> {
    /// The ids of the keys in the settings, the one that seals first.
    given: Vec<&'a str>,
    held: Vec<Held>,
    counts: BTreeMap<String, i64>,
    processes: Vec<Process>,
    now: Millis,
}

impl Found<'_> {
    /// Root keys that wrap something and are not given, with how much.
    fn unknown(&self) -> impl Iterator<Item = (&str, i64)> {
        let unknown =
            self.counts.iter().filter(|(id, _)| !id.is_empty() && !self.given.contains(&id.as_str()));
        unknown.map(|(id, count)| (id.as_str(), *count))
    }

    fn count(&self, id: &str) -> i64 {
        self.counts.get(id).copied().unwrap_or(0)
    }

    fn lines(&self) -> Vec<String> {
        let line = |id: &str, role: &str, count: i64| format!("{id:<32} {role:<10} {count} stored secrets");
        let given = self.given.iter().enumerate();
        let given = given.map(|(at, id)| line(id, if at == 0 { "seals" } else { "opens" }, self.count(id)));
        let mut lines: Vec<_> = given.collect();
        lines.extend(self.unknown().map(|(id, count)| line(id, "not given", count)));
        for process in &self.processes {
            let (keys, ago) = (process.key_ids.join(", "), self.now.since(process.seen_at).as_secs());
            lines.push(format!("{} version {}, seen {ago} s ago, holds {keys}", process.id, process.version));
        }
        lines
    }

    fn advice(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (id, _) in self.unknown() {
            lines.push(format!(
                "What {id} wraps can't be opened: give that key as well, behind the first one."
            ));
        }
        if self.count("") > 0 {
            lines.push(format!(
                "{} stored secrets are damaged: not even their key can be read.",
                self.count("")
            ));
        }
        for id in self.given.iter().skip(1) {
            lines.push(match self.count(id) {
                0 => format!(
                    "{id} wraps nothing here any more: restart every process without it. Backups made before need it still."
                ),
                _ => format!("What {id} wraps is wrapped anew by `claviger key rotate`."),
            });
        }
        lines
    }

    fn json(&self) -> serde_json::Value {
        let key = |id: &str| {
            let columns = self.held.iter().filter_map(|held| Some((held.column, held.by_root.get(id)?)));
            json!({
                "id": id,
                "given": self.given.contains(&id),
                "seals": self.given.first() == Some(&id),
                "stored": self.count(id),
                "by_column": columns.collect::<BTreeMap<_, _>>(),
            })
        };
        let ids = self.given.iter().copied().chain(self.unknown().map(|(id, _)| id));
        let processes = self.processes.iter().map(|process| {
            json!({
                "id": process.id.as_str(),
                "version": process.version,
                "key_ids": process.key_ids,
                "started_at": process.started_at.rfc3339(),
                "seen_at": process.seen_at.rfc3339(),
            })
        });
        json!({
            "keys": ids.map(key).collect::<Vec<_>>(),
            "unreadable": self.count(""),
            "processes": processes.collect::<Vec<_>>(),
        })
    }
}
