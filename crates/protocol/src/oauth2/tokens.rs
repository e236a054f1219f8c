//! The tokens of one connection, as they are sealed and opened again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ProtocolError, dpop, secret::Secret};

/// What a token endpoint gave, or somebody typed in. Holds secrets: no `Debug`.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// How the provider calls the token's type; `Bearer` when it says nothing.
    pub token_type: String,
    /// The ID token (OpenID Connect Core §2).
    #[serde(default)]
    pub id_token: Option<Secret>,
    /// Scopes that the provider says it granted; `None` when it says nothing.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// When the access token expires, in milliseconds since 1970; `None` when not known, or never.
    #[serde(default)]
    pub expires_at: Option<i64>,
    /// When the refresh token expires, likewise.
    #[serde(default)]
    pub refresh_expires_at: Option<i64>,
    /// Values of the answer that templates need (`instance_url`), each admitted by its pattern.
    #[serde(default)]
    pub saved: BTreeMap<String, String>,
    /// The token's shared secret (RFC 5849 §1.1), which signs each call. Only OAuth 1 has one.
    #[serde(default)]
    pub token_secret: Option<Secret>,
    /// What somebody typed in, by field: what calls carry, or what a token is fetched again with.
    #[serde(default)]
    pub typed: BTreeMap<String, Secret>,
    /// The access token of a first grant that `access_token` was exchanged for (RFC 8693), where that is made again after
    /// each refresh: the refresh token is the first grant's then.
    #[serde(default)]
    pub subject: Option<Secret>,
    /// The key that the token is bound to (RFC 9449), as [`crate::dpop::Key::text`] writes it; `None` where nobody asked
    /// for such tokens. It stays across refreshes, for a refresh token may be bound to it too, and is never sent.
    #[serde(default)]
    pub dpop_key: Option<Secret>,
}

/// The same with the secrets laid open, for sealing only.
#[derive(Serialize)]
struct Open<'a> {
    access_token: &'a str,
    refresh_token: Option<&'a str>,
    token_type: &'a str,
    id_token: Option<&'a str>,
    scopes: Option<&'a [String]>,
    expires_at: Option<i64>,
    refresh_expires_at: Option<i64>,
    saved: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    typed: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_key: Option<&'a str>,
}

impl Tokens {
    /// An access token of this type, and nothing else.
    pub fn of(access_token: Secret, token_type: &str) -> Self {
        Self {
            access_token,
            refresh_token: None,
            token_type: token_type.to_owned(),
            id_token: None,
            scopes: None,
            expires_at: None,
            refresh_expires_at: None,
            saved: BTreeMap::new(),
            token_secret: None,
            typed: BTreeMap::new(),
            subject: None,
            dpop_key: None,
        }
    }

    /// The key by which calls have to prove that the token is ours; `None` where it is shown alone: whatever was asked
    /// for, the answer's token type decides (RFC 9449 §5).
    pub fn proof_key(&self) -> Option<&Secret> {
        self.dpop_key.as_ref().filter(|_| dpop::is_type(&self.token_type))
    }

    /// As JSON, to be sealed.
    pub fn to_json(&self) -> Secret {
        let open = Open {
            access_token: self.access_token.expose(),
            refresh_token: self.refresh_token.as_ref().map(Secret::expose),
            token_type: &self.token_type,
            id_token: self.id_token.as_ref().map(Secret::expose),
            scopes: self.scopes.as_deref(),
            expires_at: self.expires_at,
            refresh_expires_at: self.refresh_expires_at,
            saved: &self.saved,
            token_secret: self.token_secret.as_ref().map(Secret::expose),
            typed: self.typed.iter().map(|(name, value)| (name.as_str(), value.expose())).collect(),
            subject: self.subject.as_ref().map(Secret::expose),
            dpop_key: self.dpop_key.as_ref().map(Secret::expose),
        };
        // Texts, numbers and a map with text keys: serialising these can't fail.
        Secret::new(serde_json::to_string(&open).unwrap_or_default())
    }

    /// Reads what [`Tokens::to_json`] wrote.
    ///
    /// # Errors
    /// When it is something else; the text is not repeated.
    pub fn from_json(text: &Secret) -> Result<Self, ProtocolError> {
        serde_json::from_str(text.expose()).map_err(|_| ProtocolError::Unreadable("the stored tokens"))
    }

