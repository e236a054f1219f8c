//! The tables of the token endpoint: `[oauth2.token]`, `[oauth2.answer]`, `[oauth2.refresh]`.
//!
//! Paths into answers are dotted (`authed_user.access_token`, `data.0.id`): names, or positions in a list.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

/// What differs in the token request (RFC 6749 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRequest {
    /// Default `POST`.
    pub method: Method,
    /// How parameters are sent. Default `form`.
    pub format: BodyFormat,
    /// Further parameters; values may be templates.
    pub params: BTreeMap<String, String>,
    /// Parameters under other names: `{ code = "auth_code", client_secret = "secret" }`.
    pub param_names: BTreeMap<String, String>,
    /// Standard parameters that must be absent.
    pub omit: Vec<String>,
    /// Parameters, by the names that are sent, that go into the URL's query instead of the body.
    pub in_query: Vec<String>,
    /// Parameters, by the names that are sent, that a JSON body holds as numbers instead of texts.
    pub numbers: Vec<String>,
    /// Further headers; values may be templates.
    pub headers: BTreeMap<String, String>,
    /// Whether the state is sent again with the code.
    pub resend_state: bool,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// POST.
    #[default]
    Post,
    /// GET.
    Get,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// How parameters are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded` in the body.
    #[default]
    Form,
    /// A JSON object in the body.
    Json,
    /// In the URL's query, with an empty body.
    Query,
}

/// What differs in the token answer (RFC 6749 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenAnswer {
    /// What the body is. Default `auto`: by its content type and first byte, JSON or form.
    pub format: AnswerFormat,
    /// Path of the access token.
    pub access_token: String,
    /// Path of the refresh token.
    pub refresh_token: String,
    /// Path of the token type.
    pub token_type: String,
    /// Path of the granted scopes: a text or a list.
    pub scope: String,
    /// What stands between granted scopes, when not `scopes.separator`. Both of space and comma are tried
    /// when neither is told.
    pub scope_separator: Option<String>,
    /// Path of the ID token.
    pub id_token: String,
    /// The access token's expiry.
    pub expires: Expires,
    /// The refresh token's expiry.
    pub refresh_expires: Expires,
    /// How an error inside an HTTP 200 is known.
    pub error: ErrorRule,
    /// Values kept for templates: name → path.
    pub save: BTreeMap<String, SavedField>,
}

impl Default for TokenAnswer {
    fn default() -> Self {
        Self {
            format: AnswerFormat::default(),
            access_token: "access_token".to_owned(),
            refresh_token: "refresh_token".to_owned(),
            token_type: "token_type".to_owned(),
            scope: "scope".to_owned(),
            scope_separator: None,
            id_token: "id_token".to_owned(),
            expires: Expires { path: None, unit: ExpiresUnit::Seconds },
            refresh_expires: Expires { path: None, unit: ExpiresUnit::Seconds },
            error: ErrorRule::default(),
            save: BTreeMap::new(),
        }
    }
}

/// What a token answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerFormat {
    /// JSON or form, whichever it looks like.
    #[default]
    Auto,
    /// JSON, whatever its content type.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The whole body is the access token, bare or as a JSON string.
    Text,
}

/// Where an expiry is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expires {
    /// Its path. Default `expires_in`, and `refresh_expires_in` or `refresh_token_expires_in` for the
    /// refresh token.
    pub path: Option<String>,
    /// How it is written. Default `seconds`.
    pub unit: ExpiresUnit,
}

/// How an expiry is written. Numbers may be JSON numbers or texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresUnit {
    /// Seconds from now (RFC 6749 §5.1).
    #[default]
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMs,
    /// A date and time, ISO 8601.
    Iso8601,
    /// `days:hours:minutes`, or `hours:minutes`.
    Clock,
    /// A duration in words: `1h`, `90 minutes`.
    Words,
    /// Told by its looks: a date, a clock, words, or a number that by its size is seconds, epoch seconds or
    /// epoch milliseconds.
    Auto,
}

