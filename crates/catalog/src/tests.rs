use super::*;

#[test]
fn every_compiled_in_file_is_read_without_a_finding() {
    let catalog = Catalog::builtin().expect("the catalog");
    assert_eq!(catalog.iter().count(), BUILTIN.len());
    for (file, text) in BUILTIN {
        let errors: Vec<_> =
            lint::check(file, text).into_iter().filter(|finding| finding.severity.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    for key in ["oidc", "oauth2", "sandbox", "github", "google"] {
        assert!(catalog.get(key).is_some(), "{key}");
    }
}

#[test]
fn files_are_added_once_and_found_by_key() {
    let text = "key = \"acme\"\nname = \"Acme\"\n[oauth2.endpoints]\nsource = \"integration\"\n";
    let mut catalog = Catalog::empty();
    catalog.add("acme.toml", text).expect("added");
    let twice = catalog.add("acme.toml", text).expect_err("twice");
    assert_eq!((twice.file.as_str(), twice.key.as_str()), ("acme.toml", "key"));
    let wrong = catalog.add("other.toml", text).expect_err("another name");
    assert_eq!(wrong.to_string(), "other.toml: key: the file must be called `acme.toml`");
    assert_eq!(catalog.get("acme").map(|provider| provider.name.clone()).as_deref(), Some("Acme"));
    assert!(catalog.get("acme.toml").is_none());
}

/// Facts that the two big entries stand on.
#[test]
fn github_and_google_say_what_their_pages_say() {
    let catalog = Catalog::builtin().expect("the catalog");
    let github = catalog.get("github").expect("github");
    assert_eq!(github.oauth2().and_then(|oauth2| oauth2.lifetime), Some(Lifetime::Never));
    assert!(github.api.headers.contains_key("User-Agent"));
    let issuer = |provider: &Provider| provider.oauth2().and_then(|oauth2| oauth2.endpoints.issuer.clone());
    assert_eq!(issuer(&github).as_deref(), Some("https://github.com/login/oauth"));
    let google = catalog.get("google").expect("google");
    assert_eq!(issuer(&google).as_deref(), Some("https://accounts.google.com"));
    let params = &google.oauth2().expect("oauth2").authorize.params;
    assert_eq!(params["access_type"], "offline");
    assert_eq!(params["prompt"], "consent");
}
