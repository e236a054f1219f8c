//! Payload: the body of a delivery. Pure.
//!
//! Compact JSON, keys in this order, nothing escaped that need not be: a receiver that parses it and writes it again
//! gets the same bytes, which is how some check its signature.

use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::{
        event::{Event, EventKind},
        webhook::Format,
    },
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

/// The body that tells of an event in an endpoint's format, in an attempt made at `at`.
pub(super) fn body(event: &Event, format: Format, at: Millis) -> Result<Vec<u8>> {
    match format {
        Format::Bundleup => bundleup(event, at),
        Format::Membrane => membrane(event),
    }
}

fn bundleup(event: &Event, at: Millis) -> Result<Vec<u8>> {
    let payload = Payload {
        id: event.id.as_str(),
        kind: event.kind.as_str(),
        created_at: event.created_at.rfc3339(),
        data: &event.data,
        sent_at: at.0,
    };
    serde_json::to_vec(&payload).map_err(|e| Error::Internal(e.into()))
}

/// The older receivers of that door read `event`, the newer ones `eventType`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    event_type: &'static str,
    event: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Data<'a> {
    Connection(Connection<'a>),
    Webhook(Webhook<'a>),
}

/// An endpoint that was disabled.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhook<'a> {
    id: &'a str,
    name: Option<&'a str>,
    failing_since: Option<&'a str>,
    disabled_at: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    id: &'a str,
    integration_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    disconnected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
}

fn membrane(event: &Event) -> Result<Vec<u8>> {
    let data = match event.kind {
        EventKind::WebhookDisabled => Data::Webhook(webhook(event)),
        _ => Data::Connection(connection(event)),
    };
    let kind = match event.kind {
        EventKind::ConnectionExpired => "connection.disconnected",
        EventKind::ConnectionUpdated if event.about.as_ref().is_some_and(|it| it.reconnected) => {
            "connection.reconnected"
        }
        kind => kind.as_str(),
    };
    let told = Told { event_type: kind, event: kind, data };
    serde_json::to_vec(&told).map_err(|e| Error::Internal(e.into()))
}

fn webhook(event: &Event) -> Webhook<'_> {
    Webhook {
        id: event.connection_id.as_str(),
        name: event.data["name"].as_str(),
        failing_since: event.data["failing_since"].as_str(),
        disabled_at: event.data["disabled_at"].as_str(),
    }
}

fn connection(event: &Event) -> Connection<'_> {
    let about = event.about.as_ref();
    let works = event.data["is_valid"] == true && event.kind != EventKind::ConnectionDeleted;
    Connection {
        id: event.connection_id.as_str(),
        integration_id: event.data["integration_id"].as_str(),
        integration_key: about.map(|it| it.integration_key.as_str()),
        name: about.map(|it| it.name.as_str()),
        disconnected: !works,
        customer_id: about.and_then(|it| it.customer_id.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::event::About,
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
            about: Some(about("Zoë", true)),
            created_at: Millis(1_767_323_045_678),
        };
        let text = body(&event, Format::Bundleup, Millis(1_767_323_050_001)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "{\"id\":\"evt_1\",\"type\":\"connection.updated\",\"created_at\":\"2026-01-02T03:04:05.678Z\",\
             \"data\":{\"id\":\"conn_1\",\"external_id\":\"Zoë/🔑 \\\"a\\\"\\u0001\",\"b\":null,\"a\":true},\
             \"webhookTimestamp\":1767323050001}"
        );
    }

    fn about(name: &str, reconnected: bool) -> About {
        About {
            integration_key: "slack".to_owned(),
            name: name.to_owned(),
            customer_id: Some("Zoë/1".to_owned()),
            reconnected,
        }
    }

    #[test]
    fn the_other_format_has_its_own_words_and_says_whether_it_works() {
        for (kind, valid, reconnected, word, disconnected) in [
            (EventKind::ConnectionCreated, true, false, "connection.created", false),
            (EventKind::ConnectionExpired, false, false, "connection.disconnected", true),
            (EventKind::ConnectionUpdated, true, true, "connection.reconnected", false),
            (EventKind::ConnectionUpdated, true, false, "connection.updated", false),
            (EventKind::ConnectionDeleted, true, false, "connection.deleted", true),
            (EventKind::ConnectionExpiring, true, false, "connection.expiring", false),
        ] {
            let event = Event {
                id: EventId::new(),
                workspace_id: WorkspaceId::new(),
                kind,
                connection_id: ConnectionId::from_row("conn_1".to_owned()),
                data: serde_json::json!({ "integration_id": "int_1", "is_valid": valid, "external_id": "x" }),
                about: Some(about("My \"Slack\"", reconnected)),
                created_at: Millis(0),
            };
            let text = String::from_utf8(body(&event, Format::Membrane, Millis(1)).unwrap()).unwrap();
            assert_eq!(
                text,
                format!(
                    "{{\"eventType\":\"{word}\",\"event\":\"{word}\",\"data\":{{\"connection\":{{\"id\":\"conn_1\",\
                     \"integrationId\":\"int_1\",\"integrationKey\":\"slack\",\"name\":\"My \\\"Slack\\\"\",\
                     \"disconnected\":{disconnected},\"customerId\":\"Zoë/1\"}}}}}}"
                )
            );
        }
    }

    #[test]
    fn a_disabled_endpoint_is_told_in_both_formats() {
        let event = Event {
            id: EventId::from_row("evt_1".to_owned()),
            workspace_id: WorkspaceId::new(),
            kind: EventKind::WebhookDisabled,
            connection_id: ConnectionId::from_row("wh_1".to_owned()),
            data: serde_json::json!({ "id": "wh_1", "name": "ours", "failing_since": "F", "disabled_at": "D" }),
            about: None,
            created_at: Millis(0),
        };
        let text = |format| String::from_utf8(body(&event, format, Millis(1)).unwrap()).unwrap();
        assert_eq!(
            text(Format::Membrane),
            "{\"eventType\":\"webhook.disabled\",\"event\":\"webhook.disabled\",\"data\":{\"webhook\":\
             {\"id\":\"wh_1\",\"name\":\"ours\",\"failingSince\":\"F\",\"disabledAt\":\"D\"}}}"
        );
        assert_eq!(
            text(Format::Bundleup),
            "{\"id\":\"evt_1\",\"type\":\"webhook.disabled\",\"created_at\":\"1970-01-01T00:00:00.000Z\",\
             \"data\":{\"id\":\"wh_1\",\"name\":\"ours\",\"failing_since\":\"F\",\"disabled_at\":\"D\"},\
             \"webhookTimestamp\":1}"
        );
    }
}
