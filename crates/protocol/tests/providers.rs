//! Each provider file of the catalog against what the provider's own documentation shows, byte for byte.
//!
//! A table, `providers/<key>.toml`, walks one connection through a provider: the authorization URL, the
//! exchange, answers of the token endpoint, the refresh, the account, the revocation, a call; or, where a person types
//! the credential in, through what can be typed, the calls that verify it, the account and a call; or what else its
//! kind of authentication has. Each request is
//! compared whole; each documented answer is read. The shape of a table is in [`table`]; every built-in
//! provider has one, but those whose endpoints an integration brings along.
//!
//! Fixed for all tables: client `client-1` with the secret `secret-1`, redirect URI
//! `https://connect.example/oauth2/callback`, state `state-1`, code `code-1`, the verifier of RFC 7636
//! Appendix B, and the time 1 800 000 000 000 ms.
//!
//! `cargo test -p claviger-protocol --test providers` runs all tables and prints each difference.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "providers/compare.rs"]
mod compare;
#[path = "providers/table.rs"]
mod table;
#[path = "providers/walk.rs"]
mod walk;

use std::{collections::BTreeSet, fs, path::Path};

use claviger_catalog::Catalog;

/// Providers whose endpoints, or whose API, are the integration's: there are no bytes to compare.
const WITHOUT: &[&str] = &[
    "apikey",
    "basic",
    "bearer",
    "client-credentials",
    "jwt-bearer",
    "membrane-token",
    "mtls",
    "oauth1",
    "device",
    "oauth2",
    "oidc",
    "oidc-device",
    "s3-compatible",
    "sandbox",
];

/// The tables, as (key, text).
fn tables() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/providers");
    let mut out: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the folder of the tables")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let key = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (key, fs::read_to_string(&path).expect("a table"))
        })
        .collect();
    out.sort();
    out
}

#[test]
fn every_provider_speaks_as_its_documentation_shows() {
    let catalog = Catalog::builtin().expect("the catalog");
    let mut differences = Vec::new();
    for (key, text) in tables() {
        let found = match (catalog.get(&key), table::read(&text)) {
            (None, _) => vec!["there is no such provider".to_owned()],
            (_, Err(error)) => vec![format!("the table can't be read: {error}")],
            (Some(provider), Ok(table)) => walk::differences(&provider, &table),
        };
        differences.extend(found.into_iter().map(|difference| format!("{key}.toml: {difference}")));
    }
    assert!(differences.is_empty(), "{} differences\n\n{}\n", differences.len(), differences.join("\n\n"));
}

#[test]
fn every_provider_has_a_table() {
    let catalog = Catalog::builtin().expect("the catalog");
    let tables: BTreeSet<String> = tables().into_iter().map(|(key, _)| key).collect();
    let without: Vec<&str> = catalog
        .iter()
        .map(|provider| provider.key.as_str())
        .filter(|key| !WITHOUT.contains(key) && !tables.contains(*key))
        .collect();
    assert!(without.is_empty(), "without crates/protocol/tests/providers/<key>.toml: {without:?}");
}
