//! One way to make a request of a URL, parameters and headers: method, format, encoding.
//!
//! Must never lose the URL's own query, send an empty parameter, or leave a placeholder in what is sent.

use bytes::Bytes;
use claviger_catalog::{
    BodyFormat, Method,
    template::{self, TemplateError},
};
use http::{HeaderName, HeaderValue, Request, Uri, header};
use serde_json::{Map, Value};

use crate::{ProtocolError, form};

/// A request in the making.
pub(crate) struct Draft<'a> {
    /// What the URL is called in errors.
    pub what: &'static str,
    pub url: String,
    pub method: Method,
    pub format: BodyFormat,
    /// Parameters in order; empty ones are not sent.
    pub fields: Vec<(String, String)>,
    /// Names among them that go into the query.
    pub in_query: &'a [String],
    /// Names among them that a JSON body holds as numbers.
    pub numbers: &'a [String],
    /// The JSON body, word for word, in place of parameters.
    pub body: Option<&'a str>,
    pub headers: Vec<(String, String)>,
}

impl Draft<'_> {
    pub(crate) fn new(what: &'static str, url: &str) -> Self {
        Self {
            what,
            url: url.to_owned(),
            method: Method::Post,
            format: BodyFormat::Form,
            fields: Vec::new(),
            in_query: &[],
            numbers: &[],
            body: None,
            headers: Vec::new(),
        }
    }

    /// Sets a parameter, in place of one with the same name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn finish(self) -> Result<Request<Bytes>, ProtocolError> {
        if !template::is_plain_url(&self.url) || self.url.contains(['{', '}', '#']) {
            return Err(ProtocolError::Url(self.what));
        }
        let all_in_query = self.format == BodyFormat::Query || self.method == Method::Get;
        let (query, body): (Vec<_>, Vec<_>) =
            self.fields.into_iter().partition(|(name, _)| all_in_query || self.in_query.contains(name));
        let url = form::append(&self.url, &form::write(&query, &[]));
        let (content_type, body) = match self.format {
            BodyFormat::Json => {
                let written = self.body.map(|text| Bytes::copy_from_slice(text.as_bytes()));
                ("application/json", written.unwrap_or_else(|| json_body(body, self.numbers)))
            }
            BodyFormat::Form | BodyFormat::Query => {
                ("application/x-www-form-urlencoded", Bytes::from(form::write(&body, &[])))
            }
        };
        let uri: Uri = url.parse().map_err(|_| ProtocolError::Url(self.what))?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        *request.method_mut() = match self.method {
            Method::Post => http::Method::POST,
            Method::Get => http::Method::GET,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.method != Method::Get {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            let (name, value) = header(&name, &value)?;
            headers.insert(name, value);
        }
        if self.method != Method::Get {
            *request.body_mut() = body;
        }
        Ok(request)
    }
}

/// An empty object is not sent as `{}` where there is nothing to say.
fn json_body(fields: Vec<(String, String)>, numbers: &[String]) -> Bytes {
    let typed = |name: &String, value: String| match value.parse::<i64>() {
        Ok(number) if numbers.contains(name) => Value::from(number),
        _ => Value::String(value),
    };
    let map: Map<String, Value> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let value = typed(&name, value);
            (name, value)
        })
        .collect();
    if map.is_empty() { Bytes::new() } else { Bytes::from(Value::Object(map).to_string()) }
}

/// A header, its value marked as one that may be secret.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ProtocolError> {
    let wrong = || ProtocolError::Header(name.to_owned());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Fills the names that are known only when a request is built: `{token}`, `{client_id}` and so on.
pub(crate) fn fill(template: &str, known: &[(&str, Option<&str>)]) -> Result<String, ProtocolError> {
    fill_by(template, |name| known.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value))
}

/// [`fill`] with what `known` knows.
pub(crate) fn fill_by<'a>(
    template: &str,
    known: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, ProtocolError> {
    template::fill(template, known).map_err(unfilled)
}

/// Why a text could not be filled.
pub(crate) fn unfilled(error: TemplateError) -> ProtocolError {
    match error {
        TemplateError::Missing(name) => ProtocolError::Missing(format!("`{name}`")),
        TemplateError::Refused(_) | TemplateError::NotAUrl => ProtocolError::Unreadable("a template"),
    }
}
