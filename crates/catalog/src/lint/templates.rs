//! The rules for templates: URLs, and texts that go into parameters and headers.
//!
//! Must never let a name into a host that no pattern guards, nor a secret into a URL.

use std::collections::BTreeMap;

use url::Url;

use super::{keys, rules::List};
use crate::{
    Provider,
    template::{self, Piece, Place, RESERVED},
};

/// A URL template: https, known names, and a pattern for every name that could move the host.
pub(super) fn url(provider: &Provider, key: &str, template: &str, list: &mut List) {
    in_url(provider, key, template, list);
    let mut place = Place::Start;
    let mut sample = String::new();
    for piece in template::pieces(template) {
        match piece {
            Piece::Text(text) => {
                place = place.after(text);
                sample.push_str(text);
            }
            Piece::Name(name) => {
                let known = provider.known_values();
                let pattern = known.iter().find(|(known, ..)| *known == name).and_then(|(_, p, _)| *p);
                if matches!(place, Place::Start | Place::Authority) {
                    if RESERVED.contains(&name) {
                        list.error(key, format!("`{{{name}}}` can't stand in the host"));
                    } else if pattern.is_none() {
                        list.error(key, format!("`{name}` decides the host and needs a pattern"));
                    }
                }
                if place == Place::Start {
                    sample.push_str("https://example.com");
                    place = Place::Path;
                } else {
                    sample.push('x');
                }
            }
        }
    }
    if !is_https(&sample) && !is_local(template) {
        list.error(key, "must be an https URL (http is for a literal loopback address only)");
    }
}

pub(super) fn texts(provider: &Provider, key: &str, map: &BTreeMap<String, String>, list: &mut List) {
    for (name, template) in map {
        let full = format!("{key}.{name}");
        names(provider, &full, template, list);
        if template.chars().any(char::is_control) {
            list.error(&full, "must not hold control characters");
        }
        if key.ends_with("headers") && !is_header(name) {
            list.error(&full, "is not a header name");
        }
    }
}

/// The names in a URL, or in a path: all known, no typed-in secret, and a pattern for what else is typed in.
pub(super) fn in_url(provider: &Provider, key: &str, template: &str, list: &mut List) {
    names(provider, key, template, list);
    for name in template::names(template) {
        if keys::is_secret(provider, name) {
            list.error(key, format!("`{{{name}}}` is a secret: it can't stand in a URL"));
        } else if keys::typed(provider, name).is_some_and(|value| value.pattern.is_none()) {
            list.error(key, format!("`{name}` stands in a URL and needs a pattern"));
        }
    }
}

pub(super) fn names(provider: &Provider, key: &str, template: &str, list: &mut List) {
    for name in template::names(template) {
        let known = RESERVED.contains(&name)
            || keys::is_secret(provider, name)
            || provider.known_values().iter().any(|(known, ..)| *known == name);
        if !known {
            list.error(key, format!("`{{{name}}}` is neither an input nor a saved value"));
        } else if keys::has_not(provider, name) {
            list.error(key, format!("there is no `{{{name}}}` for a credential of this kind"));
        }
    }
}

pub(super) fn is_https(text: &str) -> bool {
    template::is_plain_url(text)
        && !text.contains(['{', '}'])
        && Url::parse(text).is_ok_and(|url| url.scheme() == "https")
}

/// Whether a template is http to this machine, spelled out up to the path: for trying a provider file.
fn is_local(template: &str) -> bool {
    let authority = template.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    authority.is_some_and(|authority| !authority.contains('{'))
        && Url::parse(template).is_ok_and(|url| template::is_loopback(&url) && url.username().is_empty())
}

pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
