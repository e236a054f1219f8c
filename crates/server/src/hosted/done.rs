//! Done: performs a flow's outcome.

use axum::{http::StatusCode, response::Response};
use claviger_engine::connect::Outcome;

use super::page::{Pages, redirect, sentence};

/// Sends the browser where the outcome says. `status` is 302 answering GET, 303 answering POST.
pub fn perform(pages: &Pages, status: StatusCode, outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Redirect { url } => redirect(status, url),
        Outcome::Page { message } => {
            pages.error(StatusCode::BAD_REQUEST, "This can't be connected", &sentence(message))
        }
    }
}
