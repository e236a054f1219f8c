//! The rules for `[sigv4]`.
//!
//! Service and region end up in what is signed, so every name in them is guarded by a pattern. Must never let a body go
//! unsigned over plain http.

use super::{
    keys,
    rules::List,
    templates::{names, url},
};
use crate::{Provider, pattern, template};

/// What may stand for the payload.
const PAYLOADS: [&str; 2] = ["signed", "unsigned"];

/// Names, payload, and where the credential can't stand.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(sigv4) = provider.sigv4() else { return };
    for (key, text) in [("service", &sigv4.service), ("region", &sigv4.region), ("payload", &sigv4.payload)] {
        let full = format!("sigv4.{key}");
        names(provider, &full, text, list);
        if text.trim().is_empty() {
            list.error(&full, "must not be empty");
        }
        if template::names(text).is_empty() && !text.bytes().all(is_word) {
            list.error(full, "must be letters, digits, hyphens, dots and underscores");
        }
    }
    payload(provider, &sigv4.payload, list);
    for (host, service) in &sigv4.services {
        if host.contains(['/', ':', '@', '*', ' ', '?', '#']) {
            list.error("sigv4.services", format!("`{host}` is not a host name"));
        }
        url(provider, "sigv4.services", &format!("https://{host}/"), list);
        if service.is_empty() || !service.bytes().all(is_word) {
            list.error("sigv4.services", format!("`{service}` is not a service"));
        }
    }
    if !provider.api.place.is_nowhere() {
        list.error("api.place", "can't stand here: each call is signed");
    }
    for secret in ["{secret_access_key}", "{session_token}", "{access_key_id}"] {
        if keys::carried(&provider.api).any(|text| text.contains(secret)) {
            list.error("api.headers", format!("can't hold {secret}"));
        }
    }
}

/// One of two words, whoever says it.
fn payload(provider: &Provider, text: &str, list: &mut List) {
    const KEY: &str = "sigv4.payload";
    match (text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')), PAYLOADS.contains(&text)) {
        (_, true) => {}
        (Some(name), false) => {
            let input = provider.inputs.iter().find(|input| input.key == name);
            let strict = |pattern: &str| {
                PAYLOADS.iter().all(|word| pattern::admits(pattern, word))
                    && !pattern::admits(pattern, "neither")
            };
            if !input.is_some_and(|input| strict(&input.pattern)) {
                list.error(KEY, format!("`{name}` must be an input with the pattern ^(signed|unsigned)$"));
            }
        }
        (None, false) => list.error(KEY, "must be `signed` or `unsigned`"),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use crate::lint::check;

    fn told(sigv4: &str, more: &str) -> String {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[[inputs]]\nkey = \"p\"\ntitle = \"P\"\n\
             pattern = \"^(signed|unsigned)$\"\n[[inputs]]\nkey = \"q\"\ntitle = \"Q\"\npattern = \"^[a-z]+$\"\n\
             [sigv4]\n{sigv4}\n[api]\nbase_url = \"https://x.example\"\n{more}\n"
        );
        check("x.toml", &file).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn service_region_and_payload_make_sense() {
        let named = "service = \"{q}\"\nregion = \"{q}\"";
        let plain = "service = \"s\"\nregion = \"r\"";
        for (sigv4, more, want) in [
            (named, "", ""),
            (
                "service = \"s\"\nregion = \"r\"\npayload = \"{p}\"\nservices = { \"{q}.x.example\" = \"t\" }",
                "",
                "",
            ),
            (
                "service = \"s\"\nregion = \"r\"\npayload = \"{q}\"",
                "",
                "sigv4.payload: error: `q` must be an input",
            ),
            ("service = \"s\"\nregion = \"r\"\npayload = \"none\"", "", "sigv4.payload: error: must be"),
            ("service = \"s/t\"\nregion = \"r\"", "", "sigv4.service: error: must be letters"),
            ("service = \"s\"\nregion = \"\"", "", "sigv4.region: error: must not be empty"),
            ("service = \"s\"\nregion = \"{x}\"", "", "sigv4.region: error: `{x}`"),
            ("service = \"s\"\nregion = \"{token}\"", "", "sigv4.region: error: there is no `{token}`"),
            (
                "service = \"s\"\nregion = \"r\"\nservices = { \"x.example/a?\" = \"t\" }",
                "",
                "sigv4.services: error",
            ),
            (
                "service = \"s\"\nregion = \"r\"\nservices = { \"x.example\" = \"\" }",
                "",
                "sigv4.services: error: `` is not",
            ),
            (plain, "place = { query = \"key\" }", "api.place: error: can't stand here"),
            (plain, "headers = { X = \"{secret_access_key}\" }", "error: `{secret_access_key}` is neither"),
        ] {
            let told = told(sigv4, more);
            let sound = if want.is_empty() { told.is_empty() } else { told.contains(want) };
            assert!(sound, "{sigv4}: {told}");
        }
    }
}
