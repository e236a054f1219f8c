//! How this door writes an integration: by the names that the contract has, and by ours where it is silent. How it reads
//! one is in [`super::wanted`].

use std::collections::BTreeMap;

use claviger_engine::{
    domain::integration::{KeyLocation, KeyPlace},
    member::integration::{AuthKind, Shown, Updated},
};
use serde::Serialize;

use super::{
    hal::{Link, link},
    icons::image_url,
};

/// An integration, as pickers need it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IntegrationBrief)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    #[schema(example = "Google Drive - Engineering")]
    name: String,
    /// Names it as well as its id does.
    #[schema(example = "google-drive-engineering")]
    slug: String,
    /// The same: what clients may keep.
    #[schema(example = "google-drive-engineering")]
    natural_id: String,
    /// The provider's key in the catalog.
    #[serde(rename = "type")]
    #[schema(example = "google-drive")]
    kind: String,
    /// What kind of service its provider is.
    #[schema(example = "storage")]
    category: Option<String>,
    description: Option<String>,
    /// `per-user`: each user connects an account; `shared`: one connection serves all.
    #[schema(example = "per-user")]
    mode: &'static str,
    /// `oauth2`, `oauth1`, `client-credentials`, `apikey`, `basic`, `bearer`, `fields` or `membrane-token`.
    #[schema(example = "oauth2")]
    auth_type: Option<&'static str>,
    /// Always false: none is hidden in something else.
    embedded: bool,
    /// The scopes that are asked for, separated by spaces.
    #[schema(example = "https://www.googleapis.com/auth/drive.readonly")]
    scope: String,
    /// Where calls go.
    #[schema(example = "https://www.googleapis.com/drive/v3")]
    api_base_uri: Option<String>,
    /// A user's name, or `team:` and a team's slug; null for what operators made.
    #[schema(example = "admin")]
    owner_id: Option<String>,
    owner_name: Option<String>,
    /// Whether it is shared with anybody.
    shared: bool,
    tags: Vec<String>,
    #[schema(example = "/images/icons/integrations/google-drive.svg")]
    image_url: String,
    /// Whether files can be uploaded to its provider.
    supports_upload: bool,
    /// Whether connections can be made and used.
    enabled: bool,
    /// When it was made (RFC 3339, UTC, as all times).
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
}

/// An integration, as lists show it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Integration)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    #[serde(rename = "_links")]
    links: Links,
    #[serde(flatten)]
    brief: Brief,
    /// The authorization endpoint.
    #[schema(example = "https://accounts.google.com/o/oauth2/v2/auth")]
    auth_uri: Option<String>,
    /// The token endpoint; of `oauth1`, where the token is requested.
    #[schema(example = "https://oauth2.googleapis.com/token")]
    token_uri: Option<String>,
}

/// An integration, alone.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IntegrationWhole)]
#[serde(rename_all = "camelCase")]
pub struct Whole {
    #[serde(flatten)]
    member: Member,
    /// Of `oauth1`: where temporary credentials are requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_token_uri: Option<String>,
    /// The revocation endpoint.
    revocation_uri: Option<String>,
    /// The userinfo endpoint.
    userinfo_uri: Option<String>,
    /// The issuer, where endpoints are found by it.
    issuer: Option<String>,
    /// Further hosts that the credential may be sent to.
    allowed_hosts: Vec<String>,
    /// The redirect URI to register at the provider; null where nobody is asked for consent.
    #[schema(example = "https://connect.example.com/oauth2/callback")]
    callback_uri: Option<String>,
    /// The key set (JWKS) to register at the provider, where the client shows who it is with a key of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    /// Only for whoever may edit it.
    #[serde(flatten)]
    #[schema(value_type = Configuration)]
    configuration: Option<Configuration>,
    /// With a change only: what it ended.
    #[serde(flatten)]
    #[schema(value_type = Ended)]
    ended: Option<Ended>,
}

/// How an integration is configured. Not there at all for whoever may not edit it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IntegrationConfiguration)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    client_id: Option<String>,
    /// Whether there is a client secret. It is never shown.
    #[schema(required = false)]
    has_client_secret: bool,
    /// How the client authenticates at the token endpoint, where not as the provider's file says: `basic`, `body`,
    /// `none`, `private_key_jwt`, `client_secret_jwt` or `tls_client_auth`.
    client_auth: Option<String>,
    /// How requests are signed, for `oauth1`, where not as the provider's file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// Headers added to each call; `${user.email}` and the like stand for the caller's.
    #[schema(required = false)]
    headers: BTreeMap<String, String>,
    /// Extra parameters of the authorization request.
    #[schema(required = false)]
    authorize_params: BTreeMap<String, String>,
    /// Fixed values of what the provider asks for (subdomain, region).
    #[schema(required = false)]
    inputs: BTreeMap<String, String>,
    api_key: Option<Place>,
    /// Where a browser goes when connecting has ended, in place of our own page.
    return_uri: Option<String>,
}

/// Where calls carry an API key.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApiKeyPlace)]
pub struct Place {
    /// `header` or `query`.
    #[serde(rename = "in")]
    #[schema(example = "header")]
    location: &'static str,
    /// The header's or the parameter's name.
    #[schema(example = "X-Api-Key")]
    name: String,
    /// What stands before the key in a header.
    #[schema(example = "Token ")]
    prefix: String,
}

