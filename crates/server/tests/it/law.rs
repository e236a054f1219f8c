//! The law of the house: who may import what, how long a file may be, and that docs/architecture.md lists
//! exactly the modules that exist. Plain text search, no dependency: it may be fooled on purpose, not by accident.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Per crate: which of ours it may depend on, and what its code may never say.
const CRATES: [(&str, &[&str], &[&str]); 5] = [
    ("catalog", &[], &["tokio::", "hyper::", "sqlx::", "axum::", "std::net::Tcp", "std::time::", "jiff::"]),
    (
        "protocol",
        &["catalog"],
        &[
            "tokio::",
            "hyper::",
            "hyper_util::",
            "sqlx::",
            "axum::",
            "std::net::Tcp",
            "SystemTime",
            "Instant::now",
        ],
    ),
    ("engine", &["catalog", "protocol"], &["axum::", "tower_http::", "minijinja::", "clap::"]),
    ("sandbox", &[], &["sqlx::"]),
    (
        "server",
        &["catalog", "engine", "sandbox"],
        &["sqlx::", "hyper_util::client", "hyper::client", "hyper_rustls"],
    ),
];

/// The engine's layers: a module may use its own layer and those before it.
const LAYERS: [&[&str]; 6] = [
    &["error", "id", "time", "secret", "fail", "name"],
    &["domain"],
    &["store", "vault", "outbound", "limit", "memory"],
    &["webhook", "access"],
    &["refresh", "connect"],
    &[
        "proxy",
        "setup",
        "management",
        "member",
        "customer",
        "desk",
        "process",
        "watch",
        "retention",
        "gauges",
        "rotate",
        "scrub",
        "jobs",
        "metrics",
    ],
];

/// What only one module of the engine may say.
const ONLY: [(&str, &str); 5] = [
    ("sqlx::", "store"),
    ("aws_lc_rs::aead", "vault"),
    ("hyper_util::client", "outbound"),
    ("hyper::client", "outbound"),
    ("argon2::", "vault"),
];

const CAP: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source file under a folder, tests apart, with its path below it.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).unwrap_or_else(|e| panic!("{}: {e}", at.display())) {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if name.split('/').any(|part| part.trim_end_matches(".rs").ends_with("tests")) {
                continue;
            }
            if path.is_dir() {
                left.push(path);
            } else if name.ends_with(".rs") {
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments, no blank lines, nothing after its inline tests begin.
fn code(text: &str) -> Vec<&str> {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    body.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")).collect()
}

/// The first path segments after `crate::`, braces unfolded; `vault::Sealed` and its `Aad` are plain words.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let grouped = usize::from(rest.starts_with('{'));
        let mut depth = 0_usize;
        let mut name = String::new();
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ if depth == grouped => name.push(c),
                _ => {}
            }
            if depth == 0 && !(c.is_alphanumeric() || "_:}".contains(c)) {
                break;
            }
        }
        for path in name.split(',').map(str::trim).filter(|p| !p.starts_with("vault::Sealed")) {
            let first = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
            found.insert(first.to_owned());
        }
    }
    found
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn each_crate_imports_what_it_may() {
    for (name, ours, never) in CRATES {
        let dir = root().join("crates").join(name);
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines().filter_map(|l| l.strip_prefix("claviger-")) {
            let other = line.split(['.', ' ']).next().unwrap();
            assert!(ours.contains(&other), "{name} must not depend on {other}");
        }
        for (file, text) in files(&dir.join("src")) {
            for line in code(&text) {
                let said = never.iter().find(|word| line.contains(**word));
                assert!(said.is_none(), "{name}/{file} must not say {}: {line}", said.unwrap());
            }
        }
    }
}

#[test]
fn the_engine_imports_downwards() {
    for (file, text) in files(&root().join("crates/engine/src")) {
        let module = file.split('/').next().unwrap().trim_end_matches(".rs");
        let code = code(&text).join("\n");
        for (word, owner) in ONLY {
            assert!(!code.contains(word) || module == owner, "only {owner} may say {word}, not {file}");
        }
        let Some(own) = layer(module) else {
            assert!(["lib", "broker"].contains(&module), "{module} has no layer: name it in law.rs");
            continue;
        };
        for import in imports(&code) {
            let below = layer(&import).is_none_or(|theirs| theirs <= own);
            assert!(below, "{file} imports {import}, which is above it");
            assert!(import != "broker" || own >= 3, "{file} is too low for the broker");
        }
    }
}

#[test]
fn only_the_router_imports_a_surface() {
    for (file, text) in files(&root().join("crates/server/src")) {
        let own = file.strip_prefix("surface/").map(|rest| rest.split(['/', '.']).next().unwrap());
        for line in code(&text) {
            for (at, _) in line.match_indices("surface::") {
                let other =
                    line[at + "surface::".len()..].split(|c: char| !c.is_alphanumeric()).next().unwrap();
                // The command prints the document that the surface describes itself with.
                let fine = file == "router.rs" || own == Some(other) || file == "cli/openapi.rs";
                assert!(fine, "{file} imports a surface, which only router.rs may: {line}");
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_the_cap() {
    for (name, ..) in CRATES {
        for (file, text) in files(&root().join("crates").join(name).join("src")) {
            let lines = code(&text).len();
            assert!(lines <= CAP, "{name}/{file} has {lines} lines of code, more than {CAP}");
        }
    }
}

#[test]
fn the_architecture_page_lists_exactly_the_modules_that_exist() {
    let mut exist = BTreeSet::new();
    for (name, ..) in CRATES {
        for (file, _) in files(&root().join("crates").join(name).join("src")) {
            let path = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            if path != "lib" && path != "main" {
                exist.insert(format!("{name}::{path}"));
            }
        }
    }
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let block = page.split("<!-- modules -->").nth(1).expect("the page has a modules block");
    let named = block.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<String> = named.map(str::to_owned).collect();
    let missing: Vec<_> = exist.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&exist).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:#?}\nlisted but gone: {gone:#?}");
}
