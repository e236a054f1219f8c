//! The tables `[api_key]`, `[basic]`, `[bearer]` and `[fields]`: providers whose credential a person types in, instead
//! of being asked for consent; and the shape of every value that is asked for.
//!
//! How a call carries it is `[api.place]`'s, which each kind has a usual one for (`merge`). Must never hold a
//! credential. What may be typed is checked by `claviger_protocol::keys`, these tables by [`crate::lint`].

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};

use crate::{assertion::Alg, oauth2::ClientLabels, provider::yes};

/// What kind of credential is typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// One key, in a header or in the query.
    ApiKey,
    /// A user name and a password (RFC 7617).
    Basic,
    /// A token that somebody made at the provider (RFC 6750 §2.1).
    Bearer,
    /// Values of the file's own naming, which together are the credential.
    Fields,
    /// The id and secret of a client. They are no credential yet: a token is fetched with them (RFC 6749 §4.4).
    Client,
    /// Values of the file's own naming that are no credential yet either: a token is fetched with them.
    Grant,
    /// The same, where the requests that fetch it are the file's own too.
    Steps,
    /// A secret key that signs each call.
    SigV4,
}

impl KeyKind {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::ApiKey,
        Self::Basic,
        Self::Bearer,
        Self::Fields,
        Self::Client,
        Self::Grant,
        Self::Steps,
        Self::SigV4,
    ];

    /// The name of its table.
    pub fn table(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Fields => "fields",
            Self::Client | Self::Grant => "oauth2",
            Self::Steps => "steps",
            Self::SigV4 => "sigv4",
        }
    }

    /// Whether the file names the fields itself.
    pub fn is_named(self) -> bool {
        matches!(self, Self::Fields | Self::Grant | Self::Steps)
    }

    /// Whether what is typed in is no credential yet: a token is fetched with it.
    pub fn fetches(self) -> bool {
        matches!(self, Self::Client | Self::Grant | Self::Steps)
    }

    /// What has to be typed in, in order: the fields' keys; empty where the file names them.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::ApiKey => &["api_key"],
            Self::Basic => &["username", "password"],
            Self::Bearer => &["token"],
            Self::Fields | Self::Grant | Self::Steps => &[],
            Self::Client => &["client_id", "client_secret"],
            Self::SigV4 => &["access_key_id", "secret_access_key", "session_token"],
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
    /// Its key: `api_key`, `username`, `password`, `token`, `client_id`, `client_secret`, or the file's own.
    pub key: String,
    /// Its label on the connect page, and what is said about it.
    pub label: Label,
    /// Whether it is never shown again, not even to whoever typed it in. All but a user name, a
    /// client's id, and fields of which the file says so.
    pub secret: bool,
    /// What is taken out of a JSON document, by name; the document itself is not kept. Only with [`Form::Json`].
    pub parts: BTreeMap<String, Part>,
    /// What it must be besides a text that its pattern admits.
    pub holds: Holds,
}

/// What a value must be besides a text that its pattern admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holds {
    /// Anything.
    #[default]
    Text,
    /// A private key in PEM (RFC 7468) that signs in this way, or in whichever way suits it.
    PrivateKey(Option<Alg>),
}

impl Keys {
    /// Has the value with this name be a private key.
    pub(crate) fn sign_with(&mut self, name: &str, alg: Option<Alg>) {
        for field in &mut self.fields {
            if field.key == name {
                field.holds = Holds::PrivateKey(alg);
            }
            if let Some(part) = field.parts.get_mut(name) {
                part.holds = Holds::PrivateKey(alg);
            }
        }
    }
}

impl Keys {
    /// The values that come of what is typed in, by name: the fields, and in place of a document its parts.
    pub fn values(&self) -> impl Iterator<Item = TypedValue<'_>> {
        self.fields.iter().flat_map(KeyField::values)
    }
}

impl KeyField {
    /// Whether it is a document, of which parts are kept.
    pub fn is_document(&self) -> bool {
        self.label.form == Form::Json
    }

