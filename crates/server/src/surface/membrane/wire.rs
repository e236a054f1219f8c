//! Connections, as this door writes them: for lists, for answers, and for the message at a flow's end.

use claviger_engine::{
    customer::connection::Shown, domain::connection::Status, id::CustomerId, time::Millis,
};
use serde_json::{Value, json};

/// What a connection is as far as its customer is concerned.
enum Standing {
    /// It can be used.
    Ready,
    /// It can't: in a word of this door's, and why.
    Unusable { state: &'static str, message: String },
}

/// A connection. Nothing in it is secret.
pub fn connection(shown: &Shown) -> Value {
    let Shown { connection, integration, customer_id, archived_at, .. } = shown;
    // The product's own id stands in for ours where the customer is not known any more: there always is one.
    let customer = customer_id.as_ref().map(CustomerId::as_str).or(connection.owner.key.as_deref());
    let standing = standing(shown);
    let ready = matches!(standing, Standing::Ready);
    let active_at =
        connection.refreshed_at.map_or(connection.authorized_at, |at| at.max(connection.authorized_at));
    let next_refresh = connection.expires_at.filter(|_| ready && shown.can_refresh);
    let mut object = json!({
        "id": connection.id.as_str(),
        "name": connection.name.as_ref().unwrap_or(&integration.name),
        "userId": customer,
        "tenantId": customer,
        "integrationId": integration.id.as_str(),
        "integration": {
            "id": integration.id.as_str(),
            "key": integration.key,
            "name": integration.name,
        },
        "connectorId": integration.provider,
        "authOptionKey": connection.auth_option,
        "connected": ready,
        "disconnected": !ready,
        "isDefunct": !ready,
        "isDeactivated": connection.frozen_at.is_some(),
        "isTest": false,
        "state": "READY",
        "errors": [],
        "canTest": ready && shown.can_test,
        "canRefreshCredentials": ready && shown.can_refresh,
        "createdAt": connection.created_at.rfc3339(),
        "updatedAt": connection.updated_at.rfc3339(),
        "archivedAt": archived_at.map(Millis::rfc3339),
        "lastActiveAt": active_at.rfc3339(),
        "nextCredentialsRefreshAt": next_refresh.map(Millis::rfc3339),
    });
    if let Standing::Unusable { state, message } = standing {
        let error = json!({ "type": "connection", "key": "connection_is_defunct", "message": message });
        object["state"] = state.into();
        object["errors"] = json!([error]);
        object["error"] = error;
    }
    // What is not there is absent: these SDKs take null for a value.
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

fn standing(shown: &Shown) -> Standing {
    let Shown { connection, archived_at, .. } = shown;
    let unusable = |state, message: &str| Standing::Unusable { state, message: message.to_owned() };
    match connection.status {
        _ if archived_at.is_some() => unusable("DISCONNECTING", "The connection was archived"),
        _ if connection.frozen_at.is_some() => unusable("CONFIGURATION_ERROR", "The connection is frozen"),
        Status::Active => Standing::Ready,
        Status::NeedsReauth => {
            let reason = connection.status_reason.as_deref();
            let reason = reason.unwrap_or("its provider does not take its credential any more");
            unusable("CLIENT_ACTION_REQUIRED", &format!("The connection must be authorized again: {reason}"))
        }
    }
}
