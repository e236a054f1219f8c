//! One SQL statement with its values, and one row of its answer.
//!
//! Text is stripped of NUL here, once for all: PostgreSQL refuses it. Statements are constant texts with
//! `$1 …` in the order of the values; nothing is ever pasted into them.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Any, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::fault::{fault, unreadable};
use crate::{
    error::{Error, Result},
    time::Millis,
    vault::Sealed,
};

/// A statement being filled with values. A copy of it may be run again.
#[derive(Clone)]
pub(super) struct Statement {
    text: &'static str,
    values: Vec<Value>,
}

#[derive(Clone)]
enum Value {
    Text(Option<String>),
    Int(Option<i64>),
}

/// Starts a statement.
pub(super) fn sql(text: &'static str) -> Statement {
    Statement { text, values: Vec::new() }
}

impl Statement {
    /// As the driver takes it.
    pub(super) fn query(self) -> Query<'static, Any, AnyArguments> {
        self.values.into_iter().fold(sqlx::query(self.text), |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Int(number) => query.bind(number),
        })
    }

    fn with(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// Binds a text.
    pub(super) fn text(self, value: impl AsRef<str>) -> Self {
        self.maybe_text(Some(value))
    }

    /// Binds a text that is only compared. A NUL makes it equal to nothing that is stored, instead of
    /// equal to what it would be without.
    pub(super) fn key(self, value: impl AsRef<str>) -> Self {
        self.with(Value::Text(Some(value.as_ref().replace('\0', "\u{fffd}"))))
    }

    /// Binds a text that is only compared, or null.
    pub(super) fn maybe_key(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.key(value),
            None => self.maybe_text(None::<&str>),
        }
    }

    /// Binds a text or null.
    pub(super) fn maybe_text(self, value: Option<impl AsRef<str>>) -> Self {
        self.with(Value::Text(value.map(|value| without_nul(value.as_ref()))))
    }

    /// Binds a number.
    pub(super) fn int(self, value: i64) -> Self {
        self.maybe_int(Some(value))
    }

    /// Binds a number or null.
    pub(super) fn maybe_int(self, value: Option<i64>) -> Self {
        self.with(Value::Int(value))
    }

    /// Binds a time.
    pub(super) fn at(self, value: Millis) -> Self {
        self.int(value.0)
    }

    /// Binds a time or null.
    pub(super) fn maybe_at(self, value: Option<Millis>) -> Self {
        self.maybe_int(value.map(|value| value.0))
    }

    /// Binds a sealed text or null.
    pub(super) fn maybe_sealed(self, value: Option<&Sealed>) -> Self {
        self.maybe_text(value.map(Sealed::as_str))
    }

    /// Binds a value as JSON.
    pub(super) fn json(self, value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(value);
        Ok(self.text(text.map_err(|_| Error::internal("a value could not be written as JSON"))?))
    }
}

fn without_nul(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

/// A row of an answer, read by column name.
pub(super) struct Row(pub(super) AnyRow);

impl Row {
    /// A text.
    pub(super) fn text(&self, column: &'static str) -> Result<String> {
        self.0.try_get(column).map_err(fault)
    }

    /// A text or null.
    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        self.0.try_get(column).map_err(fault)
    }

    /// A number.
    pub(super) fn int(&self, column: &'static str) -> Result<i64> {
        self.0.try_get(column).map_err(fault)
    }

    /// A number or null.
    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>> {
        self.0.try_get(column).map_err(fault)
    }

    /// A number of a narrower kind.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| unreadable(column))
    }

    /// A number of a narrower kind, or null.
    pub(super) fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>> {
        let number = self.maybe_int(column)?;
        number.map(|number| T::try_from(number).map_err(|_| unreadable(column))).transpose()
    }

    /// A time.
    pub(super) fn at(&self, column: &'static str) -> Result<Millis> {
        self.int(column).map(Millis)
    }

    /// A time or null.
    pub(super) fn maybe_at(&self, column: &'static str) -> Result<Option<Millis>> {
        Ok(self.maybe_int(column)?.map(Millis))
    }

    /// A sealed text.
    pub(super) fn sealed(&self, column: &'static str) -> Result<Sealed> {
        self.text(column).map(Sealed::from_row)
    }

    /// A sealed text or null.
    pub(super) fn maybe_sealed(&self, column: &'static str) -> Result<Option<Sealed>> {
        Ok(self.maybe_text(column)?.map(Sealed::from_row))
    }

    /// An id.
    pub(super) fn id<T>(&self, column: &'static str, from_row: fn(String) -> T) -> Result<T> {
        self.text(column).map(from_row)
    }

    /// An id or null.
    pub(super) fn maybe_id<T>(&self, column: &'static str, from_row: fn(String) -> T) -> Result<Option<T>> {
        Ok(self.maybe_text(column)?.map(from_row))
    }

    /// One of a closed set of words.
    pub(super) fn word<T>(&self, column: &'static str, parse: fn(&str) -> Option<T>) -> Result<T> {
        parse(&self.text(column)?).ok_or_else(|| unreadable(column))
    }

    /// A value kept as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|_| unreadable(column))
    }
}
