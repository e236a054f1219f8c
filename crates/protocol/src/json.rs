//! Reading values at dotted paths: `authed_user.access_token`, `data.0.id`. A name that holds dots itself is
//! found first, whole. Must never panic on what a provider sends.

use claviger_catalog::ErrorRule;
use serde_json::Value;

/// The value at a path; `null` is nothing.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let found = match value.as_object().and_then(|object| object.get(path)) {
        Some(whole) => whole,
        None => path.split('.').try_fold(value, |value, name| match value {
            Value::Object(object) => object.get(name),
            Value::Array(list) => list.get(name.parse::<usize>().ok()?),
            _ => None,
        })?,
    };
    (!found.is_null()).then_some(found)
}

/// The value at a path as text: a text, a number or a truth value.
pub(crate) fn text(value: &Value, path: &str) -> Option<String> {
    plain(at(value, path)?)
}

/// Whether a file's rule takes a body for an error, by the value that it names.
pub(crate) fn fails(rule: &ErrorRule, value: &Value) -> bool {
    rule.path.as_deref().is_some_and(|path| match text(value, path) {
        Some(told) => rule.is.contains(&told) || (!rule.is_not.is_empty() && !rule.is_not.contains(&told)),
        None => false,
    })
}

/// A text, number or truth value as text.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let value = json!({"a": {"b": [{"c": 7}]}, "d.e": "whole", "n": null, "t": true});
        assert_eq!(text(&value, "a.b.0.c").as_deref(), Some("7"));
        assert_eq!(text(&value, "d.e").as_deref(), Some("whole"));
        assert_eq!(text(&value, "t").as_deref(), Some("true"));
        for path in ["n", "a", "a.b.1.c", "a.b.x", "a.b.-1", "", ".", "t.x", "zz"] {
            assert_eq!(text(&value, path), None, "{path}");
        }
    }
}
