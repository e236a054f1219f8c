//! The schema of what an auth option asks for, as JSON Schema: what product pages and the vendor's SDKs draw forms from.

use claviger_catalog::{Choice, Input, KeyField};
use claviger_engine::customer::integration::Way;
use serde_json::{Map, Value, json};

/// What is given as `connectionParameters` or `input`, by key, in the order in which it is asked for.
pub fn inputs(way: &Way) -> Value {
    let inputs = way.inputs.iter().map(|input| (input.order, &input.key, of_input(input), input.is_needed()));
    let fields = way.fields.iter().map(|field| {
        let order = field.label.order;
        (order, &field.key, of_field(field), !field.label.optional)
    });
    let mut all: Vec<_> = inputs.chain(fields).collect();
    // Stable: what has the same number stays in the order of the file.
    all.sort_by_key(|(order, ..)| *order);
    let mut form = Form::default();
    for (_, key, property, required) in all {
        form.add(key, property, required);
    }
    form.schema()
}

/// What a caller may say besides, as `connectorParameters`. `None` when there is nothing.
pub fn connector_parameters(way: &Way) -> Option<Value> {
    if way.tunable.is_empty() {
        return None;
    }
    let mut form = Form::default();
    for key in &way.tunable {
        let known = way.inputs.iter().find(|input| input.key == *key).map(of_input);
        let scopes =
            || json!({ "type": ["array", "string"], "items": { "type": "string" }, "title": "Scopes" });
        let other = || json!({ "type": "string", "title": key });
        form.add(key, known.unwrap_or_else(|| if key == "scopes" { scopes() } else { other() }), false);
    }
    Some(form.schema())
}

/// Where people find what they are asked for.
pub fn help(way: &Way) -> Option<&str> {
    let fields = way.fields.iter().filter_map(|field| field.label.help.as_deref());
    fields.chain(way.inputs.iter().filter_map(|input| input.help.as_deref())).next()
}

#[derive(Default)]
struct Form {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Form {
    fn add(&mut self, key: &str, mut property: Value, required: bool) {
        if let Value::Object(words) = &mut property {
            words.retain(|_, word| !word.is_null());
        }
        self.properties.insert(key.to_owned(), property);
        if required {
            self.required.push(key.to_owned());
        }
    }

    fn schema(self) -> Value {
        let mut schema = json!({ "type": "object", "properties": self.properties });
        if !self.required.is_empty() {
            schema["required"] = self.required.into();
        }
        schema
    }
}

fn of_input(input: &Input) -> Value {
    json!({
        "type": "string",
        "title": input.title,
        "description": input.description,
        "pattern": input.pattern,
        "default": input.default,
        "examples": input.placeholder.as_ref().map(|one| [one]),
        "placeholder": input.placeholder,
        "enum": values(&input.options),
        "options": choices(&input.options),
        "order": placed(input.order),
        "help": input.help,
    })
}

fn of_field(field: &KeyField) -> Value {
    let label = &field.label;
    let secret = is_secret(field);
    // Several lines and documents are not one line behind dots, however secret they are.
    let format = match label.form {
        claviger_catalog::Form::Text => secret.then_some("password"),
        claviger_catalog::Form::Multiline | claviger_catalog::Form::Json => Some("textarea"),
    };
    json!({
        "type": "string",
        "title": label.title.as_ref().unwrap_or(&field.key),
        "description": label.description,
        "format": format,
        "contentMediaType": field.is_document().then_some("application/json"),
        "isSensitive": secret.then_some(true),
        "pattern": label.pattern,
        "examples": label.placeholder.as_ref().map(|one| [one]),
        "placeholder": label.placeholder,
        "enum": values(&label.options),
        "options": choices(&label.options),
        "order": placed(label.order),
        "help": label.help,
    })
}

/// Whether something secret comes of it: of a document, any part.
fn is_secret(field: &KeyField) -> bool {
    field.values().any(|value| value.secret)
}

/// What there is to choose from, as JSON Schema has it.
fn values(options: &[Choice]) -> Option<Vec<&str>> {
    (!options.is_empty()).then(|| options.iter().map(|choice| choice.value.as_str()).collect())
}

/// The same with what people read.
fn choices(options: &[Choice]) -> Option<Vec<Value>> {
    let one = |choice: &Choice| json!({ "value": choice.value, "label": choice.title.as_ref().unwrap_or(&choice.value) });
    (!options.is_empty()).then(|| options.iter().map(one).collect())
}

fn placed(order: i64) -> Option<i64> {
    (order != 0).then_some(order)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use claviger_catalog::{AskedOf, Holds, Kind, Label};

    use super::*;

    fn way() -> Way {
        let subdomain = Input {
            key: "subdomain".to_owned(),
            title: "Subdomain".to_owned(),
            description: None,
            placeholder: Some("acme".to_owned()),
            pattern: "^[a-z]+$".to_owned(),
            required: true,
            default: None,
            asked_of: AskedOf::User,
            help: None,
            options: Vec::new(),
            order: 0,
        };
        let region = Input { key: "region".to_owned(), default: Some("eu".to_owned()), ..subdomain.clone() };
        let key = KeyField {
            key: "api_key".to_owned(),
            label: Label::default(),
            secret: true,
            parts: BTreeMap::new(),
            holds: Holds::Text,
        };
        let note = Label { optional: true, title: Some("Note".to_owned()), ..Label::default() };
        let note = KeyField {
            key: "note".to_owned(),
            label: note,
            secret: false,
            parts: BTreeMap::new(),
            holds: Holds::Text,
        };
        Way {
            key: None,
            title: "Shop".to_owned(),
            description: None,
            kind: Kind::Typed,
            lent: false,
            inputs: vec![subdomain, region],
            fields: vec![key, note],
            redirect_uri: None,
            jwks_uri: None,
            tunable: Vec::new(),
        }
    }

    #[test]
    fn a_schema_says_what_is_asked_and_what_is_secret() {
        let schema = inputs(&way());
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["required"], json!(["subdomain", "api_key"]));
        let of = |key: &str| schema["properties"][key].clone();
        let subdomain = json!({
            "type": "string", "title": "Subdomain", "pattern": "^[a-z]+$", "examples": ["acme"], "placeholder": "acme"
        });
        assert_eq!(of("subdomain"), subdomain);
        assert_eq!(of("region")["default"], "eu");
        let key = json!({ "type": "string", "title": "api_key", "format": "password", "isSensitive": true });
        assert_eq!(of("api_key"), key);
        assert_eq!(of("note"), json!({ "type": "string", "title": "Note" }));
        let keys: Vec<_> =
            schema["properties"].as_object().map(|all| all.keys().collect()).unwrap_or_default();
        assert_eq!(keys, ["subdomain", "region", "api_key", "note"], "in the order of the file");
    }

