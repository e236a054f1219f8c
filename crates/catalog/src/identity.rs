//! The tables `[identity]` and `[verify]`: who the connected account is, and whether a credential works.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::token::{BodyFormat, ErrorRule, Method, SavedField};

/// How the connected account's identity is found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where it is told. Default `userinfo`.
    #[serde(default)]
    pub source: IdentitySource,
    /// The call, for `source = "call"`.
    pub call: Option<Call>,
    /// Path of the account's stable id.
    pub id: String,
    /// Paths of a name to show; the first that holds one is taken.
    #[serde(default)]
    pub name: Vec<String>,
    /// Path of an e-mail address.
    pub email: Option<String>,
    /// Values kept for templates: name → path.
    #[serde(default)]
    pub save: BTreeMap<String, SavedField>,
}

/// Where the identity is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentitySource {
    /// The userinfo endpoint (OpenID Connect Core §5.3).
    #[default]
    Userinfo,
    /// A call of its own.
    Call,
    /// The ID token's claims.
    IdToken,
    /// Values saved from the callback or the token answer; paths are their names.
    Saved,
}

/// One call to the provider's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Default `GET`.
    #[serde(default = "get")]
    pub method: Method,
    /// A full URL, or a path below the API's base URL; a template.
    pub url: String,
    /// How `params` are sent. Default `query`.
    #[serde(default = "query")]
    pub format: BodyFormat,
    /// Parameters; values may be templates.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// The JSON body, word for word, where it is not an object of `params`: `null`.
    pub body: Option<String>,
    /// Headers; values may be templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl Call {
    /// A plain GET of this URL.
    pub fn get(url: &str) -> Self {
        Self {
            method: Method::Get,
            url: url.to_owned(),
            format: BodyFormat::Query,
            params: BTreeMap::new(),
            body: None,
            headers: BTreeMap::new(),
        }
    }
}

/// A credential works when one of these calls is answered with 2xx. The first that is neither 404 nor 403
/// decides (providers with several plans or hosts).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// How an error inside a success is known. Its `invalid_grant` names the codes that mean that the
    /// credential is refused.
    #[serde(default)]
    pub error: ErrorRule,
    /// Statuses besides 401 that mean that the credential is refused: 403, where it is not about what may be read.
    #[serde(default)]
    pub refused: Vec<u16>,
}

const fn get() -> Method {
    Method::Get
}

const fn query() -> BodyFormat {
    BodyFormat::Query
}
