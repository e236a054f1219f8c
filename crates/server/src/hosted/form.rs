//! The form's context: what `_form.html` shows of what is asked for, what was filled in and what is wrong with it.
//!
//! Pages of other shapes use the same partial: they give it `form`, made here, with an `action` and `hidden` fields of
//! their own. No words are chosen here: the partial speaks the page's language. A secret's value must never get in here.

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::Response,
};
use claviger_catalog::{Choice, Form, Input, KeyField};
use claviger_engine::{
    connect::{Alert, Ask, Fault, Given, Wrong},
    secret::Secret,
};
use minijinja::{Value, context};

use super::{markdown, pattern};

/// What the names of a credential's fields begin with in the form: an input's key has no `-`.
pub const TYPED: &str = "credential-";

/// The longest document that is taken, in bytes: what the credential's check says too.
const MOST: usize = 64 * 1024;

/// The `form` of `_form.html`. A page that is not at the flow's own URL overrides `action`, and `hidden`, a list of
/// `{ name, value }`: `context! { action => "/embed/…", hidden => vec![…], ..form::context(…) }`.
pub fn context(ask: &Ask, given: &Given, wrong: &Wrong) -> Value {
    let inputs = ask.inputs.iter().map(|input| (input.order, field(input, given, wrong)));
    let keys = ask.keys.iter().map(|key| (key.label.order, key_field(key, given, wrong)));
    let mut fields: Vec<(i64, Value)> = inputs.chain(keys).collect();
    fields.sort_by_key(|(order, _)| *order);
    let alert = wrong.alert.map(|alert| match alert {
        Alert::Unreachable => "unreachable",
        Alert::Limited { .. } => "limited",
        Alert::Ours => "ours",
    });
    context! {
        action => (),
        hidden => Vec::<Value>::new(),
        integration => &ask.integration,
        leaves => ask.leaves,
        coded => ask.device.is_some(),
        alert,
        most => MOST,
        problems => wrong.inputs.len() + wrong.keys.len(),
        fields => fields.into_iter().map(|(_, field)| field).collect::<Vec<Value>>(),
    }
}

/// When to send the form again, where that was too often.
pub fn wait(wrong: &Wrong, response: &mut Response) {
    if let Some(Alert::Limited { retry_after }) = wrong.alert {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
}

/// The status of a page that shows this form.
pub fn status(wrong: &Wrong) -> StatusCode {
    match wrong.alert {
        Some(Alert::Unreachable) => StatusCode::SERVICE_UNAVAILABLE,
        Some(Alert::Limited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(Alert::Ours) => StatusCode::INTERNAL_SERVER_ERROR,
        None if wrong.inputs.is_empty() && wrong.keys.is_empty() => StatusCode::OK,
        None => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn field(input: &Input, given: &Given, wrong: &Wrong) -> Value {
    let value = given.inputs.get(&input.key).or(input.default.as_ref());
    context! {
        name => &input.key,
        title => &input.title,
        about => about(input.description.as_deref()),
        help => help(input.help.as_deref()),
        placeholder => input.placeholder.as_deref().unwrap_or_default(),
        pattern => pattern::for_browsers(&input.pattern, true),
        required => input.is_needed(),
        secret => false,
        kind => if input.options.is_empty() { "line" } else { "choice" },
        options => options(&input.options),
        value => value.map(String::as_str).unwrap_or_default(),
        fault => fault(wrong.inputs.get(&input.key)),
    }
}

/// A field of a credential. A secret's value never goes back into a page.
fn key_field(key: &KeyField, given: &Given, wrong: &Wrong) -> Value {
    let value = given.typed.get(&key.key).filter(|_| !key.secret);
    let label = &key.label;
    let kind = match label.form {
        _ if !label.options.is_empty() => "choice",
        Form::Text => "line",
        Form::Multiline => "lines",
        Form::Json => "json",
    };
    // A password's white space is its own.
    let pattern = label.pattern.as_deref().and_then(|it| pattern::for_browsers(it, key.key != "password"));
    context! {
        name => format!("{TYPED}{}", key.key),
        title => label.title.as_deref().unwrap_or(&key.key),
        about => about(label.description.as_deref()),
        help => help(label.help.as_deref()),
        placeholder => label.placeholder.as_deref().unwrap_or_default(),
        pattern,
        required => !label.optional,
        secret => key.secret,
        kind,
        options => options(&label.options),
        value => value.map(Secret::expose).unwrap_or_default(),
        fault => fault(wrong.keys.get(&key.key)),
    }
}

/// A description, as markup.
pub fn about(description: Option<&str>) -> Option<Value> {
    description.map(|text| Value::from_safe_string(markdown::safe(text)))
}

fn help(to: Option<&str>) -> Option<String> {
    to.and_then(markdown::away)
}

fn options(options: &[Choice]) -> Vec<Value> {
    let one = |choice: &Choice| {
        let title = choice.title.as_deref().unwrap_or(&choice.value);
        context! { value => &choice.value, title }
    };
    options.iter().map(one).collect()
}

fn fault(fault: Option<&Fault>) -> Option<Value> {
    let (kind, words) = match fault? {
        Fault::Missing => ("missing", None),
        Fault::Unlike { example } => ("unlike", example.as_deref()),
        Fault::NotListed => ("choice", None),
        Fault::Said(words) => ("said", Some(words.as_str())),
    };
    Some(context! { kind, words })
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
