//! HAL, as this door writes it: single resources, and collections with `_links`, `_embedded` and the stretch they show.
//!
//! The caller's `Accept` decides what the answer calls itself: `application/hal+json` where it is named, else
//! `application/json`. A caller that names `application/json` and would not rather have HAL also finds a collection's
//! objects under `items`. Nothing is refused for its `Accept`.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use claviger_engine::store::Page;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::params::Params;

/// How the caller wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// It calls itself HAL.
    hal: bool,
    /// A collection has `items` besides.
    items: bool,
}

/// A link, as every resource has some.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Link)]
pub struct Link {
    /// Where it leads, below this origin.
    #[schema(example = "/api/integrations/int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    pub href: String,
    /// Whether parts of it stand in braces, to be filled in by the caller (RFC 6570).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub templated: bool,
}

/// A name as a segment of a path: percent-encoded but for what stands in any path as it is (RFC 3986 §2.3).
pub fn segment(name: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(name, PLAIN).to_string()
}

/// A link to here.
pub fn link(href: impl Into<String>) -> Link {
    Link { href: href.into(), templated: false }
}

/// A stretch of a collection.
pub struct List<'a> {
    /// The collection's path.
    pub path: &'a str,
    /// What its members are to it: `inf:integration`.
    pub rel: &'static str,
    /// The members, each with links of its own.
    pub members: Vec<Value>,
    /// Which stretch was asked for.
    pub page: Page,
    /// How many there are in all.
    pub total: i64,
    /// What was asked.
    pub asked: &'a Params,
    /// Which parameters narrow or sort the collection: links keep them.
    pub kept: &'a [&'static str],
}

impl FromRequestParts<crate::app::App> for Format {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &crate::app::App) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Format {
    /// As `Accept` has it (RFC 9110 §12.5.1). Wildcards name nothing: whoever takes everything gets plain JSON.
    pub fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let (mut hal, mut json) = (0, 0);
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(1000, thousandths);
            match name.as_str() {
                "application/hal+json" => hal = hal.max(weight),
                "application/json" => json = json.max(weight),
                _ => {}
            }
        }
        let hal_first = hal > 0 && hal >= json;
        Self { hal: hal_first, items: json > 0 && !hal_first }
    }

    /// A single resource, as an answer.
    pub fn object(self, status: StatusCode, resource: &impl Serialize) -> Response {
        // What is written here has text keys and finite numbers only, so it always is JSON.
        let body = serde_json::to_vec(resource).unwrap_or_default();
        let kind = if self.hal { "application/hal+json" } else { "application/json" };
        (status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }

    /// A collection, as an answer.
    pub fn list(self, list: List<'_>) -> Response {
        let count = i64::try_from(list.members.len()).unwrap_or(i64::MAX);
        let mut links = Map::new();
        links.insert("self".to_owned(), json!({ "href": list.href(None) }));
        let after = list.page.offset.saturating_add(count);
        if count > 0 && after < list.total {
            links.insert("next".to_owned(), json!({ "href": list.href(Some(after)) }));
        }
        let List { rel, page, members, total, .. } = list;
        let members = Value::Array(members);
        let mut body = json!({ "_links": links });
        if self.items {
            body["items"] = members.clone();
        }
        body["_embedded"] = json!({ rel: members });
        body["start"] = page.offset.into();
        body["count"] = count.into();
        body["total"] = total.into();
        self.object(StatusCode::OK, &body)
    }
}

impl List<'_> {
    /// The collection as it was asked, or its stretch from `start` on.
    fn href(&self, start: Option<i64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let asked = |name: &str| self.asked.get(name).ok().flatten();
        if let Some(start) = start {
            query.append_pair("start", &start.to_string());
            query.append_pair("limit", &self.page.limit.to_string());
        }
        let stretch: &[&str] = if start.is_some() { &[] } else { &["start", "limit"] };
        for name in stretch.iter().chain(self.kept) {
            if let Some(value) = asked(name) {
                query.append_pair(name, &value);
            }
        }
        let query = query.finish();
        if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) }
    }
}

/// A weight as `Accept` gives it, 0 to 1 with three places, in thousandths. One that can't be read weighs nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let well = places.len() <= 3 && places.bytes().all(|b| b.is_ascii_digit());
    match (whole, format!("{places:0<3}").parse::<u16>()) {
        ("0", Ok(places)) if well => places,
        ("1", Ok(0)) if well => 1000,
        _ => 0,
    }
}

#[cfg(test)]
#[path = "hal_tests.rs"]
mod tests;
