//! The Membrane-style door: a product's front end opens a popup, a frame or a page with a token of the product's, and its
//! customer connects an account; `/self`, `/integrations`, `/connections` and `/customers` are what such a token reads
//! and changes.
//!
//! What a caller reads here is that contract's; every rule is the engine's.

pub mod asked;
pub mod brought;
pub mod caller;
pub mod connections;
pub mod cors;
pub mod customers;
pub mod embed;
pub mod error;
pub mod events;
pub mod integrations;
pub mod openapi;
pub mod outside;
mod params;
pub mod popup;
pub mod proxy;
mod result;
pub mod schema;
pub mod wire;

use axum::{http::StatusCode, response::Response};

/// What is answered below this door's paths where there is nothing.
pub async fn missing() -> Response {
    error::problem(StatusCode::NOT_FOUND, Some("not_found"), "There is nothing at this path")
}

/// What is answered to a method that a path does not take.
pub async fn wrong_method() -> Response {
    error::problem(StatusCode::METHOD_NOT_ALLOWED, None, "This path does not take this method")
}
