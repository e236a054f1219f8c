//! The table `[sigv4]`: every call is signed with a secret key (AWS Signature Version 4).
//!
//! It says for which service and region calls are signed, and how the three values are asked for that sign them. Must
//! never hold a key. What the fields do on the wire is `claviger_protocol::sigv4`'s.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::keys::{Holds, KeyField, KeyKind, Keys, Label};

/// What stands in [`SigV4::payload`] where bodies are not signed.
const UNSIGNED: &str = "unsigned";

/// AWS Signature Version 4.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4 {
    /// The service that calls are signed for; a template.
    pub service: String,
    /// The region that they are signed for; a template.
    pub region: String,
    /// What of bodies is signed; a template. `signed`, the default: all of it, so that a body is read before it is sent.
    /// `unsigned`: nothing, over https.
    #[serde(default = "signed")]
    pub payload: String,
    /// Services that sign paths as they are sent, encoded once and with their dots and double slashes, and that want the
    /// body's hash in a header: object storage.
    #[serde(default)]
    pub raw_paths: Vec<String>,
    /// Hosts of other services, with the names of these: `{ "sts.{region}.example.com" = "sts" }`; hosts are templates.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
    /// How the key's id is asked for. Default title `Access key ID`.
    #[serde(default)]
    pub access_key_id: Label,
    /// How the secret key is asked for. Default title `Secret access key`.
    #[serde(default)]
    pub secret_access_key: Label,
    /// How the token of temporary credentials is asked for, which may be left empty. Default title `Session token`.
    #[serde(default)]
    pub session_token: Label,
    /// What is typed in, made of the three.
    #[serde(skip)]
    pub typed: Option<Keys>,
}

impl SigV4 {
    /// The same with what is typed in.
    #[must_use]
    pub(crate) fn asking(self) -> Self {
        let one = |key: &str, title: &str, label: &Label| {
            let title = label.title.clone().or_else(|| Some(title.to_owned()));
            let optional = label.optional || key == "session_token";
            let label = Label { title, optional, ..label.clone() };
            let (key, secret) = (key.to_owned(), key != "access_key_id");
            KeyField { key, label, secret, parts: BTreeMap::new(), holds: Holds::Text }
        };
        let fields = vec![
            one("access_key_id", "Access key ID", &self.access_key_id),
            one("secret_access_key", "Secret access key", &self.secret_access_key),
            one("session_token", "Session token", &self.session_token),
        ];
        let typed = Some(Keys { kind: KeyKind::SigV4, fields, place_chosen: false });
        Self { typed, ..self }
    }

    /// Whether bodies go unsigned. Of the filled table.
    pub fn is_unsigned(&self) -> bool {
        self.payload == UNSIGNED
    }

    /// The service behind a host. Of the filled table.
    pub fn service_at(&self, host: &str) -> &str {
        self.services.get(&host.to_ascii_lowercase()).unwrap_or(&self.service)
    }
}

fn signed() -> String {
    "signed".to_owned()
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Provider};

    const FILE: &str = "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[[inputs]]\nkey = \"region\"\n\
        title = \"Region\"\npattern = \"^[a-z0-9-]{1,32}$\"\n[sigv4]\nservice = \"things\"\nregion = \"{region}\"\n\
        services = { \"who.{region}.x.example\" = \"who\" }\nraw_paths = [\"store\"]\n\
        access_key_id.placeholder = \"AKIA\"\n[api]\nbase_url = \"https://things.{region}.x.example\"\n";

    #[test]
    fn the_table_is_read_and_filled() {
        let provider = Provider::parse("x.toml", FILE).expect("a provider");
        assert_eq!(provider.kind(), Kind::Typed);
        let fields = &provider.keys().expect("keys").fields;
        let asked: Vec<_> =
            fields.iter().map(|field| (field.key.as_str(), field.secret, field.label.optional)).collect();
        assert_eq!(
            asked,
            [
                ("access_key_id", false, false),
                ("secret_access_key", true, false),
                ("session_token", true, true)
            ]
        );
        assert_eq!(fields[0].label.placeholder.as_deref(), Some("AKIA"));
        assert!(provider.api.place.is_nowhere());
        let given = [("region".to_owned(), "eu-1".to_owned())].into();
        let filled = provider.filled(&given).expect("filled");
        let sigv4 = filled.sigv4().expect("the table");
        assert_eq!((sigv4.region.as_str(), sigv4.is_unsigned()), ("eu-1", false));
        assert_eq!(sigv4.service_at("WHO.eu-1.x.example"), "who");
        assert_eq!(sigv4.service_at("things.eu-1.x.example"), "things");
    }
}
