//! The workspace: the tenant boundary. Every other row belongs to one.

use serde::{Deserialize, Serialize};

use crate::{id::WorkspaceId, time::Millis, vault::Sealed};

/// A workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its id, which never leaves the API.
    pub id: WorkspaceId,
    /// What its operators call it; customers read it on the confirm page.
    pub name: String,
    /// The public client id that `/authorize` is called with.
    pub client_id: String,
    /// The sealed HMAC secret that Membrane-style tokens are signed with.
    pub jwt_secret: Option<Sealed>,
    /// Its settings.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// What a workspace can set. Kept as JSON; an unknown field is refused when set, ignored when read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// "Include connection ID in Auth responses".
    pub include_connection_id: bool,
    /// "Include external ID in Auth responses".
    pub include_external_id: bool,
    /// How an authorization completes.
    pub completion: Completion,
    /// Origins that may frame hosted pages and receive messages.
    pub allowed_origins: Vec<String>,
    /// Which of a product's tokens hold.
    pub jwt: Jwt,
    /// In whose name hosted pages speak.
    pub brand: Brand,
}

/// The languages that a workspace's pages may be fixed to, as RFC 5646 names them.
pub const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

/// In whose name hosted pages speak, besides the logo, which is a row of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brand {
    /// The product's name, where that is not the workspace's.
    pub name: Option<String>,
    /// Its colour: `#rrggbb`.
    pub colour: Option<String>,
    /// The language of its pages, one of [`LANGUAGES`]; `None` for the one that each browser asks for.
    pub language: Option<String>,
}

/// Which of a product's tokens hold, besides those signed with a registered key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwt {
    /// Whether those signed with the workspace's secret do.
    pub secret: bool,
    /// The one algorithm for which the secret is; `None` for each of [`Hmac`].
    pub algorithm: Option<Hmac>,
    /// Whether those do that never end.
    pub allow_without_exp: bool,
}

impl Default for Jwt {
    fn default() -> Self {
        Self { secret: true, algorithm: None, allow_without_exp: false }
    }
}

/// An algorithm for which a secret is (RFC 7518 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hmac {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
}

impl Hmac {
    /// As tokens name it in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    /// Reads what [`Hmac::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::HS256, Self::HS384, Self::HS512].into_iter().find(|it| it.as_str() == text)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            include_connection_id: true,
            include_external_id: true,
            completion: Completion::Redirect,
            allowed_origins: Vec::new(),
            jwt: Jwt::default(),
            brand: Brand::default(),
        }
    }
}

/// How an authorization completes: what stands between a sent link and a hijacked connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Completion {
    /// The contract's default and the weakest: the redirect hands out a usable connection.
    Redirect,
    /// A hosted page before the provider names product, integration and owner, and wants a click.
    Confirm,
    /// The redirect carries `code` and `state` only; the product's server completes at `POST /connection`.
    Server,
}

impl Completion {
    /// As it is kept and configured.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Confirm => "confirm",
            Self::Server => "server",
        }
    }

    /// Reads what [`Completion::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Redirect, Self::Confirm, Self::Server].into_iter().find(|c| c.as_str() == text)
    }
}
