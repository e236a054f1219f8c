//! The provider file: its top level and how a file is read.
//!
//! The format is TOML; every table refuses unknown fields. Its parts: [`crate::auth`],
//! [`crate::token`], [`crate::api`], [`crate::identity`]. Nothing in here may hold a secret. Described for people in
//! `docs/providers.md`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use crate::{
    CatalogError,
    api::{Api, RateLimit},
    auth::{Auth, RESERVED},
    certificate::Certificate,
    identity::{Identity, Verify},
    keys::Choice,
    lint,
    merge::{self, Tables},
};

/// A provider: how a third-party service authenticates and where its API lives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its key, which integrations name: `[a-z0-9][a-z0-9-]*`, the file's name without `.toml`.
    pub key: String,
    /// The key of the provider that its file extends, or its own: providers of one family have the same
    /// endpoints, and what a client is granted at one may be the same grant as at another.
    #[serde(skip)]
    pub family: String,
    /// Its name as people know it.
    pub name: String,
    /// What kind of service it is (`crm`, `storage`), for lists.
    pub category: Option<String>,
    /// The provider's own page about its authorization.
    pub docs: Option<String>,
    /// Values that must be known before its URLs are (subdomain, region).
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// How it authenticates: exactly one of the tables that `auth` lists.
    pub auth: Auth,
    /// The client certificate that it wants of TLS connections (RFC 8705 §2).
    pub certificate: Option<Certificate>,
    /// Where its API lives and how a call carries the credential.
    #[serde(default)]
    pub api: Api,
    /// How the connected account's identity is found.
    pub identity: Option<Identity>,
    /// A call that shows whether a credential works.
    pub verify: Option<Verify>,
    /// How the API says that it is being called too often.
    pub rate_limit: Option<RateLimit>,
}

/// A value that a provider's templates need and that someone has to give.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name in templates: `{subdomain}`.
    pub key: String,
    /// Its label on the connect page.
    pub title: String,
    /// A sentence below the label.
    pub description: Option<String>,
    /// An example in the empty field.
    pub placeholder: Option<String>,
    /// What it may look like: an anchored pattern (`^[a-z0-9-]{1,63}$`).
    pub pattern: String,
    /// Whether a connection can't be made without it. Default true.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it is when nobody gave it.
    pub default: Option<String>,
    /// Who gives it. Default `user`.
    #[serde(default)]
    pub asked_of: AskedOf,
    /// The provider's page where a person finds it.
    pub help: Option<String>,
    /// What there is to choose from; whatever the pattern admits where there is nothing.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// Its place among all that is asked for: by number, then in the order of the file. Default 0.
    #[serde(default)]
    pub order: i64,
}

impl Input {
    /// Whether somebody has to give it: it is required, and nothing stands in for it.
    pub fn is_needed(&self) -> bool {
        self.required && self.default.is_none()
    }
}

/// Who gives an input's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskedOf {
    /// Whoever connects an account, on the connect page, unless the integration fixes it.
    #[default]
    User,
    /// Whoever configures the integration; never asked on the connect page.
    Operator,
}

impl Provider {
    /// Reads one file that extends no other, and refuses it when anything in it is an error to [`lint`].
    ///
    /// # Errors
    /// Names the file and the key.
    pub fn parse(file_name: &str, toml: &str) -> Result<Self, CatalogError> {
        Self::checked(file_name, Self::table(file_name, toml)?, &Tables::new())
    }

    /// Reads a file's table over its base, and refuses it when anything in it is an error to [`lint`].
    pub(crate) fn checked(file_name: &str, table: Table, bases: &Tables) -> Result<Self, CatalogError> {
        let provider = Self::read(file_name, table, bases)?;
        match lint::problems(file_name, &provider).into_iter().find(|finding| finding.severity.is_error()) {
            Some(finding) => Err(CatalogError::new(file_name, finding.key, finding.message)),
            None => Ok(provider),
        }
    }

    /// A file's text as a table, before any field has a meaning.
    pub(crate) fn table(file_name: &str, toml: &str) -> Result<Table, CatalogError> {
        toml.parse().map_err(|e: toml::de::Error| CatalogError::new(file_name, ".", e.to_string().trim()))
    }

    /// Reads a file's table over its base, before any check of what its values mean.
    pub(crate) fn read(file_name: &str, table: Table, bases: &Tables) -> Result<Self, CatalogError> {
        let (mut table, family) = merge::resolve(file_name, table, bases)?;
        for kind in RESERVED {
            if table.contains_key(*kind) {
                let message = "this kind of authentication is not offered yet";
                return Err(CatalogError::new(file_name, *kind, message));
            }
        }
        merge::refresh_answer(&mut table);
        merge::grant(&mut table);
        merge::auth(file_name, &mut table)?;
        let provider: Self = serde_path_to_error::deserialize(table).map_err(|e| {
            let path = e.path().to_string();
            let path = path.strip_prefix("auth.").unwrap_or(&path);
            CatalogError::new(file_name, path, e.inner().message().trim())
        })?;
        Ok(Self { family, ..provider })
    }

    /// Inputs that still have to be asked on the connect page: of the user, required, without a default and
    /// not among the values already given.
    pub fn missing_inputs(&self, given: &BTreeMap<String, String>) -> Vec<&Input> {
        self.inputs
            .iter()
            .filter(|input| {
                input.is_needed()
                    && input.asked_of == AskedOf::User
                    && given.get(&input.key).is_none_or(String::is_empty)
            })
            .collect()
    }

    /// What the connect page has fields for, when it is shown: every input of the user that is not among the
    /// values already given. Those that [`Input::is_needed`] must be filled; the others may stay empty.
    /// Whether the page is shown at all does not hang on these: [`Provider::missing_inputs`].
    pub fn page_inputs(&self, given: &BTreeMap<String, String>) -> Vec<&Input> {
        let open = |input: &&Input| given.get(&input.key).is_none_or(String::is_empty);
        self.inputs.iter().filter(|input| input.asked_of == AskedOf::User).filter(open).collect()
    }

    /// Inputs of the operator without which no connection can be made, and which are not among the values
    /// given: the integration has to fix them, for nobody else is ever asked.
    pub fn missing_settings(&self, given: &BTreeMap<String, String>) -> Vec<&Input> {
        let open = |input: &&Input| given.get(&input.key).is_none_or(String::is_empty);
        self.inputs
            .iter()
            .filter(|input| input.asked_of == AskedOf::Operator && input.is_needed())
            .filter(open)
            .collect()
    }
}

pub(crate) const fn yes() -> bool {
    true
}
