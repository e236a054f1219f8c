//! Which stretch of a list: `limit` and `offset`, read strictly.

use claviger_engine::{
    error::{Error, Result},
    store::Page,
};

use super::params::Params;

/// How many items a list gives unless it is told otherwise.
pub const LIMIT: i64 = 10;
/// The most items that one answer gives.
pub const MOST: i64 = 100;

/// Reads `limit` and `offset`.
///
/// # Errors
/// `Invalid` at the parameter that is given twice, is no whole number in digits, or is out of range.
pub fn page(params: &Params) -> Result<Page> {
    let limit = number(params, "limit", LIMIT)?;
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid("limit", format!("Must be a whole number from 1 to {MOST}")));
    }
    Ok(Page { offset: number(params, "offset", 0)?, limit })
}

fn number(params: &Params, name: &'static str, otherwise: i64) -> Result<i64> {
    let given = params.any(&[name]).map_err(|error| Error::invalid(name, format!("Is {error}")))?;
    let Some(text) = given else { return Ok(otherwise) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| Error::invalid(name, "Must be a whole number in digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_read_or_refused_by_name() {
        let read = |query: &str| match page(&Params::parse(query)) {
            Ok(page) => Ok((page.limit, page.offset)),
            Err(Error::Invalid { field, .. }) => Err(field),
            Err(other) => panic!("{other}"),
        };
        for (query, want) in [
            ("", Ok((10, 0))),
            ("limit=1&offset=0", Ok((1, 0))),
            ("limit=100&offset=123456", Ok((100, 123_456))),
            ("limit=010", Ok((10, 0))),
            ("offset=9223372036854775807", Ok((10, i64::MAX))),
            ("limit=0", Err("limit")),
            ("limit=101", Err("limit")),
            ("limit=", Err("limit")),
            ("limit", Err("limit")),
            ("limit=-1", Err("limit")),
            ("limit=%2B5", Err("limit")),
            ("limit=1.0", Err("limit")),
            ("limit=ten", Err("limit")),
            ("limit=1&limit=1", Err("limit")),
            ("limit=99999999999999999999", Err("limit")),
            ("offset=-1", Err("offset")),
            ("offset=9223372036854775808", Err("offset")),
            ("offset=%00", Err("offset")),
            ("offset=1&offset=2", Err("offset")),
        ] {
            assert_eq!(read(query), want, "{query}");
        }
    }
}
