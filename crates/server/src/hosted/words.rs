//! Words in templates: `t`, `said`, `label`, `english` and `fault`, each in the language of the page.
//!
//! What they give is escaped where it stands in markup; a value that is markup already, as `{% set %}` makes it, stays so.

use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind, HtmlEscape, State, Value, value::Kwargs};

use super::{
    page::sentence,
    text::{Language, Texts},
};

/// Gives templates their words.
pub fn add(env: &mut Environment<'static>, texts: &Arc<Texts>) {
    let own = texts.clone();
    env.add_function("t", move |state: &State<'_, '_>, key: &str, values: Kwargs| {
        translate(&own, language(state)?, key, &values)
    });
    let own = texts.clone();
    env.add_function("said", move |state: &State<'_, '_>, english: &str| {
        language(state).map(|language| own.said(language, english).into_owned())
    });
    let own = texts.clone();
    env.add_function("label", move |state: &State<'_, '_>, english: &str| {
        language(state).map(|language| own.label(language, english).into_owned())
    });
    let own = texts.clone();
    env.add_function("english", move |state: &State<'_, '_>, title: Option<&str>| {
        language(state).map(|language| english(&own, language, title))
    });
    let own = texts.clone();
    env.add_function("fault", move |state: &State<'_, '_>, of: &Value| fault(&own, language(state)?, of));
}

fn language(state: &State<'_, '_>) -> Result<Language, Error> {
    let tag = state.lookup("lang");
    let found = tag.as_ref().and_then(|tag| Language::of(tag.as_str()?));
    found.ok_or_else(|| Error::new(ErrorKind::UndefinedError, "a page without a language"))
}

/// The attribute of what a provider's file says, for the catalog is English: a description, or a title that has no
/// translation (WCAG 2.2 §3.1.2).
fn english(texts: &Texts, language: Language, title: Option<&str>) -> Value {
    let translated = title.is_some_and(|title| texts.label(language, title) != title);
    let other = language != Language::En && !translated;
    Value::from_safe_string(if other { " lang=\"en\"" } else { "" }.to_owned())
}

/// The text of a key, with each placeholder filled that it has.
fn translate(texts: &Texts, language: Language, key: &str, values: &Kwargs) -> Result<Value, Error> {
    let mut filled = Vec::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        let text = value.to_string();
        let text = if value.is_safe() { text } else { HtmlEscape(&text).to_string() };
        filled.push((name, text));
    }
    let filled: Vec<(&str, &str)> = filled.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let text = texts
        .markup(language, key, &filled)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no text is called {key}")))?;
    Ok(Value::from_safe_string(text))
}

/// What is wrong with a value: the field's `fault` of `form::context`.
fn fault(texts: &Texts, language: Language, of: &Value) -> Result<Option<String>, Error> {
    if of.is_none() {
        return Ok(None);
    }
    let (kind, words) = (of.get_attr("kind")?, of.get_attr("words")?);
    let say = |key: &str, values: &[(&str, &str)]| texts.get(language, key, values);
    let text = match (kind.as_str(), words.as_str()) {
        (Some("missing"), _) => say("form.missing", &[]),
        (Some("unlike"), Some(example)) => say("form.unlike_example", &[("example", example)]),
        (Some("unlike"), None) => say("form.unlike", &[]),
        (Some("choice"), _) => say("form.choice", &[]),
        (Some("said"), Some(words)) => Some(texts.said(language, &sentence(words)).into_owned()),
        _ => None,
    };
    text.map(Some).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a fault of no kind"))
}
