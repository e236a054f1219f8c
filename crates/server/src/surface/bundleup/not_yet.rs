//! Paths of this contract that are not offered yet: they say so, instead of looking like a typing error.

use axum::response::Response;
use claviger_engine::error::Error;

use super::error;

/// The Unified API, by its first path segment below `/v1`.
pub const UNIFIED: [&str; 10] =
    ["me", "chat", "git", "tasks", "helpdesk", "crm", "drive", "calendar", "pm", "ticketing"];

/// `/v1/{me,chat,git,…}`.
pub async fn unified() -> Response {
    not_supported("The Unified API is not offered yet; call the provider's own API through the proxy")
}

/// `/mcp`, `/v1/mcp`.
pub async fn mcp() -> Response {
    not_supported("MCP is not offered yet; call the provider's own API through the proxy")
}

fn not_supported(message: &str) -> Response {
    error::api(&Error::NotSupported { message: message.to_owned() })
}
