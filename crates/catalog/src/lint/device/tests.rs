use crate::{Kind, Pkce, Provider, lint::check};

fn file(lines: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
         [oauth2]\ngrant = \"device_code\"\n{lines}"
    )
}

const URLS: &str =
    "endpoints.token_url = \"https://acme.example/t\"\nendpoints.device_url = \"https://acme.example/d\"";

/// No challenge goes without saying.
#[test]
fn sound_files_have_no_findings() {
    for lines in [
        URLS.to_owned(),
        format!("client_auth = \"none\"\nauthorize.params.audience = \"x\"\n{URLS}"),
        "endpoints.source = \"integration\"".to_owned(),
        "endpoints.source = \"issuer\"\n[identity]\nsource = \"userinfo\"\nid = \"sub\"".to_owned(),
    ] {
        let text = file(&lines);
        assert_eq!(check("acme.toml", &text), [], "{lines}");
        let provider = Provider::parse("acme.toml", &text).expect("a provider");
        assert_eq!(provider.kind(), Kind::DeviceCode);
        assert!(!provider.kind().has_callback());
        assert_eq!(provider.oauth2().expect("OAuth 2").pkce, Pkce::Unsupported);
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let no_device = "endpoints.token_url = \"https://acme.example/t\"";
    for (lines, key) in [
        (no_device.to_owned(), "oauth2.endpoints.device_url"),
        (
            format!("endpoints.authorize_url = \"https://acme.example/a\"\n{URLS}"),
            "oauth2.endpoints.authorize_url",
        ),
        (format!("pkce = \"S256\"\n{URLS}"), "oauth2.pkce"),
        (
            format!("callback.iss_required = true\nendpoints.issuer = \"https://acme.example\"\n{URLS}"),
            "oauth2.callback",
        ),
        (format!("token.resend_state = true\n{URLS}"), "oauth2.token.resend_state"),
        (format!("refresh.with = \"client\"\n{URLS}"), "oauth2.refresh.with"),
        (format!("authorize.omit = [\"scope\"]\n{URLS}"), "oauth2.authorize.omit"),
        (format!("authorize.nonce_param = \"nonce\"\n{URLS}"), "oauth2.authorize.nonce_param"),
        (format!("authorize.raw = [\"scope\"]\n{URLS}"), "oauth2.authorize.raw"),
        (format!("authorize.param_names.client_id = \"key\"\n{URLS}"), "oauth2.authorize.param_names"),
        (format!("scopes.grown_params.more = \"1\"\n{URLS}"), "oauth2.scopes.grown_params"),
    ] {
        let found = check("acme.toml", &file(&lines));
        assert!(found.iter().any(|it| it.severity.is_error() && it.key == key), "{lines}: {found:?}");
    }
    let code = file(&format!("endpoints.authorize_url = \"https://acme.example/a\"\n{URLS}"))
        .replace("device_code", "authorization_code");
    let found = check("acme.toml", &code);
    assert!(found.iter().any(|it| it.key == "oauth2.endpoints.device_url"), "{found:?}");
}
