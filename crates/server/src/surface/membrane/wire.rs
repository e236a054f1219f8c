//! Connections and integrations, as this door writes them: for lists, for answers, and for the message at a flow's end.
//!
//! Nothing in them is secret. What is not there is absent, for the vendor's SDKs take null for a value.

use std::collections::BTreeMap;

use claviger_catalog::Kind;
use claviger_engine::{
    customer::{
        connection::Shown,
        integration::{Offered, Way},
    },
    domain::connection::Status,
    id::CustomerId,
    time::Millis,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schema;

/// A connection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Connection)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// What it is called; the integration's name when nobody said.
    name: String,
    /// The customer's `id`, as `/self` and `/customers` have it.
    #[schema(example = "cus_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    user_id: Option<String>,
    /// The same, as newer clients call it.
    tenant_id: Option<String>,
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    integration: Brief,
    /// The key of the integration's provider.
    connector_id: String,
    /// By which auth option it was made; absent for the integration's own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_option_key: Option<String>,
    /// Whether calls can be made with it.
    connected: bool,
    /// The contrary.
    disconnected: bool,
    /// The contrary too.
    is_defunct: bool,
    /// Whether whoever runs the server has frozen it.
    is_deactivated: bool,
    /// Always false: there are no others.
    is_test: bool,
    /// `READY`; `CLIENT_ACTION_REQUIRED` when its customer has to authorize again, `CONFIGURATION_ERROR` while it is frozen,
    /// `DISCONNECTING` when it was archived.
    #[schema(example = "READY")]
    state: &'static str,
    /// Why calls can't be made with it: an error of this door. Absent while they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::error::Problem>)]
    error: Option<Value>,
    /// The same, in a list.
    #[schema(value_type = Vec<super::error::Problem>)]
    errors: Vec<Value>,
    /// Whether its provider can be asked whether it still works.
    can_test: bool,
    /// Whether its credential can be made anew without its customer.
    can_refresh_credentials: bool,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
    /// When it was archived: calls can't be made with it any more, and its credential is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    /// When it was last authorized, refreshed or, to the minute, called with.
    last_active_at: String,
    /// When its access token expires, as far as the provider tells; it is refreshed before, when a call needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_credentials_refresh_at: Option<String>,
    /// When a refresh is tried again after one that failed in passing: until then none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_timestamp: Option<String>,
    /// How many refreshes in a row failed in passing.
    retry_attempts: i64,
    /// For admins who ask for it: what it was made with that is no secret.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    values: Option<Values>,
}

/// What a connection was made with that is no secret.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionValues)]
#[serde(rename_all = "camelCase")]
pub struct Values {
    parameters: BTreeMap<String, String>,
    /// The same, as newer clients call it.
    input: BTreeMap<String, String>,
    connector_parameters: BTreeMap<String, String>,
}

/// The integration of a connection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionIntegration)]
pub struct Brief {
    id: String,
    #[schema(example = "google-drive")]
    key: String,
    name: String,
}

/// An integration.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Integration)]
#[serde(rename_all = "camelCase")]
pub struct Integration {
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    #[schema(example = "google-drive")]
    key: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    logo_uri: String,
    /// The key of its provider.
    connector_id: String,
    /// `READY`, or `CONFIGURATION_ERROR` while no way to authenticate is configured.
    #[schema(example = "READY")]
    state: &'static str,
    /// Always empty.
    errors: Vec<String>,
    /// Goes up with every change of configuration.
    #[schema(example = "1")]
    revision: String,
    /// Whether something is missing without which nobody can connect.
    has_missing_parameters: bool,
    /// Whether no new connections can be made.
    is_deactivated: bool,
    /// Always true: integrations are configured by whoever runs the server.
    is_read_only: bool,
    /// Always false: there are no others.
    is_test: bool,
    /// What has to be registered at the provider, where browsers come back from it.
    #[serde(rename = "oAuthCallbackUri", skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://connect.example.com/oauth-callback")]
    callback_uri: Option<String>,
    /// The key set (JWKS) to register at the provider, where the client shows who it is with a key of ours.
    #[serde(rename = "jwksUri", skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    /// How its own way authenticates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "oauth2")]
    auth_type: Option<&'static str>,
    /// The ways to authenticate. None while none is configured.
    auth_options: Vec<AuthOption>,
    /// What the calling customer connected last, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Connection>)]
    connection: Option<Value>,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
}

