//! Which stretch of a list, and in which order: `limit` with `offset` or `start`, and `sort`, read strictly.

use claviger_engine::{
    error::{Error, Result},
    store::Page,
};

use super::params::Params;

/// How many items a list gives unless it is told otherwise.
pub const LIMIT: i64 = 10;
/// The same, where the first is named by `start`.
pub const STRETCH: i64 = 30;
/// The most items that one answer gives.
pub const MOST: i64 = 100;

/// Reads `limit` and `offset`.
///
/// # Errors
/// `Invalid` at the parameter that is given twice, is no whole number in digits, or is out of range.
pub fn page(params: &Params) -> Result<Page> {
    let limit = limit(params, LIMIT)?;
    Ok(Page { offset: number(params, "offset", 0)?, limit })
}

/// Reads `limit` and `start`.
///
/// # Errors
/// As [`page`].
pub fn stretch(params: &Params) -> Result<Page> {
    let limit = limit(params, STRETCH)?;
    Ok(Page { offset: number(params, "start", 0)?, limit })
}

/// Reads `sort`: one of the names, with a `-` in front for the other way round. Gives what the name stands for, and
/// whether it goes down; `None` when nothing is asked.
///
/// # Errors
/// `Invalid` at `sort` when it is given twice or names none of them.
pub fn sort<T: Copy>(params: &Params, names: &[(&str, T)]) -> Result<Option<(T, bool)>> {
    let given = params.any(&["sort"]).map_err(|error| Error::invalid("sort", format!("Is {error}")))?;
    let Some(text) = given else { return Ok(None) };
    let (name, down) = text.strip_prefix('-').map_or((text.as_str(), false), |name| (name, true));
    match names.iter().find(|(known, _)| *known == name) {
        Some((_, meant)) => Ok(Some((*meant, down))),
        None => {
            let known: Vec<_> = names.iter().map(|(known, _)| *known).collect();
            let message = format!("Must be one of {}, with - in front to go down", known.join(", "));
            Err(Error::invalid("sort", message))
        }
    }
}

fn limit(params: &Params, otherwise: i64) -> Result<i64> {
    let limit = number(params, "limit", otherwise)?;
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid("limit", format!("Must be a whole number from 1 to {MOST}")))
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
    fn the_first_may_be_named_by_start() {
        let read = |query: &str| stretch(&Params::parse(query)).map(|page| (page.limit, page.offset)).ok();
        assert_eq!(read("offset=5"), Some((30, 0)), "an offset means nothing there");
        assert_eq!(read("start=5&limit=100"), Some((100, 5)));
        for wrong in ["limit=101", "limit=0", "start=-1", "start=1&start=1", "start=", "limit=x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_order_is_one_of_the_names() {
        let read = |query: &str| match sort(&Params::parse(query), &[("name", 'n'), ("createdAt", 'c')]) {
            Ok(order) => Ok(order),
            Err(Error::Invalid { field: "sort", .. }) => Err(()),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("sort=name"), Ok(Some(('n', false))));
        assert_eq!(read("sort=-createdAt"), Ok(Some(('c', true))));
        for wrong in
            ["sort=", "sort=-", "sort=--name", "sort=Name", "sort=id", "sort=name&sort=name", "sort=%2Bname"]
        {
            assert_eq!(read(wrong), Err(()), "{wrong}");
        }
    }

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
