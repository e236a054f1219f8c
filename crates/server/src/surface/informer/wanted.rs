//! How this door reads what an integration is to be, and by which names it says what is wrong with that.

use std::collections::BTreeMap;

use claviger_engine::{
    domain::integration::{KeyLocation, KeyPlace, Mode},
    error::{Error, Result},
    member::integration::{AuthKind, Edit},
};

use super::wire::Place;
use crate::http::body::Fields;

/// How accounts can be connected, as `authType` says it.
const AUTH_KINDS: &str =
    "oauth2, oauth1, client-credentials, apikey, basic, bearer, fields or membrane-token";

/// What an integration shows and nobody sets: a client may send it back with a change.
const READ_ONLY: [&str; 16] = [
    "_links",
    "callbackUri",
    "category",
    "createdAt",
    "embedded",
    "hasClientSecret",
    "id",
    "imageUrl",
    "invalidated",
    "naturalId",
    "notice",
    "ownerId",
    "ownerName",
    "shared",
    "supportsUpload",
    "updatedAt",
];

/// An integration to be, or a change of one: then what is left out stays as it is, and null clears. What an integration
/// shows besides may be sent along and is ignored.
#[derive(utoipa::ToSchema)]
#[schema(as = IntegrationInput)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
#[expect(non_snake_case, reason = "the contract spells them so")]
pub struct Wanted {
    /// Required for a new one.
    name: Option<String>,
    /// Made of the name unless given.
    slug: Option<String>,
    /// A provider's key in the catalog; for any other service leave it out and say `authType`. Never changes.
    r#type: Option<String>,
    /// `oauth2`, `oauth1`, `client-credentials`, `apikey`, `basic`, `bearer` or `fields`: how the provider's accounts are
    /// connected.
    authType: Option<String>,
    description: Option<String>,
    /// `per-user` unless given.
    mode: Option<String>,
    tags: Option<Vec<String>>,
    /// True unless given.
    enabled: Option<bool>,
    clientId: Option<String>,
    /// Never shown again.
    clientSecret: Option<String>,
    /// Separated by spaces; the provider's own unless given.
    scope: Option<String>,
    issuer: Option<String>,
    /// Of `oauth1`: where temporary credentials are requested.
    requestTokenUri: Option<String>,
    authUri: Option<String>,
    /// The token endpoint; of `oauth1`, where the token is requested.
    tokenUri: Option<String>,
    revocationUri: Option<String>,
    userinfoUri: Option<String>,
    apiBaseUri: Option<String>,
    allowedHosts: Option<Vec<String>>,
    headers: Option<BTreeMap<String, String>>,
    authorizeParams: Option<BTreeMap<String, String>>,
    inputs: Option<BTreeMap<String, String>>,
    clientAuth: Option<String>,
    /// Of `oauth1`, where the provider's file leaves it open: `HMAC-SHA1`, `HMAC-SHA256`, `RSA-SHA1` or `PLAINTEXT`.
    signature: Option<String>,
    #[schema(value_type = Option<Place>)]
    apiKey: Option<Place>,
    /// A redirect URI of the workspace.
    returnUri: Option<String>,
}

