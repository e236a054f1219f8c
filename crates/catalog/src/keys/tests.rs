use super::*;
use crate::{Catalog, Kind, Place, Provider};

fn provider(tables: &str) -> Provider {
    let text = format!("key = \"acme\"\nname = \"Acme\"\n{tables}");
    Provider::parse("acme.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn place(header: &str, format: &str, base64: Option<&str>, query: Option<&str>) -> Place {
    Place {
        header: header.to_owned(),
        format: format.to_owned(),
        base64: base64.map(str::to_owned),
        query: query.map(str::to_owned),
    }
}

/// Each kind asks for its fields, under the names that people know, and is carried in its usual place.
#[test]
fn an_empty_table_is_a_whole_provider() {
    let bearer = place("Authorization", "Bearer {token}", None, None);
    let basic = place("Authorization", "Basic {token}", Some("{token}"), None);
    for (kind, place, fields) in [
        (KeyKind::ApiKey, place("X-API-Key", "{token}", None, None), &[("api_key", "API key", true)][..]),
        (KeyKind::Basic, basic, &[("username", "User name", false), ("password", "Password", true)]),
        (KeyKind::Bearer, bearer, &[("token", "Access token", true)]),
    ] {
        let provider = provider(&format!("[{}]", kind.table()));
        let keys = provider.keys().expect("typed in");
        assert!(provider.oauth2().is_none() && !keys.place_chosen);
        assert_eq!((keys.kind, &provider.api.place), (kind, &place));
        let found = keys.fields.iter();
        let found: Vec<_> = found
            .map(|field| (field.key.as_str(), field.label.title.as_deref().unwrap_or(""), field.secret))
            .collect();
        assert_eq!(found, fields);
        assert_eq!(keys.fields.iter().map(|field| field.key.as_str()).collect::<Vec<_>>(), kind.fields());
    }
}

#[test]
fn labels_are_read() {
    let text = "[basic]\npassword = { optional = true }\n[basic.username]\ntitle = \"Account SID\"\n\
                description = \"d\"\nplaceholder = \"p\"\npattern = \"^AC$\"\nhelp = \"https://acme.example/\"";
    let provider = provider(text);
    let fields = &provider.keys().expect("typed in").fields;
    let some = |text: &str| Some(text.to_owned());
    let username = Label {
        title: some("Account SID"),
        description: some("d"),
        placeholder: some("p"),
        pattern: some("^AC$"),
        help: some("https://acme.example/"),
        optional: false,
        ..Label::default()
    };
    assert_eq!(fields[0].label, username);
    assert_eq!(fields[1].label, Label { title: some("Password"), optional: true, ..Label::default() });
}

/// A file says of the place only what is not usual for its kind.
#[test]
fn the_place_is_read_over_the_usual_one() {
    for (tables, expected) in [
        ("[api_key]\n[api]\nplace.header = \"x-key\"", place("x-key", "{token}", None, None)),
        ("[api_key]\n[api]\nplace.format = \"k {token}\"", place("X-API-Key", "k {token}", None, None)),
        ("[api_key]\n[api]\nplace.query = \"key\"", place("X-API-Key", "{token}", None, Some("key"))),
        (
            "[basic]\n[api]\nplace.header = \"X-Auth\"",
            place("X-Auth", "Basic {token}", Some("{token}"), None),
        ),
        (
            "[bearer]\n[api]\nplace.format = \"Token {token}\"",
            place("Authorization", "Token {token}", None, None),
        ),
    ] {
        assert_eq!(provider(tables).api.place, expected, "{tables}");
    }
    let chosen = provider("[api_key]\nplace_chosen = true");
    assert!(chosen.keys().is_some_and(|keys| keys.place_chosen));
}

/// A product may take a key where its family takes consent: it leaves the base's way out, and what only that has.
#[test]
fn a_provider_of_another_kind_leaves_its_bases_kind_out() {
    let base = "key = \"acme\"\nname = \"Acme\"\n[oauth2.endpoints]\nauthorize_url = \"https://acme.example/a\"\n\
                token_url = \"https://acme.example/t\"\n[api]\nbase_url = \"https://acme.example/api\"\n\
                [identity]\nid = \"sub\"\n";
    let part = |without: &str| {
        let text =
            format!("extends = \"acme\"\nkey = \"acme-key\"\nname = \"Acme Key\"\n{without}\n[api_key]");
        let mut catalog = Catalog::empty();
        let added = catalog.add_all(&[("acme.toml", base), ("acme-key.toml", &text)]);
        added.map(|()| catalog.get("acme-key").expect("the part")).map_err(|error| error.key)
    };
    assert_eq!(part("").expect_err("two ways"), "api_key");
    assert_eq!(part("without = [\"oauth2\"]").expect_err("no userinfo endpoint"), "identity.source");
    let part = part("without = [\"oauth2\", \"identity\"]").expect("a provider");
    assert_eq!(part.keys().map(|keys| keys.kind), Some(KeyKind::ApiKey));
    assert_eq!(part.api.base_url.as_deref(), Some("https://acme.example/api"));
    assert_eq!(part.api.place, place("X-API-Key", "{token}", None, None));
}

/// Fields come in the order of the file, each with what it says of it.
#[test]
fn fields_keep_the_order_of_the_file() {
    let provider = provider(
        "[fields.zone]\nsecret = false\npattern = \"^[a-z]+$\"\n[fields.key]\ntitle = \"Key\"\n\
         [fields.app]\noptional = true\n[api.headers]\nK = \"{key}\"\nA = \"{app} {zone}\"",
    );
    let keys = provider.keys().expect("typed in");
    let found: Vec<_> = keys
        .fields
        .iter()
        .map(|field| {
            let title = field.label.title.as_deref().unwrap_or_default();
            (field.key.as_str(), title, field.secret, field.label.optional)
        })
        .collect();
    let expected = [("zone", "zone", false, false), ("key", "Key", true, false), ("app", "app", true, true)];
    assert_eq!((keys.kind, &found[..]), (KeyKind::Fields, &expected[..]));
    assert_eq!((provider.kind(), provider.api.place.is_nowhere()), (Kind::Typed, true));
}

/// What is no secret is filled with the inputs, checked as they are; secrets wait for the request.
#[test]
fn fields_are_filled_where_they_may_stand() {
    let provider = provider(
        "[fields.zone]\nsecret = false\npattern = \"^[a-z]+$\"\n[fields.key]\n[api]\n\
         base_url = \"https://{zone}.acme.example\"\nheaders = { K = \"{key}/{zone}\" }\nquery = { z = \"{zone}\" }\n\
         place = { header = \"Authorization\", format = \"Basic {token}\", base64 = \"{zone}:{key}\" }\n\
         [[verify.calls]]\nurl = \"/{zone}\"\nparams = { k = \"{key}\" }",
    );
    let given =
        |zone: &str| [("zone", zone), ("key", "leaked")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    let filled = provider.filled(&given("eu")).expect("filled");
    assert_eq!(filled.api.base_url.as_deref(), Some("https://eu.acme.example"));
    assert_eq!((filled.api.headers["K"].as_str(), filled.api.query["z"].as_str()), ("{key}/eu", "eu"));
    assert_eq!(filled.api.place.base64.as_deref(), Some("eu:{key}"));
    let verify = filled.verify.expect("a call");
    assert_eq!((verify.calls[0].url.as_str(), verify.calls[0].params["k"].as_str()), ("/eu", "{key}"));
    assert!(provider.filled(&given("evil.example/")).is_err());
    assert_eq!(provider.filled_api(&given("us")).expect("filled").headers["K"], "{key}/us");
}

/// The six ways to authenticate are five ways to connect.
#[test]
fn each_table_is_a_kind_of_connecting() {
    let ends = "token_url = \"https://acme.example/t\"";
    let code = format!("[oauth2.endpoints]\nauthorize_url = \"https://acme.example/a\"\n{ends}");
    let one = "[oauth1.endpoints]\nrequest_token_url = \"https://{h}/r\"\nauthorize_url = \"https://acme.example/a\"\n\
               access_token_url = \"https://acme.example/t\"\n[[inputs]]\nkey = \"h\"\ntitle = \"H\"\npattern = \"^[a-z.]+$\"";
    for (tables, kind, callback) in [
        (code.clone(), Kind::OAuth2Code, true),
        (one.to_owned(), Kind::OAuth1, true),
        ("[bearer]".to_owned(), Kind::Typed, false),
        (
            format!("[oauth2]\ngrant = \"client_credentials\"\nendpoints.{ends}"),
            Kind::ClientCredentials,
            false,
        ),
        ("[workspace_token]\n[api.headers]\nX = \"{token}\"".to_owned(), Kind::WorkspaceToken, false),
    ] {
        let provider = provider(&tables);
        assert_eq!((provider.kind(), provider.kind().has_callback()), (kind, callback), "{tables}");
        assert_eq!(provider.endpoints_are_chosen(), kind == Kind::OAuth1, "{tables}");
        assert_eq!(
            provider.workspace_token().map(|table| table.lifetime),
            (kind == Kind::WorkspaceToken).then_some(3600)
        );
    }
}
