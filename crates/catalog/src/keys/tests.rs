use super::*;
use crate::{Catalog, Place, Provider};

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