    /// What comes of it.
    pub fn values<'a>(&'a self) -> impl Iterator<Item = TypedValue<'a>> {
        let whole = (!self.is_document()).then(|| TypedValue {
            name: &self.key,
            secret: self.secret,
            pattern: self.label.pattern.as_deref(),
            optional: self.label.optional,
        });
        let part = |(name, part): (&'a String, &'a Part)| TypedValue {
            name,
            secret: part.secret,
            pattern: part.pattern.as_deref(),
            optional: self.label.optional || !part.required,
        };
        // Those that are always there come first: the first secret is what stands for `{token}`.
        let needed = self.parts.iter().filter(|(_, part)| part.required);
        let parts = needed.chain(self.parts.iter().filter(|(_, part)| !part.required)).map(part);
        whole.into_iter().chain(parts)
    }
}

/// One value of what somebody typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypedValue<'a> {
    /// Its name in templates.
    pub name: &'a str,
    /// Whether it is a secret.
    pub secret: bool,
    /// What it looks like, where the file says so.
    pub pattern: Option<&'a str>,
    /// Whether there may be none.
    pub optional: bool,
}

/// A value that is taken out of a document that was typed in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where it is in the document: `client_email`, `keys.0.id`.
    pub path: String,
    /// Whether it is a secret. Default true.
    #[serde(default = "yes")]
    pub secret: bool,
    /// What it looks like: an anchored pattern.
    pub pattern: Option<String>,
    /// Whether a document without it is refused. Default true.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it must be besides a text that its pattern admits.
    #[serde(skip)]
    pub holds: Holds,
}

/// In what form a value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// One line.
    #[default]
    Text,
    /// Several lines: a key in PEM.
    Multiline,
    /// A JSON document, pasted or uploaded.
    Json,
}

/// One of the values that there are to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// What people read; the value where there is none.
    pub title: Option<String>,
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
    /// Whether it may be left empty: a password, where the user name is all, or a field.
    pub optional: bool,
    /// In what form it is asked for. Default `text`.
    pub form: Form,
    /// What there is to choose from; anything where there is nothing.
    pub options: Vec<Choice>,
    /// Its place among all that is asked for: by number, then in the order of the file. Default 0.
    pub order: i64,
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

/// The table `[fields]`: a table for each value, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldsTable(Vec<(String, FieldTable)>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldTable {
    title: Option<String>,
    description: Option<String>,
    placeholder: Option<String>,
    pattern: Option<String>,
    help: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default = "yes")]
    secret: bool,
    #[serde(default)]
    form: Form,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    order: i64,
    #[serde(default)]
    parts: BTreeMap<String, Part>,
}

impl<'de> Deserialize<'de> for FieldsTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = FieldsTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table for each field")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<FieldsTable, A::Error> {
                let mut fields = Vec::new();
                while let Some(one) = map.next_entry()? {
                    fields.push(one);
                }
                Ok(FieldsTable(fields))
            }
        }
        from.deserialize_map(Visitor)
    }
}

impl From<FieldsTable> for Keys {
    fn from(table: FieldsTable) -> Self {
        let one = |(key, field): (String, FieldTable)| {
            let FieldTable { title, description, placeholder, pattern, help, optional, secret, .. } = field;
            let FieldTable { form, options, order, parts, .. } = field;
            let title = title.or_else(|| Some(key.clone()));
            let label =
                Label { title, description, placeholder, pattern, help, optional, form, options, order };
            KeyField { key, label, secret, parts, holds: Holds::Text }
        };
        let fields = table.0.into_iter().map(one).collect();
        Self { kind: KeyKind::Fields, fields, place_chosen: false }
    }
}

impl From<&ClientLabels> for Keys {
    fn from(labels: &ClientLabels) -> Self {
        let id = KeyField { secret: false, ..field("client_id", "Client ID", labels.client_id.clone()) };
        let fields = vec![id, field("client_secret", "Client secret", labels.client_secret.clone())];
        Self { kind: KeyKind::Client, fields, place_chosen: false }
    }
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

fn field(key: &str, title: &str, label: Label) -> KeyField {
    let title = label.title.or_else(|| Some(title.to_owned()));
    let label = Label { title, ..label };
    KeyField { key: key.to_owned(), label, secret: true, parts: BTreeMap::new(), holds: Holds::Text }
}

#[cfg(test)]
mod tests;
