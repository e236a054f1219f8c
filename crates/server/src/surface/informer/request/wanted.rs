//! The body of `POST …/request`: a request in JSON, with the names of an axios request.
//!
//! `data` and numbers go on as they are written, never read and written anew. What is said about a wrong body names the
//! field and never repeats a value.

use std::fmt;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE},
};
use claviger_engine::error::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most headers of a request, and the most bytes of them together.
const MOST_HEADERS: usize = 128;
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// What a parameter's name and value are written with as they are: what `encodeURIComponent` leaves, and what axios
/// leaves besides.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'$')
    .remove(b',');

const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The request that somebody wants made.
#[derive(Debug)]
pub struct Wanted {
    pub method: Method,
    /// Relative or whole, the parameters behind it.
    pub url: String,
    pub headers: HeaderMap,
    pub data: Bytes,
}

/// Names and values as they are written, in order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}

/// A value in a place where only plain ones can stand.
enum Plain {
    Null,
    Text(String),
    Nested,
}

impl Wanted {
    /// Reads a body.
    ///
    /// # Errors
    /// `Invalid` naming the field that is missing, unknown, there twice, or not what it can be.
    pub fn read(body: &[u8]) -> Result<Self> {
        let object = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
        let Some(Object(fields)) = object else {
            return Err(Error::invalid("body", "Must be a JSON object with at least a `url`"));
        };
        let [mut method, mut url, mut headers, mut data, mut params] = [None; 5];
        for (name, value) in fields {
            let place = match name.as_str() {
                "method" => &mut method,
                "url" => &mut url,
                "headers" => &mut headers,
                "data" => &mut data,
                "params" => &mut params,
                _ => {
                    let message = "Has a field that nothing here reads: there are method, url, headers, data and params";
                    return Err(Error::invalid("body", message));
                }
            };
            if place.replace(value).is_some() {
                return Err(Error::invalid("body", format!("Has `{name}` twice")));
            }
        }
        let mut headers = headers.map_or_else(|| Ok(HeaderMap::new()), read_headers)?;
        let data = data.map_or_else(|| Ok(Bytes::new()), |data| read_data(data, &mut headers))?;
        Ok(Self { method: read_method(method)?, url: read_url(url, params)?, headers, data })
    }
}

/// A field that is null is a field that is left out.
fn given(field: Option<&RawValue>) -> Option<&RawValue> {
    field.filter(|value| value.get() != "null")
}

fn read_method(field: Option<&RawValue>) -> Result<Method> {
    let Some(value) = given(field) else { return Ok(Method::GET) };
    let text: Option<String> = serde_json::from_str(value.get()).ok();
    let known = |text: String| METHODS.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&text));
    text.and_then(known)
        .ok_or_else(|| Error::invalid("method", "Must be GET, HEAD, POST, PUT, PATCH or DELETE"))
}

fn read_url(field: Option<&RawValue>, params: Option<&RawValue>) -> Result<String> {
    let text: Option<String> = given(field).and_then(|value| serde_json::from_str(value.get()).ok());
    let Some(mut url) = text.filter(|url| !url.is_empty()) else {
        return Err(Error::invalid("url", "Must be a text: relative to the base URL, or a whole URL"));
    };
    for (name, value) in given(params).map_or_else(|| Ok(Vec::new()), read_params)? {
        let joint = match url.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        url.push_str(joint);
        url.push_str(&name);
        url.push('=');
        url.push_str(&value);
    }
    Ok(url)
}

/// Parameters, encoded, in order: a list is its items one by one under `name[]`, what is null is left out.
fn read_params(field: &RawValue) -> Result<Vec<(String, String)>> {
    let wrong = || {
        let message = "Must be an object of texts, numbers, true, false, null, and lists of those";
        Error::invalid("params", message)
    };
    let Object(params) = serde_json::from_str(field.get()).map_err(|_| wrong())?;
    let mut out = Vec::with_capacity(params.len());
    for (name, value) in params {
        let name = encode(&name);
        match plain(value).ok_or_else(wrong)? {
            Plain::Null => {}
            Plain::Text(text) => out.push((name, encode(&text))),
            Plain::Nested => {
                let items: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| wrong())?;
                for item in items {
                    match plain(item).ok_or_else(wrong)? {
                        Plain::Null => {}
                        Plain::Text(text) => out.push((format!("{name}[]"), encode(&text))),
                        Plain::Nested => return Err(wrong()),
                    }
                }
            }
        }
    }
    Ok(out)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn read_headers(field: &RawValue) -> Result<HeaderMap> {
    let wrong = |what: &str| Error::invalid("headers", what);
    let mut out = HeaderMap::new();
    if field.get() == "null" {
        return Ok(out);
    }
    let Object(headers) =
        serde_json::from_str(field.get()).map_err(|_| wrong("Must be an object of names and values"))?;
    let mut bytes = 0;
    for (name, value) in headers {
        let text = match plain(value) {
            Some(Plain::Null) => continue,
            Some(Plain::Text(text)) => text,
            Some(Plain::Nested) | None => {
                return Err(wrong("Values are texts, numbers, true, false or null"));
            }
        };
        bytes += name.len() + text.len();
        if out.len() == MOST_HEADERS || bytes > MOST_HEADER_BYTES {
            return Err(wrong("There are too many, or too long ones"));
        }
        let name = HeaderName::try_from(name).map_err(|_| wrong("Has a name that is no header's"))?;
        // As UTF-8: what is not ASCII goes as its bytes.
        let value = HeaderValue::from_bytes(text.as_bytes());
        out.append(
            name,
            value.map_err(|_| wrong("Has a value with a line break or another control character"))?,
        );
    }
    Ok(out)
}

/// The body, and its type where none is given: JSON as it is written, or the text that a string is.
fn read_data(field: &RawValue, headers: &mut HeaderMap) -> Result<Bytes> {
    match plain(field) {
        Some(Plain::Null) => Ok(Bytes::new()),
        Some(Plain::Text(text)) if field.get().starts_with('"') => Ok(Bytes::from(text)),
        Some(_) => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Ok(Bytes::copy_from_slice(field.get().as_bytes()))
        }
        None => Err(Error::invalid("data", "Has a text that is not readable")),
    }
}

/// `None` for a string that is not readable: half of a pair of code units.
fn plain(value: &RawValue) -> Option<Plain> {
    let text = value.get();
    Some(match text.as_bytes().first() {
        Some(b'"') => Plain::Text(serde_json::from_str(text).ok()?),
        Some(b'{' | b'[') => Plain::Nested,
        Some(b'n') => Plain::Null,
        _ => Plain::Text(text.to_owned()),
    })
}

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
