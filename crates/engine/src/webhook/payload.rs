//! Payload: the body of a delivery. Pure.
//!
//! Compact JSON, keys in this order, nothing escaped that need not be: a receiver that parses it and writes it again
//! gets the same bytes, which is how some check its signature.

use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::event::Event,
    error::{Error, Result},
    time::Millis,
};

#[derive(Serialize)]
struct Payload<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    data: &'a Value,
    #[serde(rename = "webhookTimestamp")]
    sent_at: i64,
}

/// The body that tells of an event, in an attempt made at `at`.
pub(super) fn body(event: &Event, at: Millis) -> Result<Vec<u8>> {
    let payload = Payload {
        id: event.id.as_str(),
        kind: event.kind.as_str(),
        created_at: event.created_at.rfc3339(),
        data: &event.data,
        sent_at: at.0,
    };
    serde_json::to_vec(&payload).map_err(|e| Error::Internal(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::event::EventKind,
        id::{ConnectionId, EventId, WorkspaceId},
    };

    #[test]
    fn it_is_compact_and_in_order_and_escapes_only_what_it_must() {
        let event = Event {
            id: EventId::from_row("evt_1".to_owned()),
            workspace_id: WorkspaceId::new(),
            kind: EventKind::ConnectionUpdated,
            connection_id: ConnectionId::new(),
            data: serde_json::json!({ "id": "conn_1", "external_id": "Zoë/🔑 \"a\"\u{1}", "b": null, "a": true }),
            created_at: Millis(1_767_323_045_678),
        };
        let text = String::from_utf8(body(&event, Millis(1_767_323_050_001)).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"id\":\"evt_1\",\"type\":\"connection.updated\",\"created_at\":\"2026-01-02T03:04:05.678Z\",\
             \"data\":{\"id\":\"conn_1\",\"external_id\":\"Zoë/🔑 \\\"a\\\"\\u0001\",\"b\":null,\"a\":true},\
             \"webhookTimestamp\":1767323050001}"
        );
    }
}
