//! What a request with an API key brings – who asks, for which item, with which parameters and body – and how a
//! refusal is answered.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use claviger_engine::{
    domain::api_key::ApiKey,
    error::{Error, Result},
};
use serde::de::DeserializeOwned;

use super::{caller, error};
use crate::{app::App, http::params::Params};

/// A refusal, on its way into an answer.
pub struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        error::api(&self.0)
    }
}

/// What a handler answers with.
pub type Answer = std::result::Result<Response, Refused>;

/// The API key that asks.
pub struct Caller(pub Arc<ApiKey>);

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(caller(&app.broker, &parts.headers).await?))
    }
}

/// The ids in the path. A path that can't be read names nothing.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Default + Send> FromRequestParts<App> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        Ok(Self(path.map(|Path(ids)| ids).unwrap_or_default()))
    }
}

/// The query.
pub struct Query(Params);

impl FromRequestParts<App> for Query {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(Params::parse(parts.uri.query().unwrap_or_default())))
    }
}

impl Query {
    /// Everything that was asked.
    pub fn params(&self) -> &Params {
        &self.0
    }

    /// A filter, under any of its spellings.
    ///
    /// # Errors
    /// `Invalid` at `name` when it is given twice, is empty, or is not readable.
    pub fn filter(&self, name: &'static str, spellings: &[&str]) -> Result<Option<String>> {
        self.0.any(spellings).map_err(|error| Error::invalid(name, format!("Is {error}")))
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
