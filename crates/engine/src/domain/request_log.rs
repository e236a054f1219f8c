//! One proxied call, as the request log keeps it: enough to find out what happened, nothing that is secret.

use crate::{
    id::{ApiKeyId, ConnectionId, CustomerId, IntegrationId, LogId, RequestId, UserId, WorkspaceId},
    time::Millis,
};

/// A row of the request log.
#[derive(Debug, Clone)]
pub struct RequestLog {
    /// Its id.
    pub id: LogId,
    /// The id that the caller saw.
    pub request_id: RequestId,
    /// Whose call.
    pub workspace_id: WorkspaceId,
    /// By which key.
    pub api_key_id: Option<ApiKeyId>,
    /// By which user, at the door where users call.
    pub user_id: Option<UserId>,
    /// For which customer, at the door of a product's tokens; a token of the product itself is for none.
    pub customer_id: Option<CustomerId>,
    /// Through which connection; kept after the connection is gone.
    pub connection_id: ConnectionId,
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// The HTTP method.
    pub method: String,
    /// The path without its query, at most 512 bytes.
    pub path: String,
    /// The status that the caller got.
    pub status: u16,
    /// Our error code, when the answer was ours.
    pub error: Option<String>,
    /// How often the provider was asked.
    pub attempts: u32,
    /// Bytes of request body sent on.
    pub bytes_in: u64,
    /// Bytes of answer body sent back.
    pub bytes_out: u64,
    /// The trace that the caller made it part of: 32 hex digits.
    pub trace_id: Option<String>,
    /// From the call's arrival until the provider was first asked, in milliseconds; until the end when it was not.
    /// `None` in rows of before this was kept.
    pub waited_ms: Option<u64>,
    /// From when the provider was last asked until its answer's head was there, in milliseconds; `None` without an
    /// answer.
    pub first_byte_ms: Option<u64>,
    /// From the call's arrival until its answer's last byte, in milliseconds.
    pub duration_ms: u64,
    /// When the call arrived.
    pub at: Millis,
}
