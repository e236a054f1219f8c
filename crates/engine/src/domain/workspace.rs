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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            include_connection_id: true,
            include_external_id: true,
            completion: Completion::Redirect,
            allowed_origins: Vec::new(),
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
