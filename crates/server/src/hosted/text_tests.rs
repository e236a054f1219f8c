use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::hosted::page::sentence;

fn placeholders(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some((_, name, after)) = placeholder(rest) {
        found.insert(name.to_owned());
        rest = after;
    }
    found
}

#[test]
fn every_language_says_everything_with_the_same_placeholders() {
    let texts = Texts::load().expect("texts");
    let english = &texts.0[&Language::En];
    for language in Language::ALL {
        let own = &texts.0[&language];
        let keys = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(own), keys(english), "{language:?}");
        for (key, text) in own {
            assert_eq!(placeholders(text), placeholders(&english[key]), "{language:?} {key}");
            assert!(!text.trim().is_empty() && text.trim() == text, "{language:?} {key}");
            // Of one word, such as "Error", languages may have the same.
            let words = text.split_whitespace().filter(|word| !word.contains('{')).count();
            let same = language != Language::En && text == &english[key] && words > 1;
            assert!(!same, "{language:?} {key} is not translated");
        }
    }
}

#[test]
fn every_key_that_templates_and_code_name_is_there() {
    let texts = Texts::load().expect("texts");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for folder in ["templates", "src/hosted"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            // The dashboard's pages are in a folder of their own, and in English.
            if path.is_dir() || path.to_string_lossy().ends_with("_tests.rs") {
                continue;
            }
            let source = fs::read_to_string(&path).expect("a file");
            for (quote, begin) in [('\'', "t('"), ('"', "say(\"")] {
                for part in source.split(begin).skip(1) {
                    let key = part.split(quote).next().unwrap_or_default();
                    if key.contains('.') {
                        assert!(texts.0[&Language::En].contains_key(key), "{}: {key}", path.display());
                        named += 1;
                    }
                }
            }
        }
    }
    assert!(named > 40, "they were found: {named}");
}

#[test]
fn what_the_engine_says_is_found_by_its_english() {
    let texts = Texts::load().expect("texts");
    let said = |english| texts.said(Language::De, english).into_owned();
    assert_eq!(said("the connection was declined"), "Die Verbindung wurde abgelehnt.");
    assert_eq!(said("The connection was declined."), "Die Verbindung wurde abgelehnt.");
    assert_eq!(said("longer than 255 bytes"), "Länger als 255 Bytes.");
    assert_eq!(said("nobody has said this before"), "nobody has said this before");
    let refused = "The provider does not accept it: it answered 401 (no. {most})";
    assert_eq!(said(refused), "Der Anbieter akzeptiert das nicht: Er hat mit 401 geantwortet (no. {most}).");
    assert_eq!(texts.said(Language::En, "The connection was declined."), "The connection was declined.");
    assert_eq!(texts.label(Language::Fr, "API key"), "Clé API");
    assert_eq!(texts.label(Language::Fr, "Personal key"), "Personal key");
}

/// What pages say of a flow, in the engine's words.
const OF_FLOWS: [&str; 38] = [
    "this page was open for too long; begin again",
    "This can't be connected",
    "Nothing to show",
    "There is no such page.",
    "There is no such integration.",
    "This form was not sent from our page. Open the link again.",
    "What was sent can't be read; begin again.",
    "Too many attempts; wait a minute and try again.",
    "Something went wrong on our side; try again.",
    "this link was used already, has expired, or belongs to another browser; begin again",
    "this link is not one of ours; begin again",
    "there is nothing to show here any more",
    "the address to return to is not registered any more; begin again",
    "the integration was changed while the authorization was under way; begin again",
    "this authorization was begun in another browser; begin again in this one",
    "this answer came back on another integration's path",
    "it is not shared with you any more",
    "its customer is not known any more",
    "its user can't sign in any more",
    "the connection to authorize anew is gone",
    "the connection is not there any more",
    "the connection was declined",
    "you did not allow it",
    "the service did not grant access",
    "the service could not be reached; try again later",
    "the service did not complete the authorization; try again",
    "the service does not accept how this integration is set up",
    "the credentials were tried too often; begin again",
    "this integration is switched off",
    "this ended elsewhere",
    "the token has expired",
    "Missing or invalid token",
    "this page can't be used any more; begin again",
    "this form was not sent from our page; begin again",
    "The provider does not accept it: it answered 401",
    "The provider does not accept it: it answered 401 (their words)",
    "The provider does not accept it: the provider refused",
    "The provider does not accept it: the provider refused: their words",
];

/// Where the sentences stand that are said of a field.
const OF_FIELDS: [&str; 4] = [
    "../protocol/src/keys/check.rs",
    "../protocol/src/keys/document.rs",
    "../protocol/src/assertion/key.rs",
    "../engine/src/outbound/identity.rs",
];

/// The sentences in a source: texts that begin as the ones do that are said of a value, each with something in place of
/// its braces.
fn sentences(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned));
    let begins =
        ["is ", "are ", "has ", "have ", "holds ", "does ", "can't ", "longer ", "expired ", "the curve "];
    let said = texts.filter(|text| begins.iter().any(|begin| text.to_lowercase().starts_with(begin)));
    said.map(|text| filled(&text.replace("{}", "{x}"), |_| Some("7"))).collect()
}

#[test]
fn every_sentence_that_can_reach_a_page_is_said_in_every_language() {
    let texts = Texts::load().expect("texts");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<String> = OF_FLOWS.map(str::to_owned).to_vec();
    for file in OF_FIELDS {
        let found = sentences(&fs::read_to_string(root.join(file)).expect("a source"));
        assert!(found.len() >= 4, "{file}: {found:?}");
        let inner = found.iter().map(|text| format!("`a.b` in it: {text}")).collect::<Vec<_>>();
        all.extend(found);
        all.extend(inner);
    }
    for language in [Language::De, Language::Fr, Language::Es] {
        for english in &all {
            let said = texts.said(language, &sentence(english)).into_owned();
            let words = english.split_once("in it: ").map_or(english.as_str(), |(_, inner)| inner);
            assert!(
                !said.to_lowercase().contains(&words.to_lowercase()),
                "{language:?}: {english} is {said}"
            );
        }
    }
    let curve = "Is not a key for ES256: that takes the curve P-256";
    let said = texts.said(Language::De, curve).into_owned();
    assert_eq!(said, "Ist kein Schlüssel für ES256. Dafür braucht es: die Kurve P-256");
}

#[test]
fn a_value_that_looks_like_a_placeholder_is_a_value() {
    let texts = Texts::load().expect("texts");
    let title = texts.get(Language::En, "connect.title", &[("service", "{product}"), ("product", "P")]);
    assert_eq!(title.as_deref(), Some("Connect {product}"));
    assert_eq!(texts.get(Language::En, "connect.nosuch", &[]), None);
}

#[test]
fn a_tag_names_a_language_of_any_region() {
    for (tag, language) in [
        ("de", Some(Language::De)),
        ("DE-at", Some(Language::De)),
        ("fr_CA", Some(Language::Fr)),
        (" es ", Some(Language::Es)),
        ("en-GB", Some(Language::En)),
        ("den", None),
        ("", None),
        ("*", None),
    ] {
        assert_eq!(Language::of(tag), language, "{tag:?}");
    }
}
