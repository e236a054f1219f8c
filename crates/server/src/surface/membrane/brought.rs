//! What a caller brings to `/connections`: what is to be connected, under which name, with which values or tokens.
//!
//! Values are never repeated in what is said about them.

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    connect::LONGEST_LIFE,
    customer::connect::{Held, Wish},
    error::{Error, Result},
    secret::Secret,
};
use serde_json::{Map, Value};

use super::asked::Body;
use crate::http::body::Fields;

/// The most values of an object of parameters, and the most bytes of one.
const MOST: (usize, usize) = (100, 32 * 1024);

/// A connection to be made, or a change of one; of a change everything may be left out.
#[derive(utoipa::ToSchema)]
#[schema(as = ConnectionInput, rename_all = "camelCase")]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// What it is to be called.
    name: Option<String>,
    /// An integration's id or key. Not of a change.
    integration_id: Option<String>,
    /// The same.
    integration_key: Option<String>,
    /// By which auth option; the integration's own way unless given.
    auth_option_key: Option<String>,
    /// Whether to make another one where the customer has one already. Without it that one is authorized anew.
    allow_multiple_connections: Option<bool>,
    /// Values by the auth option's `inputSchema`.
    input: Option<Value>,
    /// The same, as older clients call it.
    connection_parameters: Option<Value>,
    /// The credential's values; or of an OAuth 2 grant `access_token`, `refresh_token`, `expires_in` and `scope`.
    credentials: Option<Value>,
    /// Values by the auth option's `connectorParametersSchema`.
    connector_parameters: Option<Value>,
}

/// What was brought.
pub struct Brought {
    /// What the connection is to be called.
    pub name: Option<String>,
    /// What is to be connected.
    pub wish: Wish,
    /// Tokens of a grant.
    pub held: Option<Held>,
    /// Whether anything was brought to connect with.
    pub anew: bool,
}

/// Reads a body.
///
/// # Errors
/// `Invalid` at the field that is of another type than it is to be.
pub fn read(body: &Body) -> Result<Brought> {
    let mut fields = body.fields()?;
    let name = fields.text("name")?;
    let credentials = object(&mut fields, "credentials")?;
    let mut parameters = secrets("connectionParameters", object(&mut fields, "connectionParameters")?)?;
    parameters.extend(secrets("input", object(&mut fields, "input")?)?);
    let held = held(credentials.as_ref())?;
    let anew = credentials.is_some() || !parameters.is_empty();
    if held.is_none() {
        parameters.extend(secrets("credentials", credentials)?);
    }
    let integration = fields.text("integrationId")?.or(fields.text("integrationKey")?);
    let wish = Wish {
        integration: integration.filter(|selector| !selector.is_empty()),
        connection: None,
        option: fields.text("authOptionKey")?,
        parameters,
        connector_parameters: object(&mut fields, "connectorParameters")?.unwrap_or_default(),
        name: name.clone(),
        multiple: fields.flag("allowMultipleConnections")?.unwrap_or(false),
        custom_state: None,
    };
    Ok(Brought { name, wish, held, anew })
}

/// Tokens, where there are any: as token endpoints answer them (RFC 6749 §5.1), or in camel case.
fn held(credentials: Option<&Map<String, Value>>) -> Result<Option<Held>> {
    let Some(all) = credentials else { return Ok(None) };
    let given =
        |names: [&str; 2]| names.into_iter().find_map(|name| all.get(name)).filter(|it| !it.is_null());
    let text = |names| match given(names) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong("credentials", "must hold its tokens as text")),
    };
    let Some(access_token) = text(["access_token", "accessToken"])? else { return Ok(None) };
    let life = match given(["expires_in", "expiresIn"]) {
        None => None,
        Some(value) => {
            let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            let seconds = seconds.filter(|seconds| Duration::from_secs(*seconds) <= LONGEST_LIFE);
            Some(seconds.ok_or_else(|| wrong("credentials", "must hold expires_in as a number of seconds"))?)
        }
    };
    let scopes = text(["scope", "scope"])?;
    Ok(Some(Held {
        access_token: Secret::new(access_token),
        refresh_token: text(["refresh_token", "refreshToken"])?.map(Secret::new),
        expires_in: life,
        scopes: scopes.map(|scopes| scopes.split_whitespace().map(str::to_owned).collect()),
    }))
}

