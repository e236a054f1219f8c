//! The form's context: what `_form.html` shows of what is asked for, what was filled in and what is wrong with it.
//!
//! Pages of other shapes use the same partial: they give it `form`, made here, with an `action` and `hidden` fields of
//! their own. A secret's value must never get in here.

use claviger_catalog::{Input, KeyField};
use claviger_engine::{
    connect::{Ask, Given, Wrong},
    secret::Secret,
};
use minijinja::{Value, context};

use super::{page::sentence, text::Language};

/// What the names of a credential's fields begin with in the form: an input's key has no `-`.
pub const TYPED: &str = "credential-";

/// The `form` of `_form.html`. A page that is not at the flow's own URL overrides `action`, and `hidden`, a list of
/// `{ name, value }`: `context! { action => "/embed/…", hidden => vec![…], ..form::context(…) }`.
pub fn context(_language: Language, ask: &Ask, given: &Given, wrong: &Wrong) -> Value {
    let inputs = ask.inputs.iter().map(|input| field(input, given, wrong));
    let keys = ask.keys.iter().map(|key| key_field(key, given, wrong));
    context! {
        action => (),
        hidden => Vec::<Value>::new(),
        integration => &ask.integration,
        leaves => ask.leaves,
        fields => inputs.chain(keys).collect::<Vec<Value>>(),
    }
}

fn field(input: &Input, given: &Given, wrong: &Wrong) -> Value {
    let value = given.inputs.get(&input.key).or(input.default.as_ref());
    context! {
        name => &input.key,
        title => &input.title,
        description => &input.description,
        help => (),
        placeholder => input.placeholder.as_deref().unwrap_or_default(),
        required => input.is_needed(),
        secret => false,
        value => value.map(String::as_str).unwrap_or_default(),
        error => wrong.inputs.get(&input.key),
    }
}

/// A field of a credential. A secret's value never goes back into a page.
fn key_field(key: &KeyField, given: &Given, wrong: &Wrong) -> Value {
    let value = given.typed.get(&key.key).filter(|_| !key.secret);
    context! {
        name => format!("{TYPED}{}", key.key),
        title => &key.label.title,
        description => &key.label.description,
        help => &key.label.help,
        placeholder => key.label.placeholder.as_deref().unwrap_or_default(),
        required => !key.label.optional,
        secret => key.secret,
        value => value.map(Secret::expose).unwrap_or_default(),
        error => wrong.keys.get(&key.key).map(|text| sentence(text)),
    }
}
