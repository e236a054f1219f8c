//! What providers are: data files and their reader.
//!
//! A provider file says how a third-party service authenticates and where its API lives. This crate reads
//! and checks such files and fills their templates. It must never do I/O at run time, know a secret, or
//! name a provider in code. The file format is in [`provider`], the checks in [`lint`], templates in
//! [`template`]; what the fields do on the wire is `claviger_protocol`'s.

pub mod api;
pub mod assertion;
pub mod auth;
pub mod certificate;
mod error;
pub mod exchange;
mod fill;
pub mod identity;
pub mod keys;
pub mod lint;
mod merge;
pub mod oauth1;
pub mod oauth2;
pub mod pattern;
pub mod provider;
pub mod sigv4;
pub mod steps;
pub mod template;
pub mod token;
pub mod workspace_token;

use std::{collections::BTreeMap, sync::Arc};

pub use self::{
    api::{Api, Expired, Place, RateLimit, RateScope, ResetUnit},
    assertion::{Alg, Assertion, Audience},
    auth::{Auth, Kind},
    certificate::{Certificate, CertificateAt, CertificateOf},
    error::CatalogError,
    exchange::Exchange,
    identity::{Call, Identity, IdentitySource, Verify},
    keys::{Choice, FieldsTable, Form, Holds, KeyField, KeyKind, Keys, Label, Part, TypedValue},
    oauth1::{OAuth1, OAuth1Endpoints, Signature, SignaturePlace},
    oauth2::{
        Authorize, Callback, ClientAuth, ClientLabels, ClientSource, EndpointSource, Endpoints, Grant, Grown,
        OAuth2, Pkce, ProofAlgorithm, RevocationScope, RevokeAuth, RevokeCall, RevokedToken, SavedParam,
        Scopes,
    },
    provider::{AskedOf, Input, Provider},
    sigv4::SigV4,
    steps::{SavedStep, Step, Steps},
    template::TemplateError,
    token::{
        AnswerFormat, BodyFormat, ErrorRule, Expires, ExpiresUnit, Lifetime, Method, Refresh, RefreshPlace,
        RefreshWith, SavedField, TokenAnswer, TokenRequest,
    },
    workspace_token::WorkspaceToken,
};

/// The provider files that are compiled in, as (file name, text).
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// All providers that are known, by key.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    providers: BTreeMap<String, Arc<Provider>>,
    tables: merge::Tables,
}

impl Catalog {
    /// The catalog that is compiled in: every file of `crates/catalog/providers`.
    ///
    /// # Errors
    /// When one of the files is not a provider; a test keeps this from being released.
    pub fn builtin() -> Result<Self, CatalogError> {
        let mut catalog = Self::empty();
        catalog.add_all(BUILTIN)?;
        Ok(catalog)
    }

    /// A catalog with nothing in it.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads one provider file and adds it. The file's name must be the provider's key with `.toml`; what it
    /// extends must be there already.
    ///
    /// # Errors
    /// Names the file and the key in it: not TOML, an unknown field, a value that makes no sense, an
    /// authentication kind that is not offered yet, a base that is not known, or a provider key that is taken.
    pub fn add(&mut self, file_name: &str, toml: &str) -> Result<(), CatalogError> {
        self.add_all(&[(file_name, toml)])
    }

    /// Reads provider files, as (file name, text), and adds all of them or none. Their order does not matter:
    /// one may extend another of them.
    ///
    /// # Errors
    /// As [`Catalog::add`]
    pub fn add_all(&mut self, files: &[(&str, &str)]) -> Result<(), CatalogError> {
        let mut next = self.clone();
        let mut read = Vec::new();
        for (name, text) in files {
            let table = Provider::table(name, text)?;
            if let Some(key) = table.get("key").and_then(toml::Value::as_str) {
                next.tables.entry(key.to_owned()).or_insert_with(|| table.clone());
            }
            read.push((*name, table));
        }
        for (name, table) in read {
            let provider = Provider::checked(name, table, &next.tables)?;
            if next.providers.contains_key(&provider.key) {
                let message = format!("another provider has the key `{}`", provider.key);
                return Err(CatalogError::new(name, "key", message));
            }
            next.providers.insert(provider.key.clone(), Arc::new(provider));
        }
        *self = next;
        Ok(())
    }

    /// The family of the provider with this key ([`Provider::family`]); one that is not known is its own.
    pub fn family<'a>(&'a self, key: &'a str) -> &'a str {
        self.providers.get(key).map_or(key, |provider| &provider.family)
    }

    /// The provider with this key.
    pub fn get(&self, key: &str) -> Option<Arc<Provider>> {
        self.providers.get(key).cloned()
    }

    /// All providers, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The compiled-in files as (file name, text), for `claviger catalog check`.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        BUILTIN
    }
}

#[cfg(test)]
mod tests;
