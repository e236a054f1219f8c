//! The BundleUp-style door: `/authorize`, `POST /connection`, the management API under `/v1`, and the proxy on a
//! listener of its own.
//!
//! What a caller reads here is that contract's; every rule is the engine's.

mod asked;
pub mod authorize;
pub mod connection;
pub mod connections;
pub mod deliveries;
pub mod error;
pub mod integrations;
pub mod not_yet;
pub mod openapi;
pub mod proxy;
mod refusal;
pub mod webhooks;
mod wire;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use claviger_engine::{
    access,
    domain::api_key::ApiKey,
    error::{Error, Result},
};
use std::sync::Arc;

use claviger_engine::broker::Broker;

/// The API key behind `Authorization: Bearer`, which must be there exactly once.
async fn caller(broker: &Arc<Broker>, headers: &HeaderMap) -> Result<Arc<ApiKey>> {
    let refused = || Error::Unauthenticated { message: "Missing or invalid API key".into() };
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(refused()) };
    let (scheme, key) = line.to_str().ok().and_then(|l| l.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    access::api_key(broker, key.trim()).await
}
