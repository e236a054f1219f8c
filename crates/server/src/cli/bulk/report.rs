//! The report: a line per connection, for people, as CSV (RFC 4180), or as JSON, an object in each line.
//!
//! Each line is written out at once. A file that is there is gone on with, so that a command that is run again after it
//! was broken off leaves one report of the whole.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::ValueEnum;
use claviger_engine::{
    connect::bulk::{Chosen, Line},
    time::Millis,
};
use serde_json::json;

/// The columns, in their order.
const COLUMNS: [&str; 10] = [
    "connection_id",
    "integration",
    "provider",
    "owner_kind",
    "owner_key",
    "status",
    "created_at",
    "outcome",
    "detail",
    "at",
];

#[derive(clap::Args)]
pub(super) struct Shape {
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Where the report goes, instead of stdout; a file that is there is gone on with
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// Comma-separated values
    Csv,
    /// A JSON object in each line
    Json,
}

/// Where lines are written to.
pub(super) struct Report {
    format: Format,
    to: Box<dyn Write>,
}

impl Shape {
    /// Begins the report, or goes on with it.
    pub(super) fn open(&self) -> anyhow::Result<Report> {
        let (to, fresh): (Box<dyn Write>, bool) = match &self.out {
            None => (Box::new(io::stdout()), true),
            Some(path) => {
                let mut options = OpenOptions::new();
                options.create(true).append(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(path);
                let file = file.with_context(|| format!("{} can't be written", path.display()))?;
                let fresh = file.metadata()?.len() == 0;
                (Box::new(file), fresh)
            }
        };
        let mut report = Report { format: self.format, to };
        if fresh && self.format == Format::Csv {
            report.put(&COLUMNS.join(","))?;
        }
        Ok(report)
    }
}

impl Report {
    /// Tells what came of one connection.
    pub(super) fn write(&mut self, line: &Line) -> anyhow::Result<()> {
        let text = match self.format {
            Format::Text => text(line),
            Format::Csv => values(line).map(|value| csv(value.as_deref().unwrap_or_default())).join(","),
            Format::Json => {
                let pairs =
                    COLUMNS.into_iter().map(str::to_owned).zip(values(line).map(|value| json!(value)));
                serde_json::Value::Object(pairs.collect()).to_string()
            }
        };
        self.put(&text)
    }

    fn put(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.to, "{text}").and_then(|()| self.to.flush()).context("the report can't be written")
    }
}

/// What the columns hold.
fn values(line: &Line) -> [Option<String>; 10] {
    let of = |read: fn(&Chosen) -> String| line.was.as_ref().map(read);
    [
        Some(line.id.to_string()),
        of(|was| was.integration.clone()),
        of(|was| was.provider.clone()),
        of(|was| was.owner.kind.as_str().to_owned()),
        line.was.as_ref().and_then(|was| was.owner.key.clone()),
        of(|was| was.frozen_at.map_or(was.status.as_str(), |_| "frozen").to_owned()),
        of(|was| Millis::rfc3339(was.created_at)),
        Some(line.end.as_str().to_owned()),
        Some(line.detail.clone()),
        Some(line.at.rfc3339()),
    ]
}

fn text(line: &Line) -> String {
    let [id, integration, _, kind, key, _, _, outcome, detail, _] = values(line);
    let owner = match (kind, key) {
        (Some(kind), Some(key)) => format!("{kind}:{key}"),
        (Some(kind), None) => kind,
        (None, _) => "-".to_owned(),
    };
    let shown = [id, outcome, Some(integration.unwrap_or_else(|| "-".to_owned())), Some(owner), detail];
    let words: Vec<_> = shown.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    // An owner's key is whatever somebody put into a URL: it does not speak to the terminal.
    words.join("  ").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A value of RFC 4180, in one line. An owner's key is whatever somebody put into a URL: what a spreadsheet would take for a
/// formula gets an apostrophe in front, and no line break makes a line of its own, for a report is read as a list again.
fn csv(value: &str) -> String {
    let mut value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.starts_with(['=', '+', '-', '@']) {
        value.insert(0, '\'');
    }
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

#[cfg(test)]
mod tests {
    use claviger_engine::{
        connect::bulk::End,
        domain::{
            connection::{Owner, OwnerKind, Status},
            revocation::Outcome,
        },
        id::ConnectionId,
    };

    use super::*;

    fn line(key: &str, detail: &str) -> Line {
        let id = ConnectionId::new();
        Line {
            id: id.clone(),
            was: Some(Chosen {
                id,
                integration: "git,hub".to_owned(),
                provider: "github".to_owned(),
                owner: Owner { kind: OwnerKind::External, key: Some(key.to_owned()) },
                status: Status::Active,
                frozen_at: None,
                created_at: Millis(0),
            }),
            end: End::Ended(Outcome::Failed),
            detail: detail.to_owned(),
            at: Millis(1000),
        }
    }

    fn written(format: Format, line: &Line) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report");
        let args = Shape { format, out: Some(file.clone()) };
        for _ in 0..2 {
            args.open().unwrap().write(line).unwrap();
        }
        std::fs::read_to_string(file).unwrap()
    }

    #[test]
    fn values_are_quoted_and_are_no_formulas_and_a_report_is_gone_on_with() {
        let line = line("=cmd()|\"x\"", "said: \"no\",\nand no");
        let id = &line.id;
        let row = format!(
            "{id},\"git,hub\",github,external,\"'=cmd()|\"\"x\"\"\",active,1970-01-01T00:00:00.000Z,failed,\
             \"said: \"\"no\"\", and no\",1970-01-01T00:00:01.000Z\n"
        );
        let head =
            "connection_id,integration,provider,owner_kind,owner_key,status,created_at,outcome,detail,at\n";
        assert_eq!(written(Format::Csv, &line), format!("{head}{row}{row}"));
    }

    #[test]
    fn json_is_an_object_in_each_line_and_text_does_not_speak_to_the_terminal() {
        let line = line("a\u{1b}[2J", "");
        let told = written(Format::Json, &line);
        let first: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
        assert_eq!((told.lines().count(), first["owner_key"].as_str()), (2, Some("a\u{1b}[2J")));
        assert_eq!(
            (first["outcome"].as_str(), first["connection_id"].as_str()),
            (Some("failed"), Some(line.id.as_str()))
        );
        let gone = Line { was: None, end: End::Missing, ..line.clone() };
        let told: serde_json::Value =
            serde_json::from_str(written(Format::Json, &gone).lines().next().unwrap()).unwrap();
        assert!(told["owner_key"].is_null() && told["provider"].is_null());
        let shown = text(&line);
        assert!(
            !shown.contains('\u{1b}') && shown.ends_with("failed  git,hub  external:a\u{fffd}[2J"),
            "{shown}"
        );
    }
}
