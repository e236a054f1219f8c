//! What a request at this door brings besides its caller: the ids in its path, its query, its body.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::Response,
};
use claviger_engine::error::{Error, Result};

use super::error::{self, Refused};
pub use crate::http::named::Named;
use crate::{
    app::App,
    http::{
        body::{Casing, Fields},
        params::Params,
    },
};

/// The query.
pub struct Query(pub Params);

impl FromRequestParts<App> for Query {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(Params::parse(parts.uri.query().unwrap_or_default())))
    }
}

impl Query {
    /// A text; `None` when absent or empty, as an empty search box sends it.
    ///
    /// # Errors
    /// `Invalid` at the parameter when it is given twice, is too long, or is not readable.
    pub fn text(&self, name: &'static str) -> Result<Option<String>> {
        self.0.get(name).map_err(|error| Error::invalid(name, format!("Is {error}")))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// `Invalid` at the parameter unless it is `true` or `false`, once.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(name, "Must be true or false")),
        }
    }
}

/// The body, whole.
pub struct Body(pub Bytes);

impl FromRequest<App> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Response> {
        let read = Bytes::from_request(request, app).await;
        read.map(Self).map_err(|unread| error::body(unread.status()))
    }
}

/// The body of a request that says it is JSON: no other site's form can send one.
pub struct Json(pub Body);

impl FromRequest<App> for Json {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Response> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "The body must be JSON: send it with Content-Type: application/json";
            return Err(error::problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        Body::from_request(request, app).await.map(Self)
    }
}

impl Body {
    /// Its fields, as this door spells them.
    ///
    /// # Errors
    /// `Invalid` unless it is a JSON object in which no field comes twice.
    pub fn fields(&self) -> Result<Fields> {
        Fields::read(&self.0, Casing::Exact)
    }
}
