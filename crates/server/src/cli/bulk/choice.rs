//! Which connections a command is about, as its flags say it.

use std::{
    collections::BTreeSet,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use claviger_engine::{
    connect::bulk::Wanted,
    domain::{
        connection::{OwnerKind, Status},
        workspace::Workspace,
    },
    id::ConnectionId,
    store::{self, Conn},
    time::Millis,
};

use crate::cli::open;

/// At least one of these, so that nobody means all connections by saying nothing.
#[derive(clap::Args, Default)]
pub(super) struct Choice {
    /// The workspace's client id; may be left out when there is only one
    #[arg(long, value_name = "CLIENT_ID")]
    workspace: Option<String>,
    /// Only of this integration, by id or key
    #[arg(long, value_name = "INTEGRATION")]
    integration: Option<String>,
    /// Only of this owner: external:ID, user:NAME, customer:ID or shared; a kind alone means all of that kind
    #[arg(long, value_name = "KIND:KEY", value_parser = owner)]
    owner: Option<(OwnerKind, Option<String>)>,
    /// Only those made before then: 2026-01-31 or 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<Millis>,
    /// Only those made then or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    after: Option<Millis>,
    /// Only those not used since then, or never and made before
    #[arg(long, value_name = "TIME", value_parser = time)]
    unused_since: Option<Millis>,
    /// Only those used then or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    used_since: Option<Millis>,
    /// Only those that are active, needs_reauth or frozen
    #[arg(long, value_name = "STATUS", value_parser = ["active", "needs_reauth", "frozen"])]
    status: Option<String>,
    /// Only these: a file with an id in each line, or with a report; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["integration", "owner", "before", "after",
        "unused_since", "used_since", "status", "all"])]
    ids: Option<PathBuf>,
    /// All connections of the workspace
    #[arg(long, conflicts_with_all = ["integration", "owner", "before", "after", "unused_since", "used_since",
        "status"])]
    all: bool,
}

impl Choice {
    /// The workspace, and which of its connections.
    pub(super) async fn read(&self, conn: &mut Conn) -> anyhow::Result<(Workspace, Wanted)> {
        let workspace = open::workspace(conn, self.workspace.as_deref()).await?;
        if let Some(file) = &self.ids {
            return Ok((workspace, Wanted::These(ids(&text(file)?)?)));
        }
        let integration_id = match &self.integration {
            Some(selector) => {
                let found = conn.integration_by_selector(&workspace.id, selector).await?;
                let missing = || anyhow!("there is no integration {selector:?} in this workspace");
                Some(found.ok_or_else(missing)?.id)
            }
            None => None,
        };
        let (owner_kind, owner_key) =
            self.owner.clone().map_or((None, None), |(kind, key)| (Some(kind), key));
        let choice = store::Choice {
            integration_id,
            owner_kind,
            owner_key,
            status: self.status.as_deref().and_then(Status::parse),
            frozen: (self.status.as_deref() == Some("frozen")).then_some(true),
            created_from: self.after,
            created_until: self.before,
            used_from: self.used_since,
            used_until: self.unused_since,
        };
        if choice == store::Choice::default() && !self.all {
            bail!(
                "say which connections: --integration, --owner, --before, --after, --unused-since, --used-since, \
                 --status, --ids; or --all"
            );
        }
        Ok((workspace, Wanted::Like(choice)))
    }
}

fn text(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("stdin can't be read")?;
    Ok(text)
}

/// The ids in a list, or in a report of any format: the first in each line that has one.
fn ids(text: &str) -> anyhow::Result<Vec<ConnectionId>> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let line = line.trim();
        match words.find_map(ConnectionId::parse) {
            Some(id) => {
                if seen.insert(id.clone()) {
                    found.push(id);
                }
            }
            // The first line of a report in CSV.
            None if line.is_empty() || number == 0 && line.starts_with("connection_id") => {}
            None => bail!("line {} holds no connection's id", number + 1),
        }
    }
    Ok(found)
}

fn owner(text: &str) -> Result<(OwnerKind, Option<String>), String> {
    let (kind, key) = match text.split_once(':') {
        Some((kind, key)) => (kind, Some(key.to_owned())),
        None => (text, None),
    };
    let kind = OwnerKind::parse(kind).filter(|_| key.as_deref() != Some(""));
    kind.map(|kind| (kind, key))
        .ok_or_else(|| "must be external, user, customer or shared, alone or with :KEY behind it".to_owned())
}

fn time(text: &str) -> Result<Millis, String> {
    let read = Millis::parse_rfc3339(text).or_else(|| Millis::parse_rfc3339(&format!("{text}T00:00:00Z")));
    read.ok_or_else(|| "must be a time such as 2026-01-31 or 2026-01-31T09:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_lists_and_from_reports() {
        let (one, two) = (ConnectionId::new(), ConnectionId::new());
        let both = vec![one.clone(), two.clone()];
        for text in [
            format!("{one}\n\n  {two}  \r\n{one}\n"),
            format!("connection_id,integration\n{one},github\n{two},\"a, b\"\n"),
            format!(
                "{{\"connection_id\":\"{one}\",\"detail\":\"{two}\"}}\n{{\"connection_id\":\"{two}\"}}\n"
            ),
            format!("{one}  revoked  github\n{two}  failed  github  HTTP 500\n"),
        ] {
            assert_eq!(ids(&text).unwrap(), both, "{text}");
        }
        assert_eq!(ids("").unwrap(), []);
        let wrong = ids(&format!("{one}\nconn_nonsense\n")).unwrap_err().to_string();
        assert_eq!(wrong, "line 2 holds no connection's id");
    }

    #[test]
    fn owners_and_times_are_read_or_refused() {
        let read = |text| owner(text).ok();
        assert_eq!(read("external:a:b"), Some((OwnerKind::External, Some("a:b".to_owned()))));
        assert_eq!(read("shared"), Some((OwnerKind::Shared, None)));
        for wrong in ["", "alice", "user:", ":x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(time("2026-01-02"), time("2026-01-02T01:00:00+01:00"));
        assert!(time("2026-01-02").is_ok() && time("yesterday").is_err());
    }
}
