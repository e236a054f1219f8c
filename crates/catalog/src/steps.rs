//! The table `[steps]`: credentials of any kind that are exchanged for a token in one or two requests of the provider's
//! own making.
//!
//! Whoever connects types the credentials in; the requests, and how the token is read out of the last answer, are data.
//! When the token ends, the requests are made again. Must never hold a credential. What the fields do on the wire is
//! `claviger_protocol::steps`'.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    keys::{FieldsTable, KeyKind, Keys},
    provider::yes,
    token::{BodyFormat, Lifetime, Method, TokenAnswer},
};

/// The most requests that there may be.
pub const MOST: usize = 2;

/// The exchange of typed credentials for a token.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// What is typed in, in the order of the file.
    fields: FieldsTable,
    /// The requests, one after the other.
    #[serde(default)]
    pub request: Vec<Step>,
    /// The answer to the last of them, as a token endpoint's. Its rule for errors holds for all of them.
    #[serde(default)]
    pub answer: TokenAnswer,
    /// Statuses besides 401 and 403 by which the provider says that it does not take what was typed.
    #[serde(default)]
    pub refused: Vec<u16>,
    /// How long a token lives when neither the answer nor the token says so: seconds or `"never"`.
    pub lifetime: Option<Lifetime>,
    /// What is typed in.
    #[serde(skip)]
    pub typed: Option<Keys>,
}

impl Steps {
    /// The same with what is typed in.
    #[must_use]
    pub(crate) fn asking(self) -> Self {
        let typed = Some(Keys { kind: KeyKind::Steps, ..self.fields.clone().into() });
        Self { typed, ..self }
    }

    /// Values that are taken out of answers on the way, by name.
    pub fn saved(&self) -> impl Iterator<Item = (&String, &SavedStep)> {
        self.request.iter().flat_map(|step| &step.save)
    }
}

/// One request. Its texts may name inputs, what was typed in, and what an earlier answer gave; its URL no secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Where it goes; a template.
    pub url: String,
    /// Default `POST`.
    #[serde(default)]
    pub method: Method,
    /// How `params` are sent. Default `form`.
    #[serde(default)]
    pub format: BodyFormat,
    /// Parameters; values may be templates.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Headers; values may be templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What goes into `Authorization: Basic`: `{username}:{password}` (RFC 7617).
    pub basic: Option<String>,
    /// The JSON body where it is not an object of `params`; a template whose values stand inside JSON texts.
    pub body: Option<String>,
    /// Values kept of the answer: name → path.
    #[serde(default)]
    pub save: BTreeMap<String, SavedStep>,
}

/// A value kept of an answer on the way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStep {
    /// Its path.
    pub path: String,
    /// Whether it is a secret. Default true: then it stands in no URL, and is sealed with the token.
    #[serde(default = "yes")]
    pub secret: bool,
    /// What it may look like: an anchored pattern. Needed when a URL uses the value.
    pub pattern: Option<String>,
}
