//! A token answer that held no tokens: whose fault, in whose words.

use crate::{secret::Secret, text};

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenErrorKind {
    /// The provider refused, with an error object (RFC 6749 §5.2) or its own kind of one.
    Oauth,
    /// The answer is nothing that could be read.
    Unreadable,
    /// The provider is in trouble or asks to wait: 5xx, 429, `temporarily_unavailable`. Worth another try.
    Transient,
}

/// A token answer that held no tokens. Its texts are a provider's words, made harmless by [`text::clean`];
/// [`TokenError::hiding`] takes out what was sent, however short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.words())]
pub struct TokenError {
    /// What kind of failure it is.
    pub kind: TokenErrorKind,
    /// The error's code: `invalid_grant`.
    pub code: Option<String>,
    /// The provider's description, at most 300 characters.
    pub description: Option<String>,
    /// For how many seconds to wait before another try, when the provider says it.
    pub retry_after: Option<u64>,
}

impl TokenError {
    pub(crate) fn new(kind: TokenErrorKind, code: Option<&str>, description: Option<&str>) -> Self {
        Self {
            kind,
            code: code.and_then(text::clean).map(|code| code.chars().take(100).collect()),
            description: description.and_then(text::clean),
            retry_after: None,
        }
    }

    /// Whether the provider said that the code or the refresh token is no good (RFC 6749 §5.2), which no
    /// repetition will change.
    pub fn is_invalid_grant(&self) -> bool {
        self.kind == TokenErrorKind::Oauth && self.code.as_deref() == Some("invalid_grant")
    }

    /// The same without these texts: what was sent in the request (the client secret, the code, the verifier,
    /// the tokens), should the provider have repeated it.
    #[must_use]
    pub fn hiding(mut self, sent: &[&Secret]) -> Self {
        for words in [&mut self.code, &mut self.description].into_iter().flatten() {
            *words = text::without(words, sent);
        }
        self
    }

    /// A sentence for logs and records.
    pub fn words(&self) -> String {
        let what = match self.kind {
            TokenErrorKind::Oauth => "the provider refused",
            TokenErrorKind::Unreadable => "the provider's answer could not be read",
            TokenErrorKind::Transient => "the provider is not able to answer now",
        };
        let parts: Vec<&str> =
            [self.code.as_deref(), self.description.as_deref()].into_iter().flatten().collect();
        if parts.is_empty() { what.to_owned() } else { format!("{what}: {}", parts.join(": ")) }
    }
}
