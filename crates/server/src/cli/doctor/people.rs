//! Sign-in: whether each workspace with users can be told by the host that they come to.

use claviger_engine::{
    domain::workspace::Workspace,
    error::Result,
    store::{Page, Store},
};

use super::{Finding, state::cause};
use crate::config::Settings;

const NAME: &str = "sign-in";
/// One is enough to know.
const ANY: Page = Page { offset: 0, limit: 1 };

/// Everything about signing in; nothing where there are no users.
pub(super) async fn check(settings: &Settings, store: &Store) -> Vec<Finding> {
    let found = match look(settings, store).await {
        Ok(found) => found,
        Err(e) => {
            let says = format!("workspaces and users can't be read: {}", cause(e));
            return vec![Finding::failure(NAME, says, "")];
        }
    };
    let mut findings = Vec::new();
    if let (Some(named), false) = (&settings.default_workspace, found.default_exists) {
        let says = format!("default_workspace = {named:?} is no workspace's client id");
        findings.push(Finding::failure(NAME, says, "`claviger workspace list` says which there are."));
    }
    if !found.lost.is_empty() {
        let says = format!("users of {} can't sign in: no host leads to them", found.lost.join(", "));
        let remedy = "Give each workspace the origin that its users come to (`hosts` in the file that `claviger apply` \
                      reads), or set default_workspace to the one that all other hosts lead to.";
        findings.push(Finding::warning(NAME, says, remedy));
    }
    if findings.is_empty() && found.people {
        findings.push(Finding::fine(NAME, "each workspace with users is found by the host they come to"));
    }
    findings
}

struct Found {
    /// Whether any workspace has users.
    people: bool,
    /// Client ids of workspaces that have users and no way to them.
    lost: Vec<String>,
    default_exists: bool,
}

async fn look(settings: &Settings, store: &Store) -> Result<Found> {
    let mut conn = store.read().await?;
    let workspaces = conn.any_workspaces().await?;
    let default = settings.default_workspace.as_deref();
    let reached_anyway = |it: &Workspace| match default {
        Some(client_id) => it.client_id == client_id,
        None => workspaces.len() == 1,
    };
    let (mut people, mut lost) = (false, Vec::new());
    for workspace in &workspaces {
        if conn.users(&workspace.id, &ANY).await?.is_empty() {
            continue;
        }
        people = true;
        if !reached_anyway(workspace) && conn.workspace_hosts(&workspace.id).await?.is_empty() {
            lost.push(workspace.client_id.clone());
        }
    }
    let default_exists = workspaces.iter().any(|it| Some(it.client_id.as_str()) == default);
    Ok(Found { people, lost, default_exists })
}
