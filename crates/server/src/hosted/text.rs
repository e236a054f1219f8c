//! Texts: what pages say, by key, in every language that there is.
//!
//! `texts/<language>.toml` has the same keys with the same `{placeholders}` in each; a test holds that. What the engine
//! says is English: `[said]` finds such a sentence by its English text, and one that is not found is shown as it is.

use std::{borrow::Cow, collections::BTreeMap};

use claviger_engine::error::{Error, Result};
use minijinja::HtmlEscape;

/// A language that pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Language {
    /// English, also for whoever wants none of the others.
    #[default]
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
}

impl Language {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::En, Self::De, Self::Fr, Self::Es];

    /// As HTML names it (RFC 5646).
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
        }
    }

    /// The language of a tag, of whichever region: `de`, `de-AT`.
    pub fn of(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("../../texts/en.toml"),
            Self::De => include_str!("../../texts/de.toml"),
            Self::Fr => include_str!("../../texts/fr.toml"),
            Self::Es => include_str!("../../texts/es.toml"),
        }
    }
}

/// All texts, by language and key: `connect.title`.
pub struct Texts(BTreeMap<Language, BTreeMap<String, String>>);

impl Texts {
    /// Reads them.
    ///
    /// # Errors
    /// `Internal` when a file is not a table of tables of texts.
    pub fn load() -> Result<Self> {
        let read = |language: Language| {
            let tables: BTreeMap<String, BTreeMap<String, String>> =
                toml::from_str(language.source()).map_err(|e| Error::Internal(e.into()))?;
            let texts = tables.into_iter().flat_map(|(table, texts)| {
                texts.into_iter().map(move |(key, text)| (format!("{table}.{key}"), text))
            });
            Ok((language, texts.collect()))
        };
        Language::ALL.into_iter().map(read).collect::<Result<_>>().map(Self)
    }

    /// The text of a key with its placeholders filled; `None` for a key that there is not.
    pub fn get(&self, language: Language, key: &str, values: &[(&str, &str)]) -> Option<String> {
        let text = self.0.get(&language)?.get(key)?;
        Some(filled(text, |name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)))
    }

    /// The same as markup: the text escaped, around values that are markup already.
    pub fn markup(&self, language: Language, key: &str, values: &[(&str, &str)]) -> Option<String> {
        let text = HtmlEscape(self.0.get(&language)?.get(key)?).to_string();
        Some(filled(&text, |name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)))
    }

    /// A sentence of the engine's in a language; as it is where it is not known.
    pub fn said<'a>(&self, language: Language, english: &'a str) -> Cow<'a, str> {
        if language == Language::En {
            return Cow::Borrowed(english);
        }
        self.translated(language, "said.", english).map_or(Cow::Borrowed(english), Cow::Owned)
    }

    /// A label that fields have by default; as it is where it is of a provider's own.
    pub fn label<'a>(&self, language: Language, english: &'a str) -> Cow<'a, str> {
        self.translated(language, "label.", english).map_or(Cow::Borrowed(english), Cow::Owned)
    }

    /// Finds an English text among those with this prefix, of several the one with the most words of its own, and gives
    /// what a language has in its place.
    fn translated(&self, language: Language, prefix: &str, english: &str) -> Option<String> {
        let wanted = bare(english);
        let known = self.0.get(&Language::En)?.iter().filter(|(key, _)| key.starts_with(prefix));
        let found = known.filter_map(|(key, text)| {
            let text = bare(text);
            Some((text.len(), key, captured(&text, &wanted)?))
        });
        let (_, key, values) = found.max_by_key(|(length, ..)| *length)?;
        // A sentence may have another of the engine's in it.
        let values: Vec<(&str, Cow<'_, str>)> = values
            .iter()
            .map(|(name, value)| match name.as_str() {
                "inner" => ("inner", self.said(language, value)),
                name => (name, Cow::Borrowed(value.as_str())),
            })
            .collect();
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, &**value)).collect();
        self.get(language, key, &values)
    }
}

/// A sentence as it is compared: without its period, and whatever letter it begins with.
fn bare(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_lowercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// A text with what stands in braces replaced; a name that has no value stays.
fn filled<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = placeholder(rest) {
        out.push_str(before);
        match value(name) {
            Some(value) => out.push_str(value),
            None => out.extend(["{", name, "}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The first placeholder, with what is before it and behind it.
pub(super) fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// What stands in place of each placeholder of `pattern` in `text`; `None` when the rest is not the same.
fn captured(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
    let mut values = Vec::new();
    let (mut pattern, mut text) = (pattern, text);
    while let Some((before, name, after)) = placeholder(pattern) {
        text = text.strip_prefix(before)?;
        let literal = after.split('{').next().unwrap_or_default();
        let end = match literal.is_empty() {
            true => text.len(),
            // The last one goes to the end: what a provider said may hold the same words.
            false if literal.len() == after.len() => text.len().checked_sub(literal.len())?,
            false => text.find(literal)?,
        };
        let value = text.get(..end)?;
        if value.is_empty() {
            return None;
        }
        values.push((name.to_owned(), value.to_owned()));
        (pattern, text) = (after, text.get(end..)?);
    }
    (pattern == text).then_some(values)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
