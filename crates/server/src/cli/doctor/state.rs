//! Database and clock; the keys are [`super::keys`]'s, sign-in is [`super::people`]'s.

use std::{path::Path, time::Duration};

use claviger_engine::{
    store::Store,
    time::{Millis, system_now},
};

use super::{Finding, certificates, keys, people};
use crate::{cli::open, config::Settings};

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
    findings.extend(keys::check(settings, store.as_ref()).await);
    if let Some(store) = store {
        findings.extend(people::check(settings, &store).await);
        findings.extend(certificates::check(&store, system_now()).await);
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

pub(super) fn cause(error: claviger_engine::error::Error) -> String {
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
