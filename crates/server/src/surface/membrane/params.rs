//! What a browser brings to `/connection-popup` and `/connect`: parameters in the query, in a form, in a `payload` that is
//! JSON, or in a JSON body; in several of these at once, and then the payload counts.
//!
//! Parameters without a meaning here are let pass. A value is never repeated in what is said about it: it may be a token or
//! an API key.

use std::collections::BTreeMap;

use claviger_engine::{
    customer::connect::{Back, Wish},
    error::{Error, Result},
    secret::Secret,
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::http::body;

/// The most bytes of a text.
const LONGEST: usize = 4096;
/// The most values of an object of parameters.
const MOST: usize = 100;
/// The names that mean something here; of others it does not matter how often they come.
const NAMES: [&str; 18] = [
    "token",
    "payload",
    "integrationId",
    "integrationKey",
    "integration",
    "connectionId",
    "connectionParameters",
    "input",
    "connectorParameters",
    "name",
    "authOptionKey",
    "allowMultipleConnections",
    "customState",
    "redirectUri",
    "requestId",
    "connectionRequestId",
    "code",
    "handle",
];

/// Parameters, put together.
#[derive(Default)]
pub struct Given(Map<String, Value>);

impl Given {
    /// Puts together what a query and a body say; `json` is whether the body says that it is JSON.
    ///
    /// # Errors
    /// `Invalid` at `payload` when that can't be read, or at a parameter that is given twice or is not text.
    pub fn read(query: &str, body: Option<(&[u8], bool)>) -> Result<Self> {
        let mut all = pairs(query)?;
        match body {
            None => {}
            Some((body, true)) => {
                let said = body::object(body).map_err(|_| unreadable())?;
                all.extend(said);
            }
            Some((body, false)) => {
                let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
                all.extend(pairs(text)?);
            }
        }
        let payload = match all.remove("payload") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(payload)) => payload,
            Some(Value::String(text)) if text.is_empty() => Map::new(),
            Some(Value::String(text)) => body::object(text.as_bytes()).map_err(|_| unreadable())?,
            Some(_) => return Err(unreadable()),
        };
        all.extend(payload.into_iter().filter(|(_, value)| !value.is_null()));
        Ok(Self(all))
    }

    /// The token, which is as long as it is.
    ///
    /// # Errors
    /// `Invalid` when it is no text.
    pub fn token(&mut self) -> Result<Option<Secret>> {
        match self.0.remove("token") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(token)) => Ok(Some(token).filter(|token| !token.is_empty()).map(Secret::new)),
            Some(_) => Err(wrong("token", "must be text")),
        }
    }

    /// Where the caller wants to be told. Which of these is wrong is told on a page: nobody else can be.
    ///
    /// # Errors
    /// `Invalid` at `redirectUri`.
    pub fn back(&mut self, origin: Option<String>) -> Result<Back> {
        let redirect_uri = self.text("redirectUri")?;
        // An id that can't be one is refused by whoever looks for it.
        let ids = [self.0.remove("requestId"), self.0.remove("connectionRequestId")];
        let request = ids.into_iter().flatten().find_map(|id| match id {
            Value::String(id) => Some(id).filter(|id| !id.is_empty()),
            Value::Null => None,
            other => Some(other.to_string()),
        });
        Ok(Back { redirect_uri, request, origin })
    }

    /// Whether the caller says where it wants to be told: by a redirect, or under an id.
    pub fn comes_back(&self) -> bool {
        let said =
            |name| self.0.get(name).is_some_and(|value| value.as_str() != Some("") && !value.is_null());
        ["redirectUri", "requestId", "connectionRequestId"].into_iter().any(said)
    }

    /// What is wanted.
    ///
    /// # Errors
    /// `Invalid` at a parameter of another type than it is to be, or too long.
    pub fn wish(mut self) -> Result<Wish> {
        let by_id = self.text("integrationId")?;
        let by_key = self.text("integrationKey")?;
        let given = match self.object("connectionParameters")? {
            Some(given) => Some(given),
            None => self.object("input")?,
        };
        Ok(Wish {
            integration: by_id.or(by_key),
            connection: self.text("connectionId")?,
            option: self.plain("authOptionKey")?,
            parameters: secrets(given.unwrap_or_default())?,
            connector_parameters: self.object("connectorParameters")?.unwrap_or_default(),
            name: self.text("name")?,
            multiple: self.flag("allowMultipleConnections"),
            custom_state: self.text("customState")?,
        })
    }

    /// A text; `None` when absent or empty.
    ///
    /// # Errors
    /// `Invalid` when it is another type or too long.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        Ok(self.plain(name)?.filter(|text| !text.is_empty()))
    }

    fn plain(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > LONGEST => {
                Err(wrong(name, &format!("is longer than {LONGEST} bytes")))
            }
            Some(Value::String(text)) if text.contains('\0') => Err(wrong(name, "is not readable text")),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "must be text")),
        }
    }

    /// An object, or one in JSON.
    fn object(&mut self, name: &'static str) -> Result<Option<Map<String, Value>>> {
        let object = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => {
                body::object(text.as_bytes()).map_err(|_| wrong(name, "must be a JSON object"))?
            }
            Some(Value::Object(object)) => object,
            Some(_) => return Err(wrong(name, "must be an object")),
        };
        if object.len() > MOST {
            return Err(wrong(name, &format!("has more than {MOST} values")));
        }
        Ok(Some(object))
    }

    /// A yes or no, as the SDKs mean it: any text but `false` and `0` is a yes.
    fn flag(&mut self, name: &str) -> bool {
        match self.0.remove(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text)) => !matches!(text.as_str(), "" | "false" | "0"),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }
}

/// What a customer gave: it may be a credential, so it is secret from here on.
fn secrets(given: Map<String, Value>) -> Result<BTreeMap<String, Secret>> {
    let name = "connectionParameters";
    let given = given.into_iter().filter(|(_, value)| !value.is_null());
    let one = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, Secret::new(text))),
        _ => Err(wrong(name, &format!("`{}` must be text", key.chars().take(64).collect::<String>()))),
    };
    given.map(one).collect()
}

/// The parameters of a query or a form.
fn pairs(text: &str) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let Some(known) = NAMES.iter().find(|known| **known == name) else { continue };
        if value.contains(['\u{fffd}', '\0']) {
            return Err(wrong(known, "is not readable text"));
        }
        if all.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(wrong(known, "is given more than once"));
        }
    }
    Ok(all)
}

fn unreadable() -> Error {
    Error::invalid("payload", "must be a JSON object in which no name comes twice")
}

fn wrong(name: &'static str, what: &str) -> Error {
    Error::invalid(name, what)
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
