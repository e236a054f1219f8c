//! The Informer-style door: `/api/…`, where a workspace's own users sign in, connect their accounts, and make requests
//! by integration.
//!
//! What a caller reads here is that contract's; every rule is the engine's.

mod asked;
pub mod bring;
mod caller;
pub mod connect;
pub mod connection;
pub mod error;
mod hal;
pub mod icons;
pub mod integrations;
pub mod openapi;
pub mod owner;
pub mod request;
pub mod shares;
pub mod sign_in;
pub mod tokens;
pub mod users;
mod wanted;
mod wire;

use axum::{http::StatusCode, response::Response};

/// What is answered below `/api` where there is nothing.
pub async fn missing() -> Response {
    error::problem(StatusCode::NOT_FOUND, "There is nothing at this path")
}

/// What is answered to a method that a path does not take.
pub async fn wrong_method() -> Response {
    error::problem(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method")
}
