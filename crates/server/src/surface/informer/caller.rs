//! Who calls at this door: a session's cookie, an API token, or name and password.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use claviger_engine::{access::Member, error::Error};

use super::error::Refused;
use crate::app::App;

/// The member that asks.
pub struct Caller(pub Arc<Member>);

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(_: &mut Parts, _: &App) -> Result<Self, Refused> {
        Err(Error::Unauthenticated { message: "Missing authentication".into() }.into())
    }
}
