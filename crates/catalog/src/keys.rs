//! The tables `[api_key]`, `[basic]` and `[bearer]`: providers whose credential a person types in, instead of being
//! asked for consent.
//!
//! How a call carries it is `[api.place]`'s, which each kind has a usual one for (`merge`). Must never hold a
//! credential. What may be typed is checked by `claviger_protocol::keys`, these tables by [`crate::lint`].

use serde::Deserialize;

/// What kind of credential is typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// One key, in a header or in the query.
    ApiKey,
    /// A user name and a password (RFC 7617).
    Basic,
    /// A token that somebody made at the provider (RFC 6750 §2.1).
    Bearer,
}

impl KeyKind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::Basic, Self::Bearer];

    /// The name of its table.
    pub fn table(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
        }
    }

    /// What has to be typed in, in order: the fields' keys.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::ApiKey => &["api_key"],
            Self::Basic => &["username", "password"],
            Self::Bearer => &["token"],
        }
    }
}

/// A credential that is typed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Its kind.
    pub kind: KeyKind,
    /// What is asked for, in order.
    pub fields: Vec<KeyField>,
    /// Whether the integration says in which header or parameter calls carry it: only for an API key.
    pub place_chosen: bool,
}

/// One value that is typed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyField {
    /// Its key: `api_key`, `username`, `password` or `token`.
    pub key: &'static str,
    /// Its label on the connect page, and what is said about it.
    pub label: Label,
    /// Whether it is never shown again, not even to whoever typed it in. All but a user name.
    pub secret: bool,
}

/// How a value is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Label {
    /// The label. Each kind has its default: `API key`, `User name`, `Password`, `Access token`.
    pub title: Option<String>,
    /// A sentence below the label.
    pub description: Option<String>,
    /// An example in the empty field.
    pub placeholder: Option<String>,
    /// What it looks like: an anchored pattern, for values of up to [`crate::pattern::MAX_VALUE`] bytes. Without
    /// one, anything that can be sent.
    pub pattern: Option<String>,
    /// The provider's page where a person finds or makes it.
    pub help: Option<String>,
    /// Whether it may be left empty: a password, where the user name is all.
    pub optional: bool,
}

/// The table `[api_key]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyTable {
    #[serde(default)]
    key: Label,
    /// Whether the integration says where calls carry the key. Default false: the file does, in `[api.place]`.
    #[serde(default)]
    place_chosen: bool,
}

/// The table `[basic]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicTable {
    #[serde(default)]
    username: Label,
    #[serde(default)]
    password: Label,
}

/// The table `[bearer]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BearerTable {
    #[serde(default)]
    token: Label,
}

impl From<ApiKeyTable> for Keys {
    fn from(table: ApiKeyTable) -> Self {
        let field = field("api_key", "API key", table.key);
        Self { kind: KeyKind::ApiKey, fields: vec![field], place_chosen: table.place_chosen }
    }
}

impl From<BasicTable> for Keys {
    fn from(table: BasicTable) -> Self {
        let username = KeyField { secret: false, ..field("username", "User name", table.username) };
        let fields = vec![username, field("password", "Password", table.password)];
        Self { kind: KeyKind::Basic, fields, place_chosen: false }
    }
}

impl From<BearerTable> for Keys {
    fn from(table: BearerTable) -> Self {
        let fields = vec![field("token", "Access token", table.token)];
        Self { kind: KeyKind::Bearer, fields, place_chosen: false }
    }
}

fn field(key: &'static str, title: &str, label: Label) -> KeyField {
    let title = label.title.or_else(|| Some(title.to_owned()));
    KeyField { key, label: Label { title, ..label }, secret: true }
}

#[cfg(test)]
mod tests;