/// What a change ended.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Invalidation)]
pub struct Ended {
    /// The same in words.
    #[schema(required = false)]
    notice: String,
    #[schema(required = false)]
    invalidated: Invalidated,
}

/// What has to be given again because secrets would be sent elsewhere.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invalidated {
    /// The client secret was dropped.
    client_secret: bool,
    /// How many connections need to be authorized again.
    connections: usize,
}

/// Where an integration is, and what belongs to it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = IntegrationLinks)]
pub struct Links {
    #[serde(rename = "self")]
    own: Link,
    icon: Link,
    #[serde(rename = "inf:connect")]
    connect: Link,
    #[serde(rename = "inf:connection")]
    connection: Link,
    #[serde(rename = "inf:request")]
    request: Link,
    #[serde(rename = "inf:shares")]
    shares: Link,
    #[serde(rename = "inf:owner")]
    owner: Link,
}

/// The path of an integration.
pub fn path(shown: &Shown) -> String {
    format!("/api/integrations/{}", shown.integration().id)
}

/// An integration, as pickers need it.
pub fn brief(shown: &Shown) -> Brief {
    let integration = shown.integration();
    let owner = shown.listed.owner.as_ref();
    Brief {
        id: integration.id.to_string(),
        name: integration.name.clone(),
        slug: integration.key.clone(),
        natural_id: integration.key.clone(),
        kind: integration.provider.clone(),
        category: shown.category().map(str::to_owned),
        description: integration.description.clone(),
        mode: integration.mode.as_str(),
        auth_type: shown.auth().map(AuthKind::as_str),
        embedded: false,
        scope: shown.scopes().join(" "),
        api_base_uri: shown.base_url().map(str::to_owned),
        owner_id: owner.map(|owner| owner.id.clone()),
        owner_name: owner.map(|owner| owner.name.clone()),
        shared: shown.listed.shared,
        tags: integration.tags.clone(),
        image_url: image_url(integration, shown.listed.icon.as_deref()),
        supports_upload: shown.supports_upload(),
        enabled: integration.disabled_at.is_none(),
        created_at: integration.created_at.rfc3339(),
        updated_at: integration.updated_at.rfc3339(),
    }
}

/// An integration, as lists show it.
pub fn member(shown: &Shown) -> Member {
    let path = path(shown);
    let below = |what: &str| link(format!("{path}/{what}"));
    Member {
        links: Links {
            own: link(&path),
            icon: below("icon"),
            connect: below("connect"),
            connection: below("connection"),
            request: below("request"),
            shares: below("shares"),
            owner: below("owner"),
        },
        brief: brief(shown),
        auth_uri: shown.authorize_url().map(str::to_owned),
        token_uri: shown.token_url().map(str::to_owned),
    }
}

/// An integration, alone. `origin` is where its users' browsers reach us.
pub fn whole(shown: &Shown, origin: &str) -> Whole {
    let integration = shown.integration();
    let callback = || format!("{origin}{}", integration.callback_path());
    Whole {
        member: member(shown),
        request_token_uri: shown.request_token_url().map(str::to_owned),
        revocation_uri: shown.revoke_url().map(str::to_owned),
        userinfo_uri: shown.userinfo_url().map(str::to_owned),
        issuer: shown.issuer().map(str::to_owned),
        allowed_hosts: integration.config.allowed_hosts.clone(),
        callback_uri: shown.asks_for_consent().then(callback),
        jwks_uri: shown.jwks_url(origin),
        configuration: shown.configuration.then(|| configuration(shown)),
        ended: None,
    }
}

/// The same after a change, with what that ended.
pub fn changed(updated: &Updated, origin: &str) -> Whole {
    let (secret, connections) = (updated.secret_dropped, updated.connections_ended);
    let whole = whole(&updated.shown, origin);
    let words = match (secret, connections) {
        (false, 0) if !updated.keys_dropped => return whole,
        (false, 0) => String::new(),
        (true, 0) => "The client secret was dropped and must be given again. ".to_owned(),
        (false, many) => format!("Connections that must be authorized again: {many}. "),
        (true, many) => format!(
            "The client secret was dropped and must be given again, and connections must be authorized again: {many}. "
        ),
    };
    let keys = match (updated.keys_dropped, &whole.jwks_uri) {
        (false, _) => String::new(),
        (true, None) => "The client certificate and keys were dropped. ".to_owned(),
        (true, Some(uri)) => format!(
            "The client certificate and keys were dropped; register the new key set at the provider: {uri}. "
        ),
    };
    let notice = format!("{words}{keys}Where secrets are sent has changed.");
    let invalidated = Invalidated { client_secret: secret, connections };
    Whole { ended: Some(Ended { notice, invalidated }), ..whole }
}

fn configuration(shown: &Shown) -> Configuration {
    let integration = shown.integration();
    let config = &integration.config;
    let place = |place: &KeyPlace| Place {
        location: match place.location {
            KeyLocation::Header => "header",
            KeyLocation::Query => "query",
        },
        name: place.name.clone(),
        prefix: place.prefix.clone(),
    };
    Configuration {
        client_id: integration.client_id.clone(),
        has_client_secret: integration.client_secret.is_some(),
        client_auth: config.client_auth.clone(),
        signature: config.signature.clone(),
        headers: config.headers.clone(),
        authorize_params: config.authorize_params.clone(),
        inputs: config.inputs.clone(),
        api_key: config.api_key.as_ref().map(place),
        return_uri: config.return_uri.clone(),
    }
}
