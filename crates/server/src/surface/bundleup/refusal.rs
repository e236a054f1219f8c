//! Refusals that many endpoints of this door have in common, for its document: what the API says with them is `error`'s.

#![expect(dead_code, reason = "the document is made of their types")]

use super::error::{FieldErrors, Problem};

/// A parameter is wrong, empty or given twice. Unknown ones are ignored.
#[derive(utoipa::IntoResponses)]
#[response(status = 400)]
pub struct BadParameter(FieldErrors);

/// A field is wrong or unknown.
#[derive(utoipa::IntoResponses)]
#[response(status = 400)]
pub struct BadField(FieldErrors);

/// The caller may not read connections and integrations.
#[derive(utoipa::IntoResponses)]
pub enum NotReading {
    /// The API key is missing or invalid.
    #[response(status = 401)]
    Key(Problem),
    /// The API key has neither of the scopes `management` and `read-only`.
    #[response(status = 403)]
    Scope(Problem),
}

/// The caller may not change connections.
#[derive(utoipa::IntoResponses)]
pub enum NotManaging {
    /// The API key is missing or invalid.
    #[response(status = 401)]
    Key(Problem),
    /// The API key has not the scope `management`.
    #[response(status = 403)]
    Scope(Problem),
}

/// The caller may not read what is the whole workspace's.
#[derive(utoipa::IntoResponses)]
pub enum NotReadingAll {
    /// The API key is missing or invalid.
    #[response(status = 401)]
    Key(Problem),
    /// The API key may not read, or is limited to one integration.
    #[response(status = 403)]
    Scope(Problem),
}

/// The caller may not change what is the whole workspace's.
#[derive(utoipa::IntoResponses)]
pub enum NotManagingAll {
    /// The API key is missing or invalid.
    #[response(status = 401)]
    Key(Problem),
    /// The API key has not the scope `management`, or is limited to one integration.
    #[response(status = 403)]
    Scope(Problem),
}

/// There is no such connection.
#[derive(utoipa::IntoResponses)]
#[response(status = 404)]
pub struct NoConnection(Problem);

/// There is no such integration.
#[derive(utoipa::IntoResponses)]
#[response(status = 404)]
pub struct NoIntegration(Problem);

/// There is no such webhook.
#[derive(utoipa::IntoResponses)]
#[response(status = 404)]
pub struct NoWebhook(Problem);

/// There is no such webhook or delivery.
#[derive(utoipa::IntoResponses)]
#[response(status = 404)]
pub struct NoDelivery(Problem);

/// The body is too large.
#[derive(utoipa::IntoResponses)]
#[response(status = 413)]
pub struct TooLarge(Problem);