/// A way to authenticate.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AuthOption)]
#[serde(rename_all = "camelCase")]
pub struct AuthOption {
    /// What `authOptionKey` has to be; absent for the integration's own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// `oauth2`, `oauth1`, `client-credentials`, `proxy` or `membrane-token`.
    #[serde(rename = "type")]
    #[schema(example = "oauth2")]
    kind: &'static str,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The JSON Schema of `connectionParameters`.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// The same, as older clients read it.
    #[schema(value_type = Object)]
    ui: Value,
    /// What has to be registered at the provider, where browsers come back from it.
    #[serde(rename = "oAuthCallbackUri", skip_serializing_if = "Option::is_none")]
    callback_uri: Option<String>,
    /// The key set (JWKS) to register at the provider, where the client shows who it is with a key of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    /// The JSON Schema of `connectorParameters`, where callers may give any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    connector_parameters_schema: Option<Value>,
}

/// How an integration's connections authenticate.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectorSpec)]
pub struct Spec {
    /// The key of the provider.
    id: String,
    key: String,
    name: String,
    /// Its own way (`type`, `title`, `ui.schema`), and under `options` the others by key.
    #[schema(value_type = Object)]
    auth: Value,
}

/// Some connections.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionPage)]
pub struct Connections {
    #[schema(value_type = Vec<Connection>)]
    /// The connections, newest first.
    pub items: Vec<Value>,
    /// Where the next page begins. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Some integrations.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IntegrationPage)]
pub struct Integrations {
    /// The integrations, oldest first.
    pub items: Vec<Integration>,
    /// Where the next page begins. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A connection.
pub fn connection(shown: &Shown) -> Value {
    json!(told(shown, None))
}

/// The same, for an admin who asks for what it was made with.
pub fn connection_with_values(shown: &Shown) -> Value {
    let tunable = &shown.integration.config.connector_parameters;
    let (said, parameters): (BTreeMap<_, _>, BTreeMap<_, _>) =
        shown.connection.inputs.clone().into_iter().partition(|(key, _)| tunable.contains(key));
    let values = Values { input: parameters.clone(), parameters, connector_parameters: said };
    json!(told(shown, Some(values)))
}

fn told(shown: &Shown, values: Option<Values>) -> Connection {
    let Shown { connection, integration, customer_id, archived_at, health, .. } = shown;
    let unusable = unusable(shown);
    let ready = unusable.is_none();
    let error = unusable.as_ref().map(
        |(_, message)| json!({ "type": "connection", "key": "connection_is_defunct", "message": message }),
    );
    // The product's own id stands in for ours where the customer is not known any more: there always is one.
    let customer = customer_id.as_ref().map(CustomerId::to_string).or_else(|| connection.owner.key.clone());
    let authorized = connection.authorized_at;
    let active =
        [connection.refreshed_at, health.last_used_at].into_iter().flatten().fold(authorized, Millis::max);
    let next_refresh = connection.expires_at.filter(|_| ready && shown.can_refresh);
    Connection {
        id: connection.id.to_string(),
        name: connection.name.as_ref().unwrap_or(&integration.name).clone(),
        user_id: customer.clone(),
        tenant_id: customer,
        integration_id: integration.id.to_string(),
        integration: Brief {
            id: integration.id.to_string(),
            key: integration.key.clone(),
            name: integration.name.clone(),
        },
        connector_id: integration.provider.clone(),
        auth_option_key: connection.auth_option.clone(),
        connected: ready,
        disconnected: !ready,
        is_defunct: !ready,
        is_deactivated: connection.frozen_at.is_some(),
        is_test: false,
        state: unusable.map_or("READY", |(state, _)| state),
        errors: error.iter().cloned().collect(),
        error,
        can_test: ready && shown.can_test,
        can_refresh_credentials: ready && shown.can_refresh,
        created_at: connection.created_at.rfc3339(),
        updated_at: connection.updated_at.rfc3339(),
        archived_at: archived_at.map(Millis::rfc3339),
        last_active_at: active.rfc3339(),
        next_credentials_refresh_at: next_refresh.map(Millis::rfc3339),
        next_retry_timestamp: health.retry_at.filter(|_| ready).map(Millis::rfc3339),
        retry_attempts: health.failures,
        values,
    }
}

/// Why calls can't be made with a connection: its state, and in words. `None` when they can.
fn unusable(shown: &Shown) -> Option<(&'static str, String)> {
    let Shown { connection, archived_at, .. } = shown;
    match connection.status {
        _ if archived_at.is_some() => Some(("DISCONNECTING", "The connection was archived".to_owned())),
        _ if connection.frozen_at.is_some() => {
            Some(("CONFIGURATION_ERROR", "The connection is frozen".to_owned()))
        }
        Status::Active => None,
        Status::NeedsReauth => {
            let reason = connection.status_reason.as_deref();
            let reason = reason.unwrap_or("its provider does not take its credential any more");
            let message = format!("The connection must be authorized again: {reason}");
            Some(("CLIENT_ACTION_REQUIRED", message))
        }
    }
}

/// An integration. `origin` is where browsers reach us.
pub fn integration(offered: &Offered, origin: &str) -> Integration {
    let Offered { integration, ways, connection: mine } = offered;
    let configured = !ways.is_empty();
    let own = ways.iter().find(|way| way.key.is_none());
    Integration {
        id: integration.id.to_string(),
        key: integration.key.clone(),
        name: integration.name.clone(),
        description: integration.description.clone(),
        logo_uri: format!("{origin}/images/icons/integrations/{}.svg", integration.provider),
        connector_id: integration.provider.clone(),
        state: if configured { "READY" } else { "CONFIGURATION_ERROR" },
        errors: Vec::new(),
        revision: integration.version.to_string(),
        has_missing_parameters: !configured,
        is_deactivated: integration.disabled_at.is_some(),
        is_read_only: true,
        is_test: false,
        callback_uri: own.and_then(|way| way.redirect_uri.clone()),
        jwks_uri: own.and_then(|way| way.jwks_uri.clone()),
        auth_type: own.map(kind),
        auth_options: ways.iter().map(auth_option).collect(),
        connection: mine.as_ref().map(connection),
        created_at: integration.created_at.rfc3339(),
        updated_at: integration.updated_at.rfc3339(),
    }
}

/// A way to authenticate.
pub fn auth_option(way: &Way) -> AuthOption {
    AuthOption {
        key: way.key.clone(),
        kind: kind(way),
        title: way.title.clone(),
        description: way.description.clone(),
        input_schema: schema::inputs(way),
        ui: ui(way),
        callback_uri: way.redirect_uri.clone(),
        jwks_uri: way.jwks_uri.clone(),
        connector_parameters_schema: schema::connector_parameters(way),
    }
}

/// How an integration's connections authenticate.
pub fn spec(offered: &Offered) -> Spec {
    let Offered { integration, ways, .. } = offered;
    let own = ways.iter().find(|way| way.key.is_none());
    let mut auth = own.map_or_else(|| json!({}), of_spec);
    let options = ways.iter().filter_map(|way| Some((way.key.clone()?, of_spec(way))));
    auth["options"] = Value::Object(options.collect::<Map<_, _>>());
    Spec {
        id: integration.provider.clone(),
        key: integration.provider.clone(),
        name: integration.name.clone(),
        auth,
    }
}

fn of_spec(way: &Way) -> Value {
    // Older clients, the only ones who ask for this, know such tokens by their maker's former name.
    let kind = if way.kind == Kind::WorkspaceToken { "integration-app-token" } else { kind(way) };
    let mut spec = json!({ "type": kind, "title": way.title, "ui": ui(way) });
    if let Some(description) = &way.description {
        spec["description"] = description.as_str().into();
    }
    spec
}

fn ui(way: &Way) -> Value {
    let mut ui = json!({ "schema": schema::inputs(way) });
    if let Some(help) = schema::help(way) {
        ui["helpUri"] = help.into();
    }
    ui
}

/// What this door calls a way to authenticate: its clients open a window for all but `client-credentials`.
fn kind(way: &Way) -> &'static str {
    match way.kind {
        Kind::OAuth2Code | Kind::OAuth1 if way.lent => "proxy",
        Kind::OAuth2Code | Kind::DeviceCode => "oauth2",
        Kind::OAuth1 => "oauth1",
        Kind::Typed | Kind::ClientCredentials => "client-credentials",
        Kind::WorkspaceToken => "membrane-token",
    }
}
