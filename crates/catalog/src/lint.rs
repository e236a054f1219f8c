//! What is wrong with a provider file, all of it at once: `claviger catalog check` prints this.
//!
//! Errors keep a file out of the catalog; warnings are for the reviewer. The single rules are in `rules`, and by
//! kind in files of their own.
//! Must never change a file's meaning: it only looks.

mod asked;
mod assertion;
mod certificate;
mod device;
mod exchange;
mod expired;
mod form;
mod grant;
mod keys;
mod oauth1;
mod rules;
mod sigv4;
mod steps;
mod templates;

use crate::{Provider, merge};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but a person should look.
    Warning,
    /// The file is refused.
    Error,
}

impl Severity {
    /// Whether the file is refused for it.
    pub fn is_error(self) -> bool {
        self == Self::Error
    }
}

/// One thing found in a provider file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// The key in it, dotted; `.` is the file as a whole.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.severity.is_error() { "error" } else { "warning" };
        write!(f, "{}: {}: {word}: {}", self.file, self.key, self.message)
    }
}

/// Everything that is wrong with this file; empty means fine. It may extend a provider that is compiled in.
pub fn check(file_name: &str, toml: &str) -> Vec<Finding> {
    check_all(&[(file_name, toml)])
}

/// Everything that is wrong with these files, as (file name, text). One may extend another of them, or a
/// provider that is compiled in.
pub fn check_all(files: &[(&str, &str)]) -> Vec<Finding> {
    let mut bases = merge::Tables::new();
    for (name, text) in crate::BUILTIN.iter().chain(files) {
        let table = Provider::table(name, text).unwrap_or_default();
        if let Some(key) = table.get("key").and_then(toml::Value::as_str) {
            bases.insert(key.to_owned(), table);
        }
    }
    files.iter().flat_map(|(name, text)| check_over(name, text, &bases)).collect()
}

fn check_over(file_name: &str, toml: &str, bases: &merge::Tables) -> Vec<Finding> {
    let read = Provider::table(file_name, toml).and_then(|table| Provider::read(file_name, table, bases));
    match read {
        Ok(provider) => problems(file_name, &provider),
        Err(error) => vec![Finding {
            file: error.file,
            key: error.key,
            severity: Severity::Error,
            message: error.message,
        }],
    }
}

/// Everything that is wrong with a provider that could be read.
pub(crate) fn problems(file_name: &str, provider: &Provider) -> Vec<Finding> {
    let mut list = rules::List::new(file_name);
    rules::head(provider, &mut list);
    rules::values(provider, &mut list);
    rules::oauth2(provider, &mut list);
    oauth1::check(provider, &mut list);
    keys::check(provider, &mut list);
    certificate::check(provider, &mut list);
    device::check(provider, &mut list);
    asked::check(provider, &mut list);
    exchange::check(provider, &mut list);
    sigv4::check(provider, &mut list);
    steps::check(provider, &mut list);
    rules::api(provider, &mut list);
    expired::check(provider, &mut list);
    list.findings
}

#[cfg(test)]
mod tests;
