//! Anchored patterns: the guard in front of every value that ends up in a URL.
//!
//! A pattern always matches the whole value, however it is written; a file must still write `^…$`, so that
//! nobody reads it as "contains". Must never be used to search in a text.

use regex_lite::Regex;

/// Values longer than this match no pattern.
pub const MAX_VALUE: usize = 255;

/// Why a pattern can't be used, or `None`.
pub fn problem(pattern: &str) -> Option<String> {
    if !pattern.starts_with('^') || !pattern.ends_with('$') || pattern.ends_with("\\$") {
        return Some("a pattern must begin with ^ and end with $".to_owned());
    }
    compile(pattern).err()
}

/// Whether the whole of `value` is what the pattern admits. A pattern that does not compile admits nothing.
pub fn admits(pattern: &str, value: &str) -> bool {
    value.len() <= MAX_VALUE && compile(pattern).is_ok_and(|regex| regex.is_match(value))
}

/// The outer group and anchors make `^a|b$` mean `^(a|b)$`; flags set inside end with the group.
fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|e| format!("not a pattern: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_must_match() {
        let pattern = "^[a-z0-9][a-z0-9-]{0,62}$";
        assert_eq!(problem(pattern), None);
        assert!(admits(pattern, "acme-1"));
        for value in
            ["", "user@evil", "a.b", "evil.com/", "a\n", "\na", "a b", "а", "a\0", "A", "a\\", "a%2e"]
        {
            assert!(!admits(pattern, value), "{value:?}");
        }
        assert!(!admits("^[a-z]+$", &"a".repeat(MAX_VALUE + 1)));
    }

    #[test]
    fn alternation_and_flags_do_not_loosen_the_anchors() {
        assert!(!admits("^eu|us$", "eu.evil"));
        assert!(!admits("^eu|us$", "evil.us"));
        assert!(admits("^eu|us$", "us"));
        assert!(!admits("(?m)^[a-z]+$", "abc\nevil"));
        assert!(!admits("(?s)^a$", "a\n"));
    }

    #[test]
    fn unanchored_and_broken_patterns_are_told() {
        for pattern in ["[a-z]+", "^[a-z]+", "[a-z]+$", "^[a-z$", "^a\\$", ""] {
            assert!(problem(pattern).is_some(), "{pattern}");
        }
        assert!(!admits("^(", "("));
    }
}
