//! The flow: one authorization in progress, single use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        connection::{Onto, Owner},
        integration::CallbackKind,
        workspace::Completion,
    },
    id::{ConnectionId, FlowId, IntegrationId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// A flow as kept. Only hashes of what the browser and the provider hold; the verifier is sealed.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its id; the hosted pages' URLs name it, the browser cookie opens it.
    pub id: FlowId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Which integration is being connected.
    pub integration_id: IntegrationId,
    /// The integration's version at the start.
    pub integration_version: i64,
    /// Hex SHA-256 of the browser-id cookie.
    pub browser_hash: String,
    /// Hex SHA-256 of the state, once the browser was sent to the provider.
    pub state_hash: Option<String>,
    /// The sealed PKCE verifier, once minted and where the provider takes one.
    pub verifier: Option<Sealed>,
    /// For whom.
    pub owner: Owner,
    /// Which connection what comes of it goes over.
    pub onto: Onto,
    /// What the connection is to be called, where that was told.
    pub name: Option<String>,
    /// By which of the integration's auth options, by key; `None` for the integration's own way.
    pub auth_option: Option<String>,
    /// Hex SHA-256 of the id by which somebody listens for its end.
    pub request: Option<String>,
    /// What the provider's `state` carries behind ours.
    pub custom_state: Option<String>,
    /// How it completes, as the workspace said at the start.
    pub completion: Completion,
    /// What to do with the browser when it ends.
    pub handoff: Handoff,
    /// The callback kind it was begun with.
    pub callback: CallbackKind,
    /// Provider inputs given so far.
    pub inputs: BTreeMap<String, String>,
    /// What the exchange needs, resolved at the start.
    pub endpoints: Option<Endpoints>,
    /// When it stops being good.
    pub expires_at: Millis,
    /// When a callback took it.
    pub taken_at: Option<Millis>,
    /// Hex SHA-256 of the callback's whole query, to know a repeated one.
    pub callback_hash: Option<String>,
    /// The sealed outcome (a URL or a page), for a repeated callback.
    pub outcome: Option<Sealed>,
    /// Completion `server`: the provider's code, sealed and unredeemed.
    pub provider_code: Option<Sealed>,
    /// Hex SHA-256 of the one-time code that went to the product.
    pub code_hash: Option<String>,
    /// When that code stops being good.
    pub code_expires_at: Option<Millis>,
    /// When it was spent.
    pub code_used_at: Option<Millis>,
    /// Hex SHA-256 of the session cookie that it was begun with, when a signed-in user's browser began it: it ends
    /// only while that session lasts.
    pub session_hash: Option<String>,
    /// The origin that the provider sends the browser back to, when that is not the public URL.
    pub origin: Option<String>,
    /// The connection that came of it.
    pub connection_id: Option<ConnectionId>,
    /// What the provider gave to enter elsewhere (RFC 8628 §3.2), sealed, until the flow has ended.
    pub device: Option<Sealed>,
    /// When the provider is asked next what came of that.
    pub poll_at: Option<Millis>,
    /// When it was begun.
    pub created_at: Millis,
}

/// What the callback and the exchange are checked against: taken at the start, so that nothing changes under a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// The issuer that a callback's `iss` must equal, where known (RFC 9207).
    pub issuer: Option<String>,
    /// Whether a callback without `iss` is refused.
    pub iss_required: bool,
    /// Where temporary credentials are requested (RFC 5849 §2.1), for OAuth 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_token_url: Option<String>,
    /// Where the browser is sent.
    pub authorize_url: String,
    /// Where the code is redeemed; for OAuth 1, where the token is requested (RFC 5849 §2.3).
    pub token_url: String,
    /// Where tokens are refreshed, when not at the token endpoint.
    pub refresh_url: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revoke_url: Option<String>,
    /// Where it is asked whether a token still works (RFC 7662).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspect_url: Option<String>,
    /// Where the account's identity is asked.
    pub userinfo_url: Option<String>,
    /// Where a code for another device is asked for (RFC 8628 §3.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_url: Option<String>,
    /// Where the authorization request is pushed to (RFC 9126 §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub par_url: Option<String>,
    /// The redirect URI that was sent to the provider.
    pub redirect_uri: String,
    /// The scopes that were asked for.
    pub scopes: Vec<String>,
    /// Hex SHA-256 of the nonce that an ID token has to repeat (OpenID Connect Core §3.1.2.1), where one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce_hash: Option<String>,
}

/// How the browser is handed back. Chosen at the start by the door, performed at the end by the callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Handoff {
    /// To a registered redirect URI, with parameters in a door's style.
    Redirect {
        /// The registered URI, exactly as given.
        uri: String,
        /// Which parameters, in which words.
        style: Style,
        /// The integration as the caller named it, by id or key: said back in the same words.
        integration: String,
        /// The product's state as it goes on the wire, percent-encoded, returned byte for byte.
        state: Option<String>,
    },
    /// To whoever opened the window: by a message, and by a row for the event stream (see [`Flow::request`]).
    Popup {
        /// The origin that may hear the message, or `*`; `None` where no page may.
        target: Option<String>,
        /// The id by which the caller knows its request.
        request: Option<String>,
        /// The registered URI to go to instead of a page of ours, where one was given.
        uri: Option<String>,
    },
    /// To our own page, which says how it ended.
    Landing {
        /// The integration's name, for that page.
        integration: String,
    },
}

/// Whose words the redirect's parameters are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `connection_id`, `integration_id`, `external_id`, `code`, `state` · `error`, `error_description`, `state`.
    BundleUp,
    /// `integrationId`, `connectionId` · `error`, `error_description`, `integrationId`.
    Informer,
}