fn object(fields: &mut Fields, name: &'static str) -> Result<Option<Map<String, Value>>> {
    match fields.value(name)? {
        None => Ok(None),
        Some(Value::Object(object)) if object.len() <= MOST.0 => Ok(Some(object)),
        Some(_) => Err(wrong(name, "must be an object")),
    }
}

/// Values as text; null is as good as absent.
fn secrets(field: &'static str, object: Option<Map<String, Value>>) -> Result<BTreeMap<String, Secret>> {
    let mut all = BTreeMap::new();
    for (name, value) in object.unwrap_or_default() {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(wrong(field, "must hold texts, numbers and flags"));
            }
        };
        if text.len() > MOST.1 || text.contains('\0') {
            return Err(wrong(field, "holds a value that is too long, or a NUL"));
        }
        all.insert(name, Secret::new(text));
    }
    Ok(all)
}

fn wrong(field: &'static str, message: &str) -> Error {
    Error::invalid(field, message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn brought(body: &str) -> std::result::Result<Brought, &'static str> {
        match read(&Body(Bytes::from(body.to_owned()))) {
            Ok(brought) => Ok(brought),
            Err(Error::Invalid { field, .. }) => Err(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn values_may_come_under_any_of_their_names() {
        let found = brought(
            r#"{"name":"Work","integrationKey":"shop","input":{"a":1,"b":true,"c":null},
                "connectionParameters":{"d":"x"},"credentials":{"api_key":"k"},"hash":[1]}"#,
        );
        let found = found.unwrap_or_else(|field| panic!("{field}"));
        let values: Vec<_> =
            found.wish.parameters.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(values, [("a", "1"), ("api_key", "k"), ("b", "true"), ("d", "x")]);
        assert_eq!(found.wish.integration.as_deref(), Some("shop"));
        assert!(found.anew && found.held.is_none());
        let nothing = brought("").unwrap_or_else(|field| panic!("{field}"));
        assert!(!nothing.anew && nothing.name.is_none());
    }

    #[test]
    fn tokens_are_told_from_other_credentials() {
        let of = |body: &str| brought(body).unwrap_or_else(|field| panic!("{field}")).held;
        let held =
            of(r#"{"credentials":{"access_token":"a","refresh_token":"r","expires_in":3600,"scope":"x y"}}"#);
        let held = held.expect("tokens");
        assert_eq!((held.access_token.expose(), held.expires_in), ("a", Some(3600)));
        assert_eq!(held.refresh_token.as_ref().map(Secret::expose), Some("r"));
        assert_eq!(held.scopes, Some(vec!["x".to_owned(), "y".to_owned()]));
        assert!(of(r#"{"credentials":{"accessToken":"a","expiresIn":"60"}}"#).is_some());
        assert!(of(r#"{"credentials":{"api_key":"a"}}"#).is_none());
        for (wrong, field) in [
            (r#"{"credentials":"x"}"#, "credentials"),
            (r#"{"credentials":{"access_token":1}}"#, "credentials"),
            (r#"{"credentials":{"access_token":"a","expires_in":-1}}"#, "credentials"),
            (r#"{"credentials":{"access_token":"a","expires_in":999999999999}}"#, "credentials"),
            (r#"{"input":{"a":{}}}"#, "input"),
            (r#"{"connectionParameters":[]}"#, "connectionParameters"),
            (r#"{"connectorParameters":1}"#, "connectorParameters"),
            (r#"{"name":1}"#, "name"),
            (r#"{"allowMultipleConnections":"yes"}"#, "allowMultipleConnections"),
        ] {
            assert_eq!(brought(wrong).err(), Some(field), "{wrong}");
        }
    }
}