/// How an error inside a successful answer is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorRule {
    /// The path that tells (`ok`, `result`). Without one, a non-empty text at `code` is an error.
    pub path: Option<String>,
    /// It is an error when the value at `path` is one of these (`["false"]`).
    pub is: Vec<String>,
    /// It is an error when the value at `path` is none of these (`["0000"]`).
    pub is_not: Vec<String>,
    /// Path of the error's code. Default `error`.
    pub code: String,
    /// Path of its description. Default `error_description`.
    pub description: String,
    /// Codes that mean what RFC 6749 calls `invalid_grant`: the refresh token is no good any more.
    pub invalid_grant: Vec<String>,
}

impl Default for ErrorRule {
    fn default() -> Self {
        Self {
            path: None,
            is: Vec::new(),
            is_not: Vec::new(),
            code: "error".to_owned(),
            description: "error_description".to_owned(),
            invalid_grant: Vec::new(),
        }
    }
}

/// A value kept from a token answer or an identity answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedField {
    /// Its path.
    pub path: String,
    /// What it may look like: an anchored pattern. Needed when a URL uses the value; another value makes the
    /// whole answer unreadable.
    pub pattern: Option<String>,
    /// Whether an answer without it is unreadable. Default false.
    #[serde(default)]
    pub required: bool,
    /// What it is until an answer says otherwise.
    pub default: Option<String>,
}

/// What differs when refreshing (RFC 6749 §6). Also the shape of `[oauth2.upgrade]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refresh {
    /// Where, for `[oauth2.upgrade]` only; refreshing goes to `endpoints.refresh_url` or the token endpoint.
    pub url: Option<String>,
    /// When not the token request's method.
    pub method: Option<Method>,
    /// When not the token request's format.
    pub format: Option<BodyFormat>,
    /// The grant type. Default `refresh_token`; `client_credentials` with `with = "client"`.
    pub grant_type: Option<String>,
    /// What is shown to get a new token. Default `refresh_token`.
    pub with: RefreshWith,
    /// Where it is shown. Default `param`.
    pub place: RefreshPlace,
    /// Further parameters; values may be templates. The token request's parameters are not repeated.
    pub params: BTreeMap<String, String>,
    /// Parameters under other names; the token request's names hold where these say nothing.
    pub param_names: BTreeMap<String, String>,
    /// Standard parameters that must be absent.
    pub omit: Vec<String>,
    /// Whether each refresh returns a new refresh token and ends the old one. Absent: not known, treated
    /// like true.
    pub rotates: Option<bool>,
    /// For how many seconds an already used refresh token may be sent again. Default 0: never.
    pub reuse_seconds: u64,
    /// How many seconds before its expiry a token is refreshed, where the provider refuses it earlier.
    pub margin: Option<u64>,
    /// How many seconds a refresh token stays good without being used; it is refreshed before.
    pub idle_lifetime: Option<u64>,
    /// The answer holds no token: the old one lives on for another lifetime.
    pub extends_only: bool,
    /// Whether it is made again after each refresh, as for an exchange (RFC 8693): what is refreshed is the first grant,
    /// and what calls carry comes of its token. Only for `[oauth2.upgrade]`.
    pub each: bool,
    /// What differs in the answer to a refresh; the rest is as in `[oauth2.answer]`. Not for
    /// `[oauth2.upgrade]`.
    pub answer: Option<TokenAnswer>,
}

/// What is shown to get a new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshWith {
    /// The refresh token.
    #[default]
    RefreshToken,
    /// The access token itself, while it is still good.
    AccessToken,
    /// Nothing but the client's own credentials.
    Client,
}

/// Where the shown token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshPlace {
    /// A parameter, named `refresh_token` or as `param_names` says.
    #[default]
    Param,
    /// `Authorization: Bearer`.
    Bearer,
}

/// How long a token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// This many seconds.
    Seconds(u64),
    /// Until it is revoked.
    Never,
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Lifetime;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of seconds above 0, or \"never\"")
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Lifetime, E> {
                match u64::try_from(seconds) {
                    Ok(seconds) if seconds > 0 => Ok(Lifetime::Seconds(seconds)),
                    _ => Err(E::invalid_value(de::Unexpected::Signed(seconds), &self)),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lifetime, E> {
                if text == "never" {
                    Ok(Lifetime::Never)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}
