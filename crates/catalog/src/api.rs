//! The tables `[api]` and `[rate_limit]`: where calls go, how they carry the credential, and how the
//! provider says that there are too many of them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where a provider's API lives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The URL below which calls go; a template. The integration may set another.
    pub base_url: Option<String>,
    /// Further hosts (`uploads.example.com`) that the credential may be sent to; templates.
    pub allowed_hosts: Vec<String>,
    /// Headers added to each call, in place of the caller's: API versions, partner keys; templates.
    pub headers: BTreeMap<String, String>,
    /// Query parameters added to each call, in place of the caller's of that name; templates.
    pub query: BTreeMap<String, String>,
    /// How a call carries the credential.
    pub place: Place,
    /// Answers that mean what 401 means.
    pub expired: Vec<Expired>,
}

/// An answer that means what 401 means: the token is over, and a newer one may be taken. Without anything but a status,
/// each answer of that status does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// Its status.
    pub status: u16,
    /// A path in its JSON body: the value there is one of [`Self::is`].
    pub path: Option<String>,
    /// A header: one of [`Self::is`] stands in it, in whatever case.
    pub header: Option<String>,
    /// What tells it. With neither path nor header it is the whole body.
    #[serde(default)]
    pub is: Vec<String>,
}

impl Expired {
    /// Whether the body has to be looked into.
    pub fn reads_body(&self) -> bool {
        self.header.is_none() && !self.is.is_empty()
    }
}

/// How a call carries the credential: in one header, or in one query parameter; or nowhere ([`Place::is_nowhere`]),
/// where [`Api::headers`] and [`Api::query`] carry all of it, or each call is signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Place {
    /// The header. Default `Authorization`.
    pub header: String,
    /// The header's value with `{token}` in it. Default `Bearer {token}`.
    pub format: String,
    /// With this, `{token}` in `format` stands for the Base64 of this text, `{token}` in it filled
    /// (`{token}:` for a key as Basic user).
    pub base64: Option<String>,
    /// A query parameter instead of the header.
    pub query: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            header: "Authorization".to_owned(),
            format: "Bearer {token}".to_owned(),
            base64: None,
            query: None,
        }
    }
}

impl Place {
    /// Nowhere: the usual place for fields, signatures and tokens of Claviger's own.
    pub fn nowhere() -> Self {
        Self { format: String::new(), ..Self::default() }
    }

    /// Whether it is that of a bearer token (RFC 6750 §2.1).
    pub fn is_bearer(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is nothing to put anywhere.
    pub fn is_nowhere(&self) -> bool {
        self.query.is_none() && self.format.is_empty()
    }

    /// Whether the credential goes into this header.
    pub fn is_header(&self, name: &str) -> bool {
        self.query.is_none() && !self.is_nowhere() && self.header.eq_ignore_ascii_case(name)
    }
}

/// How a provider says that it is being called too often, beyond 429 and `Retry-After` (RFC 9110 §10.2.3),
/// which are always understood.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Further statuses that mean it (403), when `remaining_header` says 0 or a reset is told.
    pub statuses: Vec<u16>,
    /// The header that tells how many calls are left; `0` means none.
    pub remaining_header: Option<String>,
    /// The header that tells when calls are taken again.
    pub reset_header: Option<String>,
    /// A path in the error's JSON body that tells it.
    pub reset_path: Option<String>,
    /// How it is written. Default `seconds`.
    pub reset_unit: ResetUnit,
    /// Whom the provider counts, and so who waits once it said to. Default `connection`.
    pub scope: RateScope,
}

/// Whose calls a provider counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateScope {
    /// Those of one connection.
    #[default]
    Connection,
    /// Those of one connection to one path: each endpoint has a limit of its own.
    Path,
    /// Those of all connections of an integration: the limit is the app's.
    Provider,
}

/// How the end of a rate limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetUnit {
    /// Seconds from now.
    #[default]
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since 1970.
    Epoch,
    /// Milliseconds since 1970.
    EpochMs,
    /// An HTTP date or ISO 8601.
    Date,
    /// A duration in words: `1s`, `6m0s`.
    Words,
}
