//! Database, clock and key.

use std::{path::Path, time::Duration};

use claviger_engine::{
    setup,
    store::Store,
    time::{Millis, system_now},
    vault::Vault,
};

use super::Finding;
use crate::{
    cli::open,
    config::{MasterKey, Settings},
};

/// Clocks that differ by more than this are worth a word, and by more than the other, a failure.
const SKEW_WARNS: Duration = Duration::from_secs(2);
const SKEW_FAILS: Duration = Duration::from_secs(60);

/// Everything about state. What needs a database that is not there is not checked.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let (mut findings, store) = database(settings).await;
    if let Some(store) = &store {
        findings.push(match store.database_time().await {
            Ok(theirs) => clock(system_now(), theirs),
            Err(e) => Finding::failure("clock", format!("the database does not tell the time: {e:#}"), ""),
        });
    }
    findings.extend(key(settings, store.as_ref()).await);
    if let Some(store) = store {
        store.close().await;
    }
    findings
}

/// The database; the store only when its schema is there.
async fn database(settings: &Settings) -> (Vec<Finding>, Option<Store>) {
    let name = "database";
    let shown = settings.database_shown();
    if sqlite_is_missing(settings) {
        let remedy = "Run `claviger migrate` to make it (`serve` does so too), or correct database_url.";
        return (vec![Finding::failure(name, format!("{shown} does not exist yet"), remedy)], None);
    }
    let store = match open::store(settings).await {
        Ok(store) => store,
        Err(e) => {
            let remedy = "Check that the server runs, and that address, user, password and rights in database_url are right.";
            return (vec![Finding::failure(name, format!("{e:#}"), remedy)], None);
        }
    };
    let (found, ours) = match store.schema().await {
        Ok(numbers) => numbers,
        Err(e) => {
            let remedy = "Check that database_url names the right database and that its user may read it.";
            return (
                vec![Finding::failure(name, format!("{shown} can't be read: {}", cause(e)), remedy)],
                None,
            );
        }
    };
    if found < ours {
        let says = format!("{shown} has schema number {found}, this program needs {ours}");
        let finding = Finding::failure(name, says, "Run `claviger migrate` (`serve` does so too).");
        return (vec![finding], None);
    }
    if found > ours {
        let says = format!("{shown} has schema number {found}, this program knows only {ours}");
        let remedy = "A newer Claviger has been here: use that version, or restore a backup from before.";
        return (vec![Finding::failure(name, says, remedy)], None);
    }
    let finding = match store.check_writable().await {
        Ok(()) => Finding::fine(name, format!("{shown}: reachable, schema number {found}, writable")),
        Err(e) => Finding::failure(
            name,
            format!("{shown} can't be written: {}", cause(e)),
            "Check the rights of this user, free disk space, and that it is no read-only replica.",
        ),
    };
    (vec![finding], Some(store))
}

fn cause(error: claviger_engine::error::Error) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// Whether the settings name an SQLite file that does not exist. Opening it would make it.
pub(in crate::cli) fn sqlite_is_missing(settings: &Settings) -> bool {
    let url = settings.database_url.expose();
    let path = url.strip_prefix("sqlite://").map(|path| path.split('?').next().unwrap_or(path));
    path.is_some_and(|path| !Path::new(path).exists())
}

/// This machine's clock against the database's.
pub(super) fn clock(ours: Millis, theirs: Millis) -> Finding {
    let apart = ours.since(theirs).max(theirs.since(ours));
    let says = format!("{} ms from the database's", apart.as_millis());
    if apart > SKEW_FAILS {
        let remedy = "Tokens and flows would expire at the wrong time. Set the clocks by NTP (timedatectl set-ntp true).";
        return Finding::failure("clock", says, remedy);
    }
    if apart > SKEW_WARNS {
        return Finding::warning("clock", says, "Set the clocks by NTP (timedatectl set-ntp true).");
    }
    Finding::fine("clock", says)
}

/// The root keys: there, well-formed, kept to ourselves, and the ones that the database was sealed with.
async fn key(settings: &Settings, store: Option<&Store>) -> Vec<Finding> {
    let name = "key";
    let vault = match open::vault(settings) {
        Ok(vault) => vault,
        Err(e) => {
            let text = format!("{e:#}");
            let (says, remedy) = text
                .split_once(". ")
                .unwrap_or((&text, "Give id:base64 with 32 bytes; `claviger key generate` makes one."));
            return vec![Finding::failure(name, says, remedy)];
        }
    };
    if let Err(e) = vault.check() {
        return vec![Finding::failure(name, format!("it does not seal and open: {}", cause(e)), "")];
    }
    let mut findings = Vec::new();
    if let Some(MasterKey::File { path, .. }) = &settings.master_key {
        findings.extend(privacy(name, path));
    }
    let sealing = vault.sealing_key_id().to_owned();
    findings.push(match store {
        None => Finding::fine(name, format!("{sealing} seals and opens (no database to try it on)")),
        Some(store) => match opens_what_is_there(store, &vault).await {
            Ok(0) => Finding::fine(name, format!("{sealing} seals and opens; nothing is sealed yet")),
            Ok(_) => Finding::fine(name, format!("{sealing} seals and opens, also what the database holds")),
            Err(e) => Finding::failure(
                name,
                format!("it does not open what the database holds: {e:#}"),
                "This is another key than the one it was sealed with. Give that one as well: old keys stay in the list, \
                 after the first.",
            ),
        },
    });
    findings
}

/// Opens each workspace's own secret. Says how many there were.
async fn opens_what_is_there(store: &Store, vault: &Vault) -> anyhow::Result<usize> {
    let mut count = 0;
    for workspace in store.read().await?.any_workspaces().await? {
        if let Some(sealed) = &workspace.jwt_secret {
            vault.open(&setup::jwt_secret_aad(&workspace.id), sealed)?;
            count += 1;
        }
    }
    Ok(count)
}

/// A warning when others may read a file that holds a key.
#[cfg(unix)]
pub(super) fn privacy(check: &'static str, path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let says = format!("{} may be read by others (mode {:o})", path.display(), mode & 0o777);
        Finding::warning(check, says, format!("chmod 600 {}", path.display()))
    })
}

/// Rights are kept otherwise there.
#[cfg(not(unix))]
pub(super) fn privacy(_check: &'static str, _path: &Path) -> Option<Finding> {
    None
}
