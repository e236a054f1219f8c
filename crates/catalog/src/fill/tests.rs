use super::*;

const FILE: &str = r#"
key = "acme"
name = "Acme"
docs = "https://acme.example/docs"

[[inputs]]
key = "subdomain"
title = "Subdomain"
pattern = "^[a-z0-9-]{1,63}$"

[[inputs]]
key = "region"
title = "Region"
pattern = "^(eu|us)$"
default = "eu"

[[inputs]]
key = "app_key"
title = "App key"
pattern = "^[a-z0-9]+$"
asked_of = "operator"

[oauth2.endpoints]
authorize_url = "https://{subdomain}.acme.example/authorize"
token_url = "{accounts}/token"
introspect_url = "https://{subdomain}.acme.example/introspect"

[oauth2.callback.save.accounts]
param = "accounts-server"
pattern = "^https://accounts\\.acme\\.(example|test)$"
default = "https://accounts.acme.example"

[oauth2.authorize.params]
resource = "https://{subdomain}.acme.example"
hint = "{app_key}"
app = "{client_id}"

[oauth2.answer.save.instance]
path = "instance_url"
pattern = "^https://[a-z0-9-]+\\.acme\\.example$"

[api]
base_url = "{instance}/api"
allowed_hosts = ["files.{region}.acme.example"]
headers = { "X-Client" = "{client_id}", "X-Key" = "{app_key}", "X-Token" = "{token}" }
"#;

fn provider() -> Provider {
    Provider::parse("acme.toml", FILE).expect("a provider")
}

fn given(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Quirks 14, 31, 50, 52: hosts from inputs, the callback and the token answer.
#[test]
fn everything_is_filled_that_can_be() {
    let values =
        given(&[("subdomain", "shop"), ("region", "us"), ("client_id", "cid"), ("stranger", "@evil")]);
    let filled = provider().filled(&values).expect("filled");
    let oauth2 = filled.oauth2().expect("oauth2");
    assert_eq!(oauth2.endpoints.authorize_url.as_deref(), Some("https://shop.acme.example/authorize"));
    assert_eq!(oauth2.endpoints.token_url.as_deref(), Some("https://accounts.acme.example/token"));
    assert_eq!(oauth2.endpoints.introspect_url.as_deref(), Some("https://shop.acme.example/introspect"));
    let params = given(&[("resource", "https://shop.acme.example"), ("app", "{client_id}")]);
    assert_eq!(oauth2.authorize.params, params, "the client's id is filled with the request");
    assert_eq!(filled.api.base_url.as_deref(), Some("{instance}/api"), "not known yet");
    assert_eq!(filled.api.allowed_hosts, ["files.us.acme.example"]);
    assert_eq!(filled.api.headers, given(&[("X-Client", "cid"), ("X-Token", "{token}")]));

    let later =
        given(&[("instance", "https://eu7.acme.example"), ("accounts", "https://accounts.acme.test")]);
    let filled = provider().filled(&later).expect("filled");
    assert_eq!(filled.api.base_url.as_deref(), Some("https://eu7.acme.example/api"));
    let oauth2 = filled.oauth2().expect("oauth2");
    assert_eq!(oauth2.endpoints.token_url.as_deref(), Some("https://accounts.acme.test/token"));
}

#[test]
fn a_value_its_pattern_does_not_admit_stops_everything() {
    for (name, value) in [
        ("subdomain", "user@evil"),
        ("subdomain", "a.b"),
        ("subdomain", "evil.com/"),
        ("subdomain", "a\n"),
        ("subdomain", "\u{430}"),
        ("region", "eu.evil"),
        ("accounts", "https://accounts.acme.example@evil"),
        ("accounts", "https://accounts.acme.example.evil"),
        ("instance", "https://evil.example"),
    ] {
        let refused = Err(TemplateError::Refused(name.to_owned()));
        assert_eq!(provider().values(&given(&[(name, value)])), refused, "{value:?}");
        assert!(provider().filled(&given(&[(name, value)])).is_err(), "{value:?}");
        assert!(provider().expand("https://x.example/", &given(&[(name, value)])).is_err(), "{value:?}");
    }
}

#[test]
fn only_the_users_own_inputs_are_asked_for() {
    let provider = provider();
    let missing: Vec<&str> =
        provider.missing_inputs(&Values::new()).into_iter().map(|input| input.key.as_str()).collect();
    assert_eq!(missing, ["subdomain"]);
    assert!(provider.missing_inputs(&given(&[("subdomain", "x")])).is_empty());
    assert_eq!(provider.missing_inputs(&given(&[("subdomain", "")])).len(), 1);
}

const OPTIONAL: &str = r#"
key = "acme"
name = "Acme"

[[inputs]]
key = "subdomain"
title = "Subdomain"
pattern = "^[a-z]+$"

[[inputs]]
key = "team"
title = "Team"
pattern = "^[a-z]+$"
required = false

[[inputs]]
key = "region"
title = "Region"
pattern = "^[a-z]+$"
default = "eu"

[[inputs]]
key = "app_key"
title = "App key"
pattern = "^[a-z]+$"
asked_of = "operator"

[[inputs]]
key = "app_hint"
title = "Hint"
pattern = "^[a-z]+$"
asked_of = "operator"
required = false

[oauth2.endpoints]
authorize_url = "https://{subdomain}.acme.example/authorize"
token_url = "https://{subdomain}.acme.example/token"
"#;

fn keys(inputs: Vec<&crate::Input>) -> Vec<&str> {
    inputs.into_iter().map(|input| input.key.as_str()).collect()
}

#[test]
fn optional_inputs_are_asked_beside_others_and_never_by_themselves() {
    let provider = Provider::parse("acme.toml", OPTIONAL).expect("a provider");
    let none = Values::new();
    assert_eq!(keys(provider.missing_inputs(&none)), ["subdomain"]);
    assert_eq!(keys(provider.page_inputs(&none)), ["subdomain", "team", "region"]);
    let needed: Vec<bool> = provider.page_inputs(&none).into_iter().map(crate::Input::is_needed).collect();
    assert_eq!(needed, [true, false, false]);
    let some = given(&[("subdomain", "shop"), ("region", ""), ("team", "blue")]);
    assert!(provider.missing_inputs(&some).is_empty());
    assert_eq!(keys(provider.page_inputs(&some)), ["region"]);
}

#[test]
fn what_only_the_operator_can_give_is_known() {
    let provider = Provider::parse("acme.toml", OPTIONAL).expect("a provider");
    assert_eq!(keys(provider.missing_settings(&Values::new())), ["app_key"]);
    assert_eq!(keys(provider.missing_settings(&given(&[("app_key", "")]))), ["app_key"]);
    assert!(provider.missing_settings(&given(&[("app_key", "k")])).is_empty());
}

#[test]
fn a_provider_whose_endpoints_a_value_chooses_is_known() {
    let chosen = |authorize: &str, token: &str| {
        let text = OPTIONAL
            .replace("https://{subdomain}.acme.example/authorize", authorize)
            .replace("https://{subdomain}.acme.example/token", token);
        Provider::parse("acme.toml", &text).expect("a provider").endpoints_are_chosen()
    };
    let fixed = "https://{subdomain}.acme.example/x";
    assert!(!chosen(fixed, fixed));
    assert!(chosen("https://{subdomain}/x", fixed));
    assert!(chosen(fixed, "https://{subdomain}/x"));
}