/// Reads what is wanted.
///
/// # Errors
/// `Invalid` names the field.
pub fn edit(mut fields: Fields) -> Result<Edit> {
    fields.ignore(&READ_ONLY);
    let cleared = |list: Option<Option<Vec<String>>>| list.map(Option::unwrap_or_default);
    let emptied = |map: Option<Option<BTreeMap<String, String>>>| map.map(Option::unwrap_or_default);
    let scopes = |text: String| text.split_whitespace().map(str::to_owned).collect();
    let edit = Edit {
        name: fields.text("name")?,
        slug: fields.text("slug")?,
        provider: fields.text("type")?,
        auth: word(&mut fields, "authType", AUTH_KINDS, AuthKind::parse)?,
        description: fields
            .change("description", Fields::text)?
            .map(|text| text.filter(|text| !text.is_empty())),
        tags: cleared(fields.change("tags", Fields::texts)?),
        mode: word(&mut fields, "mode", "per-user or shared", Mode::parse)?,
        enabled: fields.flag("enabled")?,
        client_id: fields.change("clientId", Fields::text)?,
        client_secret: fields.change("clientSecret", |fields, name| fields.secret(name, &[name]))?,
        scopes: cleared(fields.change("scope", Fields::text)?.map(|text| text.map(scopes))),
        issuer: fields.change("issuer", Fields::text)?,
        authorize_url: fields.change("authUri", Fields::text)?,
        token_url: fields.change("tokenUri", Fields::text)?,
        request_token_url: fields.change("requestTokenUri", Fields::text)?,
        signature: fields.change("signature", Fields::text)?,
        revoke_url: fields.change("revocationUri", Fields::text)?,
        userinfo_url: fields.change("userinfoUri", Fields::text)?,
        base_url: fields.change("apiBaseUri", Fields::text)?,
        allowed_hosts: cleared(fields.change("allowedHosts", Fields::texts)?),
        headers: emptied(fields.change("headers", Fields::pairs)?),
        authorize_params: emptied(fields.change("authorizeParams", Fields::pairs)?),
        inputs: emptied(fields.change("inputs", Fields::pairs)?),
        client_auth: fields.change("clientAuth", Fields::text)?,
        api_key: fields.change("apiKey", place)?,
        return_uri: fields.change("returnUri", Fields::text)?,
    };
    fields.done()?;
    Ok(edit)
}

fn word<T>(
    fields: &mut Fields,
    field: &'static str,
    words: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let Some(text) = fields.text(field)? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| Error::invalid(field, format!("Must be {words}")))
}

fn place(fields: &mut Fields, name: &'static str) -> Result<Option<KeyPlace>> {
    let Some(mut place) = fields.within(name)? else { return Ok(None) };
    let wrong = |error| match error {
        Error::Invalid { field, message } => Error::invalid(name, format!("{field}: {message}")),
        other => other,
    };
    let location = |text: &str| match text {
        "header" => Some(KeyLocation::Header),
        "query" => Some(KeyLocation::Query),
        _ => None,
    };
    let location = word(&mut place, "in", "header or query", location).map_err(wrong)?;
    let location = location.ok_or_else(|| Error::invalid(name, "in: Is required"))?;
    let given = KeyPlace {
        location,
        name: place.need("name").map_err(wrong)?,
        prefix: place.text("prefix").map_err(wrong)?.unwrap_or_default(),
    };
    place.done_at(name)?;
    Ok(Some(given))
}

/// What is wrong with an integration, by the names that this door has for its fields. Values are not repeated.
pub fn worded(error: Error) -> Error {
    let Error::Invalid { field, message } = error else { return error };
    let field = match field {
        "key" => "slug",
        "provider" => "type",
        "auth" => "authType",
        "client_id" => "clientId",
        "client_secret" => "clientSecret",
        "scopes" => "scope",
        "config.issuer" => "issuer",
        "config.authorize_url" => "authUri",
        "config.token_url" => "tokenUri",
        "config.request_token_url" => "requestTokenUri",
        "config.signature" => "signature",
        "config.revoke_url" => "revocationUri",
        "config.userinfo_url" => "userinfoUri",
        "config.base_url" => "apiBaseUri",
        "config.allowed_hosts" => "allowedHosts",
        "config.headers" => "headers",
        "config.authorize_params" => "authorizeParams",
        "config.inputs" => "inputs",
        "config.client_auth" => "clientAuth",
        "config.api_key" => "apiKey",
        "config.return_uri" => "returnUri",
        other => other,
    };
    // An operator reads the value behind the colon.
    let quoting = field.ends_with("Uri") || matches!(field, "issuer" | "allowedHosts");
    let told = if quoting { message.split(": ").next().unwrap_or_default() } else { &message };
    Error::invalid(field, told)
}
