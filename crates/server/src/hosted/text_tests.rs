use std::{collections::BTreeSet, fs, path::Path};

use super::*;

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
            if path.to_string_lossy().ends_with("_tests.rs") {
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
