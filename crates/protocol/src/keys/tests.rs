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

const FIELDS: &str = "[fields.account]\nsecret = false\npattern = \"^[a-z]+$\"\n[fields.key]\ntitle = \"Key\"\n\
    [fields.app]\noptional = true\n[api.headers]\nX-Key = \"{key}\"\nX-App = \"{app}\"";

/// Several fields: the first secret is the token, all secrets are kept for the calls, the rest for the URLs.
#[test]
fn several_fields_make_one_credential() {
    let keys = keys(FIELDS);
    assert_eq!(
        keys.fields.iter().map(|field| field.key.as_str()).collect::<Vec<_>>(),
        ["account", "key", "app"]
    );
    let all = given(&[("account", "acme"), ("key", "k{1}"), ("app", "a-2"), ("other", "x")]);
    let made = tokens(&keys, &all).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made.access_token.expose(), "k{1}");
    assert_eq!(made.token_type, "Fields");
    let kept: Vec<_> = made.typed.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(kept, [("app", "a-2"), ("key", "k{1}")]);
    assert_eq!(plain(&keys, &all), BTreeMap::from([("account".to_owned(), "acme".to_owned())]));
    let told: Vec<_> = spellings(&made).iter().map(|text| text.expose().to_owned()).collect();
    assert_eq!(told, ["k{1}", "a-2"]);
    let back = Tokens::from_json(&made.to_json()).expect("tokens");
    assert_eq!(back.typed.keys().collect::<Vec<_>>(), ["app", "key"]);
    let few = tokens(&keys, &given(&[("account", "acme"), ("key", "k"), ("app", "")]));
    assert_eq!(few.unwrap_or_else(|error| panic!("{error}")).typed.len(), 1);
    for (pairs, field) in [
        (&[("account", "acme")][..], "key"),
        (&[("account", "a.b"), ("key", "k")], "account"),
        (&[("key", "k")], "account"),
        (&[("account", "acme"), ("key", "k y")], "key"),
        (&[("account", "acme"), ("key", "k"), ("app", "a\nb")], "app"),
    ] {
        assert_eq!(refused(FIELDS, pairs).field, field);
    }
}

/// A client's id and secret are checked and kept, but make no credential by themselves.
#[test]
fn a_client_that_is_typed_in_is_no_credential_yet() {
    let text = "key = \"acme\"\nname = \"Acme\"\n[oauth2]\ngrant = \"client_credentials\"\nclient = \"connection\"\n\
                labels.client_id.pattern = \"^id-[0-9]+$\"\n[oauth2.endpoints]\ntoken_url = \"https://acme.example/t\"";
    let provider = Provider::parse("acme.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let keys = provider.keys().expect("typed in");
    let typed = given(&[("client_id", "id-1"), ("client_secret", "s3cr3t")]);
    let kept = checked(keys, &typed).unwrap_or_else(|error| panic!("{error}"));
    let (id, secret) = client(&kept).expect("a client");
    assert_eq!((id, secret.expose()), ("id-1", "s3cr3t"));
    assert!(plain(keys, &kept).is_empty() && tokens(keys, &typed).is_err());
    assert!(client(&BTreeMap::new()).is_none());
    for (id, secret, field) in
        [("", "s", "client_id"), ("id-1", "", "client_secret"), ("x", "s", "client_id")]
    {
        let error = checked(keys, &given(&[("client_id", id), ("client_secret", secret)])).err();
        assert_eq!(error.map(|error| error.field).as_deref(), Some(field));
    }
    let held = Tokens { typed: kept, ..Tokens::of(Secret::new("at"), "Bearer") };
    let told: Vec<_> = spellings(&held).iter().map(|text| text.expose().to_owned()).collect();
    assert_eq!(told, ["at", "s3cr3t"]);
}

/// OAuth 1: what signs calls is hidden as the token is.
#[test]
fn a_tokens_secret_is_one_of_its_spellings() {
    let held = Tokens { token_secret: Some(Secret::new("ts")), ..Tokens::of(Secret::new("t"), "OAuth") };
    let told: Vec<_> = spellings(&held).iter().map(|text| text.expose().to_owned()).collect();
    assert_eq!(told, ["t", "ts"]);
}