    #[test]
    fn forms_choices_and_order_are_told() {
        let mut way = way();
        let eu = Choice { value: "eu".to_owned(), title: Some("Europe".to_owned()) };
        let us = Choice { value: "us".to_owned(), title: None };
        (way.inputs[1].options, way.inputs[1].help) = (vec![eu, us], Some("https://x.example/".to_owned()));
        way.fields[0].label.form = claviger_catalog::Form::Multiline;
        way.fields[0].label.order = -1;
        way.fields[1].label.form = claviger_catalog::Form::Json;
        let part = |secret| claviger_catalog::Part {
            path: "k".to_owned(),
            secret,
            pattern: None,
            required: true,
            holds: Holds::Text,
        };
        way.fields[1].parts.insert("k".to_owned(), part(false));
        let schema = inputs(&way);
        let of = |schema: &Value, key: &str| schema["properties"][key].clone();
        assert_eq!(of(&schema, "region")["enum"], json!(["eu", "us"]));
        let choices = json!([{ "value": "eu", "label": "Europe" }, { "value": "us", "label": "us" }]);
        assert_eq!(of(&schema, "region")["options"], choices);
        assert_eq!(
            (of(&schema, "region")["help"].as_str(), help(&way)),
            (Some("https://x.example/"), help(&way))
        );
        let key = json!({ "type": "string", "title": "api_key", "format": "textarea", "isSensitive": true, "order": -1 });
        assert_eq!(of(&schema, "api_key"), key);
        let note = json!({
            "type": "string", "title": "Note", "format": "textarea", "contentMediaType": "application/json"
        });
        assert_eq!(of(&schema, "note"), note);
        let keys: Vec<_> =
            schema["properties"].as_object().map(|all| all.keys().collect()).unwrap_or_default();
        assert_eq!(keys, ["api_key", "subdomain", "region", "note"], "by their numbers");
        way.fields[1].parts.insert("s".to_owned(), part(true));
        assert_eq!(of(&inputs(&way), "note")["isSensitive"], true, "one secret part is enough");
    }

    #[test]
    fn nothing_is_asked_where_nothing_is_needed() {
        let none = Way { inputs: Vec::new(), fields: Vec::new(), ..way() };
        assert_eq!(inputs(&none), json!({ "type": "object", "properties": {} }));
        assert_eq!(connector_parameters(&none), None);
        let tunable = Way { tunable: vec!["scopes".to_owned(), "subdomain".to_owned()], ..way() };
        let schema = connector_parameters(&tunable).unwrap_or_default();
        assert_eq!(schema["properties"]["scopes"]["items"]["type"], "string");
        assert_eq!(schema["properties"]["subdomain"]["pattern"], "^[a-z]+$");
    }
}