    /// These tokens after a refresh returned `newer`: what it did not return again is kept.
    #[must_use]
    pub fn renewed(self, newer: Self) -> Self {
        let mut saved = self.saved;
        saved.extend(newer.saved);
        let mut typed = self.typed;
        typed.extend(newer.typed);
        let kept_refresh_token = newer.refresh_token.is_none();
        Self {
            access_token: newer.access_token,
            refresh_expires_at: if kept_refresh_token {
                newer.refresh_expires_at.or(self.refresh_expires_at)
            } else {
                newer.refresh_expires_at
            },
            refresh_token: newer.refresh_token.or(self.refresh_token),
            token_type: newer.token_type,
            id_token: newer.id_token.or(self.id_token),
            scopes: newer.scopes.or(self.scopes),
            expires_at: newer.expires_at,
            saved,
            token_secret: newer.token_secret.or(self.token_secret),
            typed,
            subject: newer.subject.or(self.subject),
            dpop_key: newer.dpop_key.or(self.dpop_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(access: &str, refresh: Option<&str>) -> Tokens {
        Tokens {
            refresh_token: refresh.map(Secret::new),
            scopes: Some(vec!["read".to_owned()]),
            expires_at: Some(5),
            refresh_expires_at: Some(9),
            saved: BTreeMap::from([("api".to_owned(), "https://a.example".to_owned())]),
            ..Tokens::of(Secret::new(access), "Bearer")
        }
    }

    #[test]
    fn json_goes_there_and_back() {
        let json = tokens("at \"\u{e9}", Some("rt")).to_json();
        let back = Tokens::from_json(&json).expect("tokens");
        assert_eq!(back.to_json().expose(), json.expose());
        assert_eq!(back.access_token.expose(), "at \"\u{e9}");
        assert_eq!(back.refresh_token.as_ref().map(Secret::expose), Some("rt"));
        assert_eq!((back.expires_at, back.refresh_expires_at), (Some(5), Some(9)));
        for text in ["", "{}", "[]", "{\"access_token\":1}"] {
            assert!(Tokens::from_json(&Secret::new(text)).is_err(), "{text}");
        }
    }

    /// What was sealed before there were secrets of tokens and typed fields still opens; these go there and back.
    #[test]
    fn secrets_and_typed_fields_are_sealed_too() {
        let old = Secret::new("{\"access_token\":\"a\",\"token_type\":\"Bearer\"}");
        let old = Tokens::from_json(&old).expect("tokens");
        assert!(old.token_secret.is_none() && old.typed.is_empty());
        assert!(!old.to_json().expose().contains("typed"));
        let typed = BTreeMap::from([("key".to_owned(), Secret::new("k\""))]);
        let held = Tokens { token_secret: Some(Secret::new("ts")), typed, ..tokens("a", None) };
        let back = Tokens::from_json(&held.to_json()).expect("tokens");
        assert_eq!(back.token_secret.as_ref().map(Secret::expose), Some("ts"));
        assert_eq!(back.typed["key"].expose(), "k\"");
        let renewed = back.renewed(Tokens::of(Secret::new("b"), "Bearer"));
        assert_eq!((renewed.typed.len(), renewed.token_secret.is_some()), (1, true));
    }

    /// A refresh keeps the key; whether it is used is the token type's to say.
    #[test]
    fn the_key_of_proofs_stays_and_is_used_for_its_tokens_only() {
        let mut held = tokens("a", Some("rt"));
        held.dpop_key = Some(Secret::new("k"));
        assert!(held.proof_key().is_none());
        held.token_type = "dpop".to_owned();
        let back = Tokens::from_json(&held.to_json()).expect("tokens");
        assert_eq!(back.proof_key().map(Secret::expose), Some("k"));
        let renewed = back.renewed(Tokens::of(Secret::new("b"), "DPoP"));
        assert_eq!(renewed.proof_key().map(Secret::expose), Some("k"));
        let plain = renewed.renewed(Tokens::of(Secret::new("c"), "Bearer"));
        assert!(plain.proof_key().is_none() && plain.dpop_key.is_some());
        assert!(Tokens::of(Secret::new("d"), "DPoP").proof_key().is_none());
    }

    /// Quirk 39: a refresh token that is not returned again is kept. Quirk 31: a saved value may change.
    #[test]
    fn renewing_keeps_what_is_not_returned() {
        let mut newer = tokens("new", None);
        newer.scopes = None;
        newer.expires_at = None;
        newer.refresh_expires_at = None;
        newer.saved = BTreeMap::from([("api".to_owned(), "https://b.example".to_owned())]);
        let renewed = tokens("old", Some("rt")).renewed(newer);
        assert_eq!(renewed.access_token.expose(), "new");
        assert_eq!(renewed.refresh_token.as_ref().map(Secret::expose), Some("rt"));
        assert_eq!(renewed.scopes.as_deref(), Some(&["read".to_owned()][..]));
        assert_eq!((renewed.expires_at, renewed.refresh_expires_at), (None, Some(9)));
        assert_eq!(renewed.saved["api"], "https://b.example");

        let mut rotated = tokens("new", Some("rt2"));
        rotated.refresh_expires_at = None;
        let renewed = tokens("old", Some("rt")).renewed(rotated);
        assert_eq!(renewed.refresh_token.as_ref().map(Secret::expose), Some("rt2"));
        assert_eq!(renewed.refresh_expires_at, None);
    }
}
