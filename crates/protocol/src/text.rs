//! Providers' words, made fit for logs, records and pages.
//!
//! A provider may repeat in an error what we sent: a code, a token, our secret. So whatever looks like one
//! is replaced, besides the exact texts that a caller names.

use crate::{form, secret::Secret};

/// How many characters of a provider's words are kept.
pub const MAX_WORDS: usize = 300;

/// What stands in for something that could be a secret.
pub const HIDDEN: &str = "[hidden]";

/// A run of token characters at least this long, with a digit in it, could be a secret.
const OPAQUE: usize = 20;

/// A provider's words without control characters, direction marks and anything that looks like a secret, cut
/// to [`MAX_WORDS`] characters. Empty becomes `None`.
pub fn clean(words: &str) -> Option<String> {
    let head: String = words.chars().take(MAX_WORDS * 8).collect();
    let mut out = String::new();
    for word in head.split(|c: char| c.is_whitespace() || is_invisible(c)).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        mask(word, &mut out);
    }
    let cut: String = out.chars().take(MAX_WORDS).collect();
    (!cut.is_empty()).then_some(cut)
}

/// A name to show: without control characters and direction marks, cut to [`MAX_WORDS`] characters. Empty
/// becomes `None`.
pub fn visible(words: &str) -> Option<String> {
    let out: String = words.chars().filter(|c| !is_invisible(*c)).take(MAX_WORDS).collect();
    (!out.trim().is_empty()).then(|| out.trim().to_owned())
}

/// [`clean`], then without these exact texts, also as they are written in forms.
pub fn without(words: &str, secrets: &[&Secret]) -> String {
    let mut out = words.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        out = out.replace(secret.expose(), HIDDEN);
        let encoded = form::encode(secret.expose());
        out = out.replace(&encoded, HIDDEN);
    }
    out
}

fn mask(word: &str, out: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let run = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(run);
        let opaque = token.len() >= OPAQUE && token.bytes().any(|b| b.is_ascii_digit());
        out.push_str(if opaque || token.len() >= OPAQUE * 2 { HIDDEN } else { token });
        let other = after.find(is_token).unwrap_or(after.len());
        out.push_str(&after[..other]);
        rest = &after[other..];
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=%|!$*".contains(c)
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_lookalikes_of_secrets_go() {
        assert_eq!(clean("The code has\r\n expired.").as_deref(), Some("The code has expired."));
        assert_eq!(clean(" \u{0}\u{202e} "), None);
        for secret in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "4/0AX4XfWh-3kQ9zNn7aBcD",
            "xoxb-12345678901-abcdefgh",
        ] {
            let said = clean(&format!("bad code '{secret}', sorry")).expect("words");
            assert!(!said.contains(secret) && said.contains("sorry"), "{said}");
        }
        assert!(clean(&"x ".repeat(5000)).is_some_and(|said| said.chars().count() <= MAX_WORDS));
    }

    #[test]
    fn named_secrets_go_however_short() {
        let (secret, code) = (Secret::new("s3 cr"), Secret::new("abc"));
        let said = without("secret s3 cr, code abc, again s3%20cr", &[&secret, &code, &Secret::new("")]);
        assert_eq!(said, "secret [hidden], code [hidden], again [hidden]");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics_and_all_is_bounded(words in ".*") {
            let said = clean(&words).unwrap_or_default();
            assert!(said.chars().count() <= MAX_WORDS && !said.chars().any(char::is_control));
        }
    }
}
