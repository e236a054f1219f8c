//! What a request at this door brings besides its caller: the ids in its path, its query, its body.
//!
//! Its SDKs send more than this door knows: parameters and fields without a meaning here are let pass. What has one is of
//! the right type, or refused by its name.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
    response::Response,
};
use claviger_engine::{
    error::{Error, Result},
    store::Page,
};

use super::error::{self, Refused};
pub use crate::http::named::Named;
use crate::{
    app::App,
    http::{
        body::{Casing, Fields},
        params::Params,
    },
};

/// How many items a list gives unless it is told otherwise, and the most.
const LIMIT: (i64, i64) = (25, 1000);

/// The query.
pub struct Query(pub Params);

impl FromRequestParts<App> for Query {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(Params::parse(parts.uri.query().unwrap_or_default())))
    }
}

impl Query {
    /// A text; `None` when absent or empty, as the SDKs mean it.
    ///
    /// # Errors
    /// `Invalid` at the parameter when it is given twice, is too long, or is not readable.
    pub fn text(&self, name: &'static str) -> Result<Option<String>> {
        self.0.get(name).map_err(|error| Error::invalid(name, format!("Is {error}")))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// `Invalid` at the parameter unless it is `true`, `1`, `false` or `0`, once.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(name, "Must be true or false")),
        }
    }

    /// Which stretch of a list: `limit` items from `cursor` on, which is what the page before ended with, or `0`.
    ///
    /// # Errors
    /// `Invalid` at the parameter that is given twice, is no whole number in digits, or is out of range.
    pub fn page(&self) -> Result<Page> {
        let (otherwise, most) = LIMIT;
        let limit = self.number("limit", otherwise)?;
        if !(1..=most).contains(&limit) {
            return Err(Error::invalid("limit", format!("Must be a whole number from 1 to {most}")));
        }
        Ok(Page { offset: self.number("cursor", 0)?, limit })
    }

    fn number(&self, name: &'static str, otherwise: i64) -> Result<i64> {
        let Some(text) = self.text(name)? else { return Ok(otherwise) };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| Error::invalid(name, "Must be a whole number in digits"))
    }
}

/// Where the page after this one begins. A full page always says so, even when nothing is behind it: the vendor's React
/// hooks begin anew otherwise.
pub fn cursor(page: &Page, given: usize) -> Option<String> {
    let given = i64::try_from(given).unwrap_or(i64::MAX);
    (given >= page.limit).then(|| page.offset.saturating_add(given).to_string())
}

/// The body, whole: a JSON object, or nothing at all, whatever it says that it is.
pub struct Body(pub Bytes);

impl FromRequest<App> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Response> {
        let read = Bytes::from_request(request, app).await;
        read.map(Self).map_err(|unread| error::body(unread.status()))
    }
}

impl Body {
    /// Its fields, as this door spells them; none of an empty body.
    ///
    /// # Errors
    /// `Invalid` unless it is a JSON object in which no field comes twice.
    pub fn fields(&self) -> Result<Fields> {
        Fields::maybe(&self.0, Casing::Exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_or_refused_by_name() {
        let read = |query: &str| match Query(Params::parse(query)).page() {
            Ok(page) => Ok((page.limit, page.offset)),
            Err(Error::Invalid { field, .. }) => Err(field),
            Err(other) => panic!("{other}"),
        };
        for (query, want) in [
            ("", Ok((25, 0))),
            ("limit=&cursor=", Ok((25, 0))),
            ("limit=1000&cursor=0", Ok((1000, 0))),
            ("limit=1&cursor=26&hash=-77", Ok((1, 26))),
            ("limit=0", Err("limit")),
            ("limit=1001", Err("limit")),
            ("limit=ten", Err("limit")),
            ("limit=1&limit=1", Err("limit")),
            ("cursor=-1", Err("cursor")),
            ("cursor=abc", Err("cursor")),
            ("cursor=9223372036854775808", Err("cursor")),
        ] {
            assert_eq!(read(query), want, "{query}");
        }
    }

    #[test]
    fn a_full_page_says_where_the_next_begins() {
        let page = Page { offset: 50, limit: 25 };
        assert_eq!(cursor(&page, 25).as_deref(), Some("75"));
        assert_eq!(cursor(&page, 24), None);
        assert_eq!(cursor(&page, 0), None);
        assert!(cursor(&Page { offset: i64::MAX, limit: 1 }, 1).is_some());
    }

    #[test]
    fn a_flag_is_read_as_the_sdks_send_it() {
        let read = |query: &str| Query(Params::parse(query)).flag("x").map_err(|_| "refused");
        assert_eq!(
            (read("x=true"), read("x=1"), read("x=0")),
            (Ok(Some(true)), Ok(Some(true)), Ok(Some(false)))
        );
        assert_eq!((read(""), read("x="), read("x=yes")), (Ok(None), Ok(None), Err("refused")));
    }
}
