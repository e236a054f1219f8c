//! The root keys: there, well-formed, kept to ourselves, and the ones that the database was sealed with.

use std::collections::BTreeMap;

use claviger_engine::{error::Result, rotate, store::Store, vault::Vault};

use super::{
    Finding,
    state::{cause, privacy},
};
use crate::{
    cli::open,
    config::{MasterKey, Settings},
};

const NAME: &str = "key";

/// Everything about the keys; what needs a database that is not there is not checked.
pub(super) async fn check(settings: &Settings, store: Option<&Store>) -> Vec<Finding> {
    let name = NAME;
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
    match store {
        None => {
            let says = format!("{} seals and opens (no database to try it on)", vault.sealing_key_id());
            findings.push(Finding::fine(name, says));
        }
        Some(store) => match stored(store, &vault).await {
            Ok(found) => findings.extend(found),
            Err(e) => {
                let says = format!("the stored secrets can't be read: {}", cause(e));
                findings.push(Finding::failure(name, says, ""));
            }
        },
    }
    findings
}

/// The keys against what the database holds.
async fn stored(store: &Store, vault: &Vault) -> Result<Vec<Finding>> {
    let sealing = vault.sealing_key_id();
    let counts = rotate::by_root(&rotate::held(&mut store.read().await?).await?);
    let given = vault.key_ids();
    let others = counts.iter().filter(|(id, _)| *id != sealing);
    let (old, strange): (BTreeMap<_, _>, BTreeMap<_, _>) =
        others.partition(|(id, _)| given.contains(&id.as_str()));
    if !strange.is_empty() {
        let says = format!("stored secrets that the given root keys don't open: {}", shown(&strange));
        let remedy = "Give the keys they were sealed with as well: old keys stay in the list, after the first. \
                      `claviger key list` says what each wraps.";
        return Ok(vec![Finding::failure(NAME, says, remedy)]);
    }
    let mut findings = vec![match open::try_keys(store, vault).await? {
        (0, None) => Finding::fine(NAME, format!("{sealing} seals and opens; nothing is sealed yet")),
        (_, None) => Finding::fine(NAME, format!("{sealing} seals and opens, also what the database holds")),
        (_, Some(e)) => Finding::failure(
            NAME,
            format!("it does not open what the database holds: {}", cause(e)),
            "This is another key than the one it was sealed with. Give that one as well: old keys stay in the list, \
             after the first.",
        ),
    }];
    if !old.is_empty() {
        let says = format!("stored secrets are still wrapped by old root keys: {}", shown(&old));
        let remedy = "Run `claviger key rotate`; keep those keys until it is done.";
        findings.push(Finding::warning(NAME, says, remedy));
    }
    Ok(findings)
}

/// Ids of root keys, each with how much it wraps.
fn shown(counts: &BTreeMap<&String, &i64>) -> String {
    let each = counts.iter().map(|(id, count)| {
        if id.is_empty() { format!("{count} damaged") } else { format!("{count} by {id}") }
    });
    each.collect::<Vec<_>>().join(", ")
}
