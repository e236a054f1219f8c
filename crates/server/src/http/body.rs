//! Bodies: a JSON object whose fields are taken one by one, each of the right type.
//!
//! What is said about a wrong body names the field and never repeats a value: it may be a secret. Where a door reads
//! either casing, fields are named in snake case, whichever they came in.

use std::{collections::BTreeMap, fmt, time::Duration};

use claviger_engine::{
    error::{Error, Result},
    secret::Secret,
};
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The most bytes of a text.
const LONGEST: usize = 4096;
/// The most bytes of a token: some providers put a whole directory into one.
const LONGEST_SECRET: usize = 32 * 1024;
/// The most items of a list or a map; a customer may well grant hundreds of scopes.
const MOST: usize = 1000;

/// How a door spells the names of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Casing {
    /// As the handler names them, which is as the contract does: `clientId`.
    Exact,
    /// In snake case as the handler names them, and in camel case.
    Both,
}

/// The fields of a body that nobody has taken yet.
pub struct Fields {
    left: Map<String, Value>,
    casing: Casing,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// `Invalid` at `body` unless it is a JSON object in which no field comes twice.
    pub fn read(body: &[u8], casing: Casing) -> Result<Self> {
        match serde_json::from_slice(body) {
            Ok(Once(left)) => Ok(Self { left, casing }),
            Err(_) => Err(Error::invalid("body", "Must be a JSON object, with each field once")),
        }
    }

    /// The same, where a body may be left out.
    pub fn maybe(body: &[u8], casing: Casing) -> Result<Self> {
        if body.is_empty() { Ok(Self { left: Map::new(), casing }) } else { Self::read(body, casing) }
    }

    /// An object inside a body, whose fields are taken like a body's own.
    ///
    /// # Errors
    /// `Invalid` at the field unless it is an object.
    pub fn within(&mut self, field: &'static str) -> Result<Option<Self>> {
        match self.take(field, &[field])? {
            None => Ok(None),
            Some(Value::Object(left)) => Ok(Some(Self { left, casing: self.casing })),
            Some(_) => Err(Error::invalid(field, "Must be an object")),
        }
    }

