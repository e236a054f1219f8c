//! Request parameters as OAuth reads them.
//!
//! An empty value counts as absent, and a repeated parameter is an error (RFC 6749 §3.1, §3.2). Must never pick one
//! of two values silently: callers ask [`Params::repeated`] first. Look next at `authorize.rs` and `token.rs`.

/// Decoded `application/x-www-form-urlencoded` pairs in the order they came.
pub(crate) struct Params(Vec<(String, String)>);

/// Extension parameters that may be given more than once (RFC 8707 §2).
const MAY_REPEAT: [&str; 2] = ["resource", "audience"];

impl Params {
    pub fn parse(raw: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(raw);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first non-empty value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether `name` was sent more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.0.iter().filter(|(n, _)| n == name).count() > 1
    }

    /// The first parameter that was sent more than once and may not be.
    pub fn repeated(&self) -> Option<&str> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !MAY_REPEAT.contains(name)).find(|name| self.is_repeated(name))
    }
}

/// Splits a `scope` value into its tokens, or says that it is malformed (RFC 6749 §3.3).
pub(crate) fn scopes(text: &str) -> Option<Vec<String>> {
    let is_legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let mut scopes: Vec<String> = Vec::new();
    for token in text.split(' ').filter(|token| !token.is_empty()) {
        if !token.bytes().all(is_legal) {
            return None;
        }
        if !scopes.iter().any(|known| known == token) {
            scopes.push(token.to_owned());
        }
    }
    Some(scopes)
}
