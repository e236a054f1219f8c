use claviger_catalog::{Auth, Provider};

use super::*;
use crate::oauth2::read::MAX_TOKEN;

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

/// Eight characters of each kind that a value of several lines may hold; a key in PEM looks like that.
const LINES: &str = "-----BEGIN X-----\r\nAB+/\n\tCD==\n-----END X-----";

#[test]
fn several_lines_are_one_value() {
    let table = "[bearer]\ntoken = { form = \"multiline\" }";
    let made = tokens(&keys(table), &given(&[("token", LINES)])).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made.access_token.expose(), LINES);
    let longest = "é".repeat(MAX_LINES / 2);
    assert!(tokens(&keys(table), &given(&[("token", &longest)])).is_ok());
    for (text, amiss) in [
        ("", Amiss::Missing),
        (&format!("{longest}x") as &str, Amiss::Other),
        ("a\u{0}b", Amiss::Other),
        ("a\u{1b}[31m", Amiss::Other),
    ] {
        assert_eq!(refused(table, &[("token", text)]).amiss, amiss, "{}", text.len());
    }
}

#[test]
fn one_of_several_is_chosen() {
    let table = "[fields.key]\n[fields.site]\nsecret = false\noptional = true\noptions = [{ value = \"eu\" }, { value = \"us\" }]\n\
                 [api.headers]\nX-Key = \"{key}\"";
    let keys = keys(table);
    let kept =
        checked(&keys, &given(&[("key", "k"), ("site", "us")])).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plain(&keys, &kept), BTreeMap::from([("site".to_owned(), "us".to_owned())]));
    assert!(checked(&keys, &given(&[("key", "k"), ("site", "")])).is_ok());
    for text in ["asia", "EU", "eu us"] {
        let wrong = refused(table, &[("key", "k"), ("site", text)]);
        assert_eq!(wrong.field, "site");
        assert!(wrong.amiss == Amiss::NotListed || text.contains(' '), "{text}");
    }
}

const DOCUMENT: &str = "[fields.account]\nform = \"json\"\n\
    parts.secret = { path = \"creds.key\", pattern = \"^[a-z0-9]+$\" }\n\
    parts.id = { path = \"id\", secret = false, pattern = \"^[0-9]+$\" }\n\
    parts.note = { path = \"notes.0\", required = false }\n\
    [api.headers]\nX-Key = \"{secret}\"\nX-Note = \"{note}\"";

/// Only parts of a document are kept: the secret ones with the token, the others for the URLs.
#[test]
fn a_document_is_taken_apart() {
    let keys = keys(DOCUMENT);
    let text = " {\"id\": 12, \"creds\": {\"key\": \"k1\", \"other\": \"CANARY\"}, \"notes\": []}\n";
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let all = given(&[("account", &text), ("secret", "not asked")]);
        let kept = checked(&keys, &all).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["id", "secret"]);
        let made = credential(&keys, &kept).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((made.access_token.expose(), made.typed.len()), ("k1", 1));
        assert!(!made.to_json().expose().contains("CANARY"));
        assert_eq!(plain(&keys, &kept), BTreeMap::from([("id".to_owned(), "12".to_owned())]));
    }
}

#[test]
fn what_is_wrong_with_a_document_is_said_without_it() {
    let long = format!("{{\"id\":\"{}\"}}", "1".repeat(MAX_DOCUMENT));
    for (text, amiss, words) in [
        ("", Amiss::Missing, "Is missing"),
        ("  ", Amiss::Missing, "Is missing"),
        ("{\"id\": 12,", Amiss::Other, "Is no JSON"),
        ("SECRETKEY", Amiss::Other, "Is no JSON"),
        ("[{\"id\": 1}]", Amiss::Other, "Is not a JSON object"),
        ("\"text\"", Amiss::Other, "Is not a JSON object"),
        (&long, Amiss::Other, "Longer than 65536 bytes"),
        ("{}", Amiss::Other, "Has no `id`"),
        ("{\"id\": 1}", Amiss::Other, "Has no `creds.key`"),
        ("{\"id\": 1, \"creds\": {\"key\": {}}}", Amiss::Other, "Has no `creds.key`"),
        ("{\"id\": 1, \"creds\": {\"key\": \" \"}}", Amiss::Other, "Has no `creds.key`"),
        ("{\"id\": 1, \"creds\": {\"key\": \"SECRET\"}}", Amiss::Other, "`creds.key` in it: Does not look"),
        ("{\"id\": 1, \"creds\": {\"key\": \"a\\nb\"}}", Amiss::Other, "`creds.key` in it: Holds a space"),
        ("{\"id\": \"x\", \"creds\": {\"key\": \"a\"}}", Amiss::Other, "`id` in it: Does not look"),
    ] {
        let wrong = checked(&keys(DOCUMENT), &given(&[("account", text)])).err().expect("wrong");
        assert_eq!((wrong.field.as_str(), wrong.amiss), ("account", amiss), "{}", wrong.message);
        assert!(wrong.message.starts_with(words), "{}", wrong.message);
        assert!(!wrong.message.contains("SECRET"), "{}", wrong.message);
    }
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(checked(&keys(DOCUMENT), &given(&[("account", &deep)])).is_err());
}

const SIGNED: &str = "key = \"acme\"\nname = \"Acme\"\n[sigv4]\nservice = \"s\"\nregion = \"r\"";

#[test]
fn a_key_that_signs_is_kept_whole() {
    let provider = Provider::parse("acme.toml", SIGNED).unwrap_or_else(|error| panic!("{error}"));
    let keys = provider.keys().expect("typed in");
    let all = given(&[("access_key_id", "AKID"), ("secret_access_key", "s/k+1="), ("session_token", "")]);
    let made = tokens(keys, &all).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((made.access_token.expose(), made.token_type.as_str()), ("s/k+1=", "AWS4"));
    assert_eq!(made.typed.keys().collect::<Vec<_>>(), ["access_key_id", "secret_access_key"]);
    assert!(plain(keys, &made.typed).is_empty());
    let told: Vec<_> = spellings(&made).iter().map(|text| text.expose().to_owned()).collect();
    assert_eq!(told, ["s/k+1="]);
    for (id, secret, field) in [
        ("", "s", "access_key_id"),
        ("A/K", "s", "access_key_id"),
        ("A,K", "s", "access_key_id"),
        ("A", "", "secret_access_key"),
        ("A", "s p", "secret_access_key"),
    ] {
        let wrong = tokens(keys, &given(&[("access_key_id", id), ("secret_access_key", secret)])).err();
        assert_eq!(wrong.map(|wrong| wrong.field).as_deref(), Some(field));
    }
}

/// What goes into a request's body may be any text; a login has passwords with spaces.
#[test]
fn what_steps_take_is_any_text_of_one_line() {
    let text = "key = \"acme\"\nname = \"Acme\"\n[steps.fields.user]\nsecret = false\n[steps.fields.pw]\n\
                [[steps.request]]\nurl = \"https://acme.example/\"";
    let provider = Provider::parse("acme.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let keys = provider.keys().expect("typed in");
    let kept = checked(keys, &given(&[("user", "ü@x:y"), ("pw", " p w ")]))
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kept["pw"].expose(), " p w ");
    assert!(credential(keys, &kept).is_err());
    let wrong = checked(keys, &given(&[("user", "u"), ("pw", "a\nb")])).err();
    assert_eq!(wrong.map(|wrong| wrong.field).as_deref(), Some("pw"));
}
