//! Query and form parameters, read strictly: each at most once, bounded, UTF-8, no NUL.
//!
//! The percent-encoded form of a value is kept beside the decoded one, for what must be returned byte for byte.

use percent_encoding::percent_decode_str;

/// The most bytes of one value.
pub const LONGEST: usize = 4096;

/// Parameters as they came, in order.
pub struct Params(Vec<Param>);

struct Param {
    name: String,
    raw: String,
}

/// What is wrong with a parameter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// Given more than once.
    #[error("given more than once")]
    Repeated,
    /// Not given, or empty.
    #[error("required")]
    Missing,
    /// Given, but empty.
    #[error("empty")]
    Empty,
    /// Longer than [`LONGEST`].
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// Not UTF-8, or with a NUL.
    #[error("not readable text")]
    NotText,
}

impl Params {
    /// Splits a query or an urlencoded body (WHATWG URL §5.1).
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
            Param { name: String::from_utf8_lossy(&decode(name)).into_owned(), raw: raw.to_owned() }
        });
        Self(pairs.collect())
    }

    /// A value as it came, percent-encoded; `None` when absent or empty. Not readable with anything outside ASCII:
    /// that should have been encoded, and can't be given back in a header.
    pub fn raw(&self, name: &str) -> Result<Option<&str>, ParamError> {
        match self.once(name)? {
            Some(raw) if !raw.is_ascii() => Err(ParamError::NotText),
            found => Ok(found),
        }
    }

    fn once(&self, name: &str) -> Result<Option<&str>, ParamError> {
        match self.once_whole(name)? {
            Some(raw) if raw.len() > LONGEST => Err(ParamError::TooLong),
            found => Ok(found),
        }
    }

    fn once_whole(&self, name: &str) -> Result<Option<&str>, ParamError> {
        let mut found = self.0.iter().filter(|p| p.name == name);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (_, Some(_)) => Err(ParamError::Repeated),
            (Some(p), None) if decode(&p.raw).contains(&0) => Err(ParamError::NotText),
            (Some(p), None) => Ok(Some(p.raw.as_str()).filter(|raw| !raw.is_empty())),
            (None, None) => Ok(None),
        }
    }

    /// A value, decoded; `None` when absent or empty.
    pub fn get(&self, name: &str) -> Result<Option<String>, ParamError> {
        let Some(raw) = self.once(name)? else { return Ok(None) };
        String::from_utf8(decode(raw)).map(Some).map_err(|_| ParamError::NotText)
    }

    /// The same however long it is: a document that was pasted into a page, of which a field has its own bound.
    pub fn whole(&self, name: &str) -> Result<Option<String>, ParamError> {
        let Some(raw) = self.once_whole(name)? else { return Ok(None) };
        String::from_utf8(decode(raw)).map(Some).map_err(|_| ParamError::NotText)
    }

    /// A value that must be there.
    pub fn need(&self, name: &str) -> Result<String, ParamError> {
        self.get(name)?.ok_or(ParamError::Missing)
    }

    /// A value under any of its spellings, decoded; `None` when absent. Given and empty is not absent: whoever narrows
    /// by an empty value does not mean everything.
    pub fn any(&self, spellings: &[&str]) -> Result<Option<String>, ParamError> {
        let mut found = self.0.iter().filter(|p| spellings.contains(&p.name.as_str()));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ParamError::Repeated),
            (Some(p), None) => self.get(&p.name)?.ok_or(ParamError::Empty).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Every name, in order, as often as it came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|p| p.name.as_str())
    }
}

fn decode(raw: &str) -> Vec<u8> {
    percent_decode_str(&raw.replace('+', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_once_or_refused() {
        let long = format!("x={}", "a".repeat(LONGEST + 1));
        let cases = [
            ("x=a%20b+c", Ok(Some("a b c"))),
            ("x=", Ok(None)),
            ("x", Ok(None)),
            ("", Ok(None)),
            ("y=1&x=2", Ok(Some("2"))),
            ("%78=2", Ok(Some("2"))),
            ("x=1&x=1", Err(ParamError::Repeated)),
            ("x=1&%78=2", Err(ParamError::Repeated)),
            ("x=a%00b", Err(ParamError::NotText)),
            ("x=%ff", Err(ParamError::NotText)),
            (long.as_str(), Err(ParamError::TooLong)),
        ];
        for (query, want) in cases {
            let got = Params::parse(query).get("x");
            assert_eq!(got, want.map(|v| v.map(str::to_owned)), "{query}");
        }
        assert_eq!(Params::parse("x=").need("x"), Err(ParamError::Missing));
        let whole = Params::parse(&long).whole("x").map(|found| found.map(|text| text.len()));
        assert_eq!(whole, Ok(Some(LONGEST + 1)));
        assert_eq!(Params::parse("x=1&x=1").whole("x"), Err(ParamError::Repeated));
    }

    #[test]
    fn a_value_may_have_two_spellings_but_comes_once_and_not_empty() {
        let any = |query: &str| Params::parse(query).any(&["a_b", "aB"]);
        assert_eq!(any("a_b=1"), Ok(Some("1".to_owned())));
        assert_eq!(any("aB=1&ab=2"), Ok(Some("1".to_owned())));
        assert_eq!(any("ab=1"), Ok(None));
        assert_eq!(any("aB=1&a_b=1"), Err(ParamError::Repeated));
        assert_eq!(any("aB=1&aB=1"), Err(ParamError::Repeated));
        assert_eq!(any("aB="), Err(ParamError::Empty));
        assert_eq!(any("a_b=%ff"), Err(ParamError::NotText));
    }

    #[test]
    fn the_encoded_form_is_kept() {
        assert_eq!(Params::parse("state=a+b%2fC%ff").raw("state"), Ok(Some("a+b%2fC%ff")));
    }

    #[test]
    fn what_should_have_been_encoded_is_not_given_back_as_it_came() {
        let params = Params::parse("state=\u{e9}&state2=%C3%A9");
        assert_eq!(params.raw("state"), Err(ParamError::NotText));
        assert_eq!(params.raw("state2"), Ok(Some("%C3%A9")));
        assert_eq!(params.get("state"), Ok(Some("\u{e9}".to_owned())), "decoded it is text like any other");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_split_without_a_panic(text in ".*") {
            let params = Params::parse(&text);
            for name in params.names().collect::<Vec<_>>() {
                let _ = params.get(name);
            }
        }
    }
}
