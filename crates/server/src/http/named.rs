//! The ids in a path, decoded, for doors that answer in their own shape: a path that can't be read names nothing, and what
//! is named so does not exist.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::app::App;

/// The ids, or empty ones.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Default + Send> FromRequestParts<App> for Named<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        Ok(Self(path.map(|Path(ids)| ids).unwrap_or_default()))
    }
}
