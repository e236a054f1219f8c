use claviger_catalog::{Auth, Provider};

use super::*;

fn keys(table: &str) -> Keys {
    let text = format!("key = \"acme\"\nname = \"Acme\"\n{table}");
    match Provider::parse("acme.toml", &text).expect("a provider").auth {
        Auth::Keys(keys) => keys,
        _ => panic!("not typed in"),
    }
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

fn refused(table: &str, pairs: &[(&str, &str)]) -> KeyError {
    let Err(error) = tokens(&keys(table), &given(pairs)) else { panic!("taken: {pairs:?}") };
    for (_, value) in pairs.iter().filter(|(_, value)| value.len() > 3) {
        assert!(!error.to_string().contains(value), "{error}");
    }
    error
}

/// RFC 7617 §2 and §2.1: the two credentials, and their Base64.
#[test]
fn a_user_name_and_a_password_are_joined_as_the_rfc_shows() {
    for (user, password, joined, encoded) in [
        ("Aladdin", "open sesame", "Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123\u{a3}", "test:123\u{a3}", "dGVzdDoxMjPCow=="),
        ("u", " a:b ", "u: a:b ", "dTogYTpiIA=="),
    ] {
        let made = tokens(&keys("[basic]"), &given(&[("username", user), ("password", password)]));
        let made = made.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(made.access_token.expose(), joined);
        assert_eq!(made.token_type, "Basic");
        let told: Vec<_> = spellings(&made).iter().map(|text| text.expose().to_owned()).collect();
        assert_eq!(told, [joined, encoded, password]);
    }
}

#[test]
fn a_key_and_a_token_are_taken_as_they_are() {
    for (table, field, kind) in [("[api_key]", "api_key", "ApiKey"), ("[bearer]", "token", "Bearer")] {
        let longest = "k".repeat(MAX_TOKEN);
        for text in ["sk_live_{token}:~", "x", &longest] {
            let made = tokens(&keys(table), &given(&[(field, text), ("other", "\n")]));
            let made = made.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(made.access_token.expose(), text);
            assert_eq!(made.token_type, kind);
            assert!(made.refresh_token.is_none() && made.expires_at.is_none());
            assert_eq!(spellings(&made).len(), 1);
        }
    }
}

#[test]
fn what_can_not_be_sent_is_refused_by_its_field() {
    let long = "k".repeat(MAX_TOKEN + 1);
    for (table, field) in [("[api_key]", "api_key"), ("[bearer]", "token")] {
        for text in
            ["", " key1", "key1\n", "ke y1", "key\u{e9}", "key\u{7f}1", "key\r\nX: y", "\u{a0}key", &long]
        {
            assert_eq!(refused(table, &[(field, text)]).field, field, "{text:?}");
        }
        assert_eq!(refused(table, &[("other", "key1")]).field, field);
    }
    for (user, password, field) in [
        ("", "pass", "username"),
        ("us:er", "pass", "username"),
        ("us\ner", "pass", "username"),
        ("user", "", "password"),
        ("user", "pass\n", "password"),
        ("user", "pa\u{85}ss", "password"),
        ("user", &long, "password"),
    ] {
        let error = refused("[basic]", &[("username", user), ("password", password)]);
        assert_eq!(error.field, field, "{user:?}");
    }
}

/// A password may be left out only where the file says so; the colon is sent all the same (RFC 7617 §2).
#[test]
fn an_optional_password_may_be_empty() {
    let table = "[basic]\npassword = { optional = true }";
    for pairs in [&[("username", "key")][..], &[("username", "key"), ("password", "")]] {
        let made = tokens(&keys(table), &given(pairs)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(made.access_token.expose(), "key:");
        let told: Vec<_> = spellings(&made).iter().map(|text| text.expose().to_owned()).collect();
        assert_eq!(told, ["key:", "a2V5Og=="]);
    }
}

#[test]
fn a_pattern_is_held() {
    let table = "[api_key]\nkey = { pattern = \"^sk_[a-z0-9]+$\" }";
    assert!(tokens(&keys(table), &given(&[("api_key", "sk_1a")])).is_ok());
    for text in ["pk_1a", "sk_", "xsk_1a"] {
        assert_eq!(refused(table, &[("api_key", text)]).field, "api_key");
    }
}
