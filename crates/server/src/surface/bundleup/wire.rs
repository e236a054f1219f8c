//! How this door writes what it knows: objects in both casings, lists in both shapes.
//!
//! The contract's documents name fields in camel case and its clients in snake case; its Python client takes only
//! objects, its others only arrays, and they differ in the slash at the end of a collection's path.

use axum::{
    Json,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::body::camel;

/// An object with each field under its other casing too.
pub fn both(object: &impl Serialize) -> Value {
    // What is written here has text keys and finite numbers only, so it always is JSON.
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        let twins: Vec<_> = fields.iter().map(|(name, value)| (camel(name), value.clone())).collect();
        fields.extend(twins);
    }
    value
}

/// An object, as an answer.
pub fn object(status: StatusCode, object: &impl Serialize) -> Response {
    (status, Json(both(object))).into_response()
}

/// A list: `{"data": […]}` where the path ends with a slash, else the bare array.
pub fn list<T: Serialize>(uri: &Uri, items: impl IntoIterator<Item = T>) -> Response {
    let items: Vec<Value> = items.into_iter().map(|item| both(&item)).collect();
    if uri.path().ends_with('/') {
        Json(json!({ "data": items })).into_response()
    } else {
        Json(items).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_both_casings_and_values_are_left_alone() {
        let value = both(&json!({ "id": 1, "external_id": null, "events": { "a_b": true } }));
        let want = json!({ "id": 1, "external_id": null, "events": { "a_b": true }, "externalId": null });
        assert_eq!(value, want);
    }

    #[test]
    fn the_slash_decides_the_shape_of_a_list() {
        let kind = |path: &str| list(&path.parse().expect("a path"), [json!({})]).into_body();
        let text = async |path| axum::body::to_bytes(kind(path), 100).await.expect("a body");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(text("/v1/x?limit=1/")), "[{}]");
        assert_eq!(runtime.block_on(text("/v1/x/?limit=1")), "{\"data\":[{}]}");
    }
}