    /// Lets fields pass that mean nothing here.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            for spelling in self.spellings(name) {
                self.left.shift_remove(&spelling);
            }
        }
    }

    /// Takes a field of a change with one of the readers below: `None` when it is left out, `Some(None)` when it is
    /// null, which clears what is there.
    ///
    /// # Errors
    /// The reader's.
    pub fn change<T>(
        &mut self,
        field: &'static str,
        take: impl FnOnce(&mut Self, &'static str) -> Result<Option<T>>,
    ) -> Result<Option<Option<T>>> {
        let there = self.spellings(field).iter().any(|spelling| self.left.contains_key(spelling));
        if there { take(self, field).map(Some) } else { Ok(None) }
    }

    /// Takes a text.
    pub fn text(&mut self, field: &'static str) -> Result<Option<String>> {
        self.short(field, &[field], LONGEST)
    }

    /// Takes a text that must be there.
    pub fn need(&mut self, field: &'static str) -> Result<String> {
        self.text(field)?.ok_or_else(|| Error::invalid(field, "Is required"))
    }

    /// Takes a secret, under any of its names. An empty one is an error.
    pub fn secret(&mut self, field: &'static str, names: &[&str]) -> Result<Option<Secret>> {
        match self.short(field, names, LONGEST_SECRET)? {
            Some(text) if text.is_empty() => Err(Error::invalid(field, "Is empty")),
            found => Ok(found.map(Secret::new)),
        }
    }

    /// Takes a number of seconds, at most `most`; a fraction is cut off.
    pub fn seconds(&mut self, field: &'static str, most: Duration) -> Result<Option<Duration>> {
        let Some(value) = self.take(field, &[field])? else { return Ok(None) };
        let whole = value.as_u64().or_else(|| {
            let number = value.as_f64().filter(|n| (0.0..=most.as_secs_f64()).contains(n))?;
            format!("{:.0}", number.trunc()).parse().ok()
        });
        whole.map(Duration::from_secs).filter(|time| *time <= most).map(Some).ok_or_else(|| {
            Error::invalid(field, format!("Must be a number of seconds from 0 to {}", most.as_secs()))
        })
    }

    /// Takes a yes or no.
    pub fn flag(&mut self, field: &'static str) -> Result<Option<bool>> {
        match self.take(field, &[field])? {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Error::invalid(field, "Must be true or false")),
        }
    }

    /// Takes a list of texts.
    pub fn texts(&mut self, field: &'static str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take(field, &[field])? else { return Ok(None) };
        let wrong = || Error::invalid(field, format!("Must be a list of at most {MOST} strings"));
        let Value::Array(items) = value else { return Err(wrong()) };
        if items.len() > MOST {
            return Err(wrong());
        }
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => bounded(field, text, LONGEST),
            _ => Err(wrong()),
        });
        texts.collect::<Result<_>>().map(Some)
    }

    /// Takes an object of texts.
    pub fn pairs(&mut self, field: &'static str) -> Result<Option<BTreeMap<String, String>>> {
        let Some(value) = self.take(field, &[field])? else { return Ok(None) };
        let wrong = || Error::invalid(field, format!("Must be an object of at most {MOST} strings"));
        let Value::Object(items) = value else { return Err(wrong()) };
        if items.len() > MOST {
            return Err(wrong());
        }
        let pairs = items.into_iter().map(|(name, item)| match item {
            Value::String(text) => Ok((bounded(field, name, LONGEST)?, bounded(field, text, LONGEST)?)),
            _ => Err(wrong()),
        });
        pairs.collect::<Result<_>>().map(Some)
    }

    /// Takes a value as it is. Null is as good as absent.
    pub fn value(&mut self, field: &'static str) -> Result<Option<Value>> {
        self.take(field, &[field])
    }

    /// Fails if there is a field that nobody took.
    pub fn done(self) -> Result<()> {
        self.done_at("body")
    }

    /// The same, for an object inside a body.
    pub fn done_at(self, field: &'static str) -> Result<()> {
        let Some(name) = self.left.keys().next() else { return Ok(()) };
        let name: String = name.chars().take(64).collect();
        Err(Error::invalid(field, format!("Unknown field {name:?}")))
    }

    fn spellings(&self, name: &str) -> Vec<String> {
        let twin = camel(name);
        match self.casing {
            Casing::Both if twin != name => vec![name.to_owned(), twin],
            Casing::Both | Casing::Exact => vec![name.to_owned()],
        }
    }

    fn short(&mut self, field: &'static str, names: &[&str], most: usize) -> Result<Option<String>> {
        match self.take(field, names)? {
            None => Ok(None),
            Some(Value::String(text)) => bounded(field, text, most).map(Some),
            Some(_) => Err(Error::invalid(field, "Must be a string")),
        }
    }

    /// Takes whatever stands under one of the names, in any of its spellings.
    fn take(&mut self, field: &'static str, names: &[&str]) -> Result<Option<Value>> {
        let mut found = None;
        for name in names {
            for value in self.spellings(name).iter().filter_map(|spelling| self.left.shift_remove(spelling)) {
                if found.replace(value).is_some() {
                    return Err(Error::invalid(field, "Is given twice"));
                }
            }
        }
        Ok(found.filter(|value| !value.is_null()))
    }
}

/// An object whose names differ. Of two values under one name, whoever looked at the body before us may have taken
/// the other.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(body: D) -> std::result::Result<Self, D::Error> {
        body.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Once;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Once, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Once(fields))
    }
}

/// A JSON object in which no name comes twice, apart from objects inside it.
///
/// # Errors
/// `Invalid` at `body` when it is anything else.
pub fn object(text: &[u8]) -> Result<Map<String, Value>> {
    match serde_json::from_slice(text) {
        Ok(Once(object)) => Ok(object),
        Err(_) => Err(Error::invalid("body", "Must be a JSON object, with each field once")),
    }
}

/// `external_id` → `externalId`.
pub fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

fn bounded(field: &'static str, text: String, most: usize) -> Result<String> {
    if text.len() > most || text.contains('\0') {
        return Err(Error::invalid(field, "Is too long, or holds a NUL"));
    }
    Ok(text)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
