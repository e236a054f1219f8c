use crate::{
    ClientSource, Kind, Pkce, Provider, RefreshWith,
    lint::{Severity, check},
};

fn file(lines: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
         [oauth2]\ngrant = \"client_credentials\"\n{lines}"
    )
}

const URL: &str = "endpoints.token_url = \"https://acme.example/t\"";

/// What goes without saying is there without being said.
#[test]
fn sound_files_have_no_findings() {
    for (lines, kind) in [
        (URL.to_owned(), Kind::ClientCredentials),
        (format!("client = \"integration\"\n{URL}"), Kind::ClientCredentials),
        (format!("client = \"connection\"\n{URL}"), Kind::Typed),
        (format!("client = \"connection\"\npkce = \"unsupported\"\nrefresh.margin = 5\n{URL}"), Kind::Typed),
        ("client = \"connection\"\nendpoints.source = \"integration\"".to_owned(), Kind::Typed),
        (
            format!(
                "labels.client_id.title = \"App\"\nclient = \"connection\"\ntoken.params.audience = \"x\"\n{URL}"
            ),
            Kind::Typed,
        ),
        (
            format!("{URL}\n[identity]\nsource = \"call\"\nid = \"id\"\ncall.url = \"/me\""),
            Kind::ClientCredentials,
        ),
    ] {
        let text = file(&lines);
        assert_eq!(check("acme.toml", &text), [], "{lines}");
        let provider = Provider::parse("acme.toml", &text).expect("a provider");
        let oauth2 = provider.oauth2().expect("OAuth 2");
        assert_eq!((provider.kind(), oauth2.pkce), (kind, Pkce::Unsupported), "{lines}");
        assert_eq!(oauth2.refresh.with, RefreshWith::Client);
        assert_eq!(provider.keys().is_some(), oauth2.client == ClientSource::Connection);
        assert!(!kind.has_callback());
    }
}

#[test]
fn faults_are_named_with_file_and_key() {
    for (key, lines) in [
        ("oauth2.endpoints.token_url", String::new()),
        (
            "oauth2.endpoints.authorize_url",
            format!("endpoints.authorize_url = \"https://acme.example/a\"\n{URL}"),
        ),
        ("oauth2.pkce", format!("pkce = \"S256\"\n{URL}")),
        ("oauth2.client_auth", format!("client_auth = \"none\"\n{URL}")),
        ("oauth2.refresh.with", format!("refresh.with = \"refresh_token\"\n{URL}")),
        ("oauth2.upgrade", format!("upgrade.url = \"https://acme.example/u\"\n{URL}")),
        (
            "oauth2.callback",
            format!("callback.iss_required = true\nendpoints.issuer = \"https://acme.example\"\n{URL}"),
        ),
        ("oauth2.scopes.user_param", format!("scopes.user_param = \"user_scope\"\n{URL}")),
        ("oauth2.client", format!("client = \"somebody\"\n{URL}")),
        (
            "oauth2.labels.client_id.title",
            format!("client = \"connection\"\nlabels.client_id.title = \"\"\n{URL}"),
        ),
        (
            "oauth2.labels.client_secret.optional",
            format!("client = \"connection\"\nlabels.client_secret.optional = true\n{URL}"),
        ),
        ("oauth2.labels.secret", format!("labels.secret = {{}}\n{URL}")),
        ("identity.source", format!("{URL}\n[identity]\nid = \"sub\"")),
        ("oauth2.typed", format!("typed = true\n{URL}")),
    ] {
        let text = file(&lines);
        let found = check("acme.toml", &text);
        let named = found.iter().any(|one| one.key == key && one.severity == Severity::Error);
        assert!(named, "{lines}: {key}: {found:?}");
        assert!(Provider::parse("acme.toml", &text).is_err());
    }
    let code = file(&format!(
        "client = \"connection\"\nendpoints.authorize_url = \"https://acme.example/a\"\n{URL}"
    ));
    let code = code.replace("client_credentials", "authorization_code");
    assert_eq!(
        check("acme.toml", &code).iter().map(|one| one.key.as_str()).collect::<Vec<_>>(),
        ["oauth2.client"]
    );
}
