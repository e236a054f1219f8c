use super::*;

#[test]
fn every_compiled_in_file_is_read_without_a_finding() {
    let catalog = Catalog::builtin().expect("the catalog");
    assert_eq!(catalog.iter().count(), BUILTIN.len());
    let errors: Vec<_> =
        lint::check_all(BUILTIN).into_iter().filter(|finding| finding.severity.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
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

const BASE: &str = "key = \"acme\"\nname = \"Acme\"\n[oauth2]\nlifetime = 60\n[oauth2.endpoints]\n\
                    authorize_url = \"https://acme.example/a\"\ntoken_url = \"https://acme.example/t\"\n\
                    [api]\nbase_url = \"https://acme.example/api\"\n";
const PART: &str = "extends = \"acme\"\nkey = \"acme-files\"\nname = \"Acme Files\"\n\
                    [api]\nbase_url = \"https://acme.example/files\"\n";

/// A provider reads its base's table, keeps its own name, and is of its base's family, in whatever order.
#[test]
fn a_provider_extends_another() {
    for files in
        [[("acme.toml", BASE), ("acme-files.toml", PART)], [("acme-files.toml", PART), ("acme.toml", BASE)]]
    {
        let mut catalog = Catalog::empty();
        catalog.add_all(&files).expect("added");
        let part = catalog.get("acme-files").expect("the part");
        assert_eq!((part.name.as_str(), part.family.as_str()), ("Acme Files", "acme"));
        assert_eq!(part.api.base_url.as_deref(), Some("https://acme.example/files"));
        assert_eq!(part.oauth2().and_then(|oauth2| oauth2.lifetime), Some(Lifetime::Seconds(60)));
        assert_eq!((catalog.family("acme"), catalog.family("acme-files")), ("acme", "acme"));
        assert_eq!(catalog.family("nobody"), "nobody");
    }
    let mut catalog = Catalog::empty();
    let alone = catalog.add("acme-files.toml", PART).expect_err("no base");
    assert_eq!(alone.to_string(), "acme-files.toml: extends: there is no other provider `acme`");
    catalog.add("acme.toml", BASE).expect("the base");
    catalog.add("acme-files.toml", PART).expect("its part");
    let chained = PART
        .replace("extends = \"acme\"", "extends = \"acme-files\"")
        .replace("acme-files\"\nname", "x\"\nname");
    let chained = catalog.add("x.toml", &chained).expect_err("a chain");
    assert_eq!((chained.file.as_str(), chained.key.as_str()), ("x.toml", "extends"));
}

/// What is wrong is told of the file in which it stands, also where the base is another of the files given.
#[test]
fn files_are_checked_over_each_other_and_over_the_compiled_in_ones() {
    let wrong = PART.replace("https://acme.example/files", "http://acme.example/files");
    let found = lint::check_all(&[("acme-files.toml", &wrong), ("acme.toml", BASE)]);
    let errors: Vec<_> = found.iter().filter(|finding| finding.severity.is_error()).collect();
    assert_eq!(
        errors.iter().map(|e| (e.file.as_str(), e.key.as_str())).collect::<Vec<_>>(),
        [("acme-files.toml", "api.base_url")]
    );
    let google = "extends = \"google\"\nkey = \"google-x\"\nname = \"Google X\"\nwithout = [\"verify\"]";
    assert_eq!(lint::check("google-x.toml", google), []);
}

/// The answer to a refresh is read over the answer to the exchange.
#[test]
fn a_refreshs_answer_says_only_what_differs() {
    let text = format!(
        "{BASE}\n[oauth2.answer]\naccess_token = \"user.token\"\nerror = {{ path = \"ok\", is = [\"false\"] }}\n\
         [oauth2.refresh.answer]\naccess_token = \"access_token\""
    );
    let acme = Provider::parse("acme.toml", &text).expect("a provider");
    let oauth2 = acme.oauth2().expect("OAuth 2");
    let answer = oauth2.refresh.answer.as_ref().expect("its own answer");
    assert_eq!(
        (oauth2.answer.access_token.as_str(), answer.access_token.as_str()),
        ("user.token", "access_token")
    );
    assert_eq!(answer.error, oauth2.answer.error);
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
