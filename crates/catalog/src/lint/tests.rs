use super::*;

const FINE: &str = r#"
key = "acme"
name = "Acme"
docs = "https://acme.example/docs"
[oauth2.endpoints]
authorize_url = "https://acme.example/authorize"
token_url = "https://acme.example/token"
[api]
base_url = "https://api.acme.example"
"#;

/// The file with some lines put before the first table, and some at its end.
fn file(head: &str, tail: &str) -> String {
    format!("{}\n{tail}", FINE.replacen("[oauth2.endpoints]", &format!("{head}\n[oauth2.endpoints]"), 1))
}

fn errors(text: &str) -> Vec<String> {
    let findings = check("acme.toml", text).into_iter().filter(|finding| finding.severity.is_error());
    findings.map(|finding| finding.to_string()).collect()
}

#[test]
fn a_sound_file_has_no_findings() {
    assert_eq!(check("acme.toml", FINE), []);
}

/// Each fault is found at its key, and keeps the file out of the catalog.
#[test]
fn faults_are_named_with_file_and_key() {
    let input = |rest: &str| format!("[[inputs]]\nkey = \"sub\"\ntitle = \"Sub\"\n{rest}");
    for (key, head, tail) in [
        ("bogus", "bogus = 1", ""),
        ("oauth2.pkce", "[oauth2]\npkce = \"plain\"", ""),
        ("oauth2.lifetime", "[oauth2]\nlifetime = 0", ""),
        ("oauth2.lifetime", "[oauth2]\nlifetime = \"long\"", ""),
        ("oauth2.client_auth", "[oauth2]\nclient_auth = \"magic\"", ""),
        ("oauth2.scopes.separator", "", "[oauth2.scopes]\nseparator = \"\""),
        ("oauth2.scopes.separator", "", "[oauth2.scopes]\nseparator = \"and\""),
        ("oauth2.scopes.default", "", "[oauth2.scopes]\ndefault = [\"a b\"]"),
        ("oauth2.token.formt", "", "[oauth2.token]\nformt = \"json\""),
        ("oauth2.token.format", "", "[oauth2.token]\nformat = \"xml\""),
        ("oauth2.token.headers.Bad Name", "", "[oauth2.token.headers]\n\"Bad Name\" = \"x\""),
        ("oauth2.token.numbers", "", "[oauth2.token]\nparams = { n = \"1\" }\nnumbers = [\"n\"]"),
        ("oauth2.token.numbers", "", "[oauth2.token]\nformat = \"json\"\nnumbers = [\"n\"]"),
        (
            "oauth2.token.numbers",
            "",
            "[oauth2.token]\nformat = \"json\"\nparams = { n = \"1h\" }\nnumbers = [\"n\"]",
        ),
        ("oauth2.authorize.params.x", "", "[oauth2.authorize.params]\nx = \"{nothing}\""),
        ("oauth2.authorize.params.state", "", "[oauth2.authorize.params]\nstate = \"x\""),
        ("oauth2.authorize.omit", "", "[oauth2.authorize]\nomit = [\"state\"]"),
        ("oauth2.refresh.url", "", "[oauth2.refresh]\nurl = \"https://acme.example/r\""),
        ("oauth2.upgrade.url", "", "[oauth2.upgrade]\nwith = \"access_token\""),
        ("oauth2.callback.iss_required", "", "[oauth2.callback]\niss_required = true"),
        ("oauth2.revoke.url", "", "[oauth2.revoke]\nurl = \"http://acme.example/revoke\""),
        ("oauth2.revoke.body", "", "[oauth2.revoke]\nurl = \"https://acme.example/revoke\"\nbody = \"null\""),
        (
            "oauth2.revoke.body",
            "",
            "[oauth2.revoke]\nurl = \"https://acme.example/revoke\"\nformat = \"json\"\nparams = { a = \"b\" }\nbody = \"null\"",
        ),
        (
            "identity.call.body",
            "",
            "[identity]\nsource = \"call\"\nid = \"id\"\ncall = { url = \"/me\", format = \"json\", body = \"null\" }",
        ),
        (
            "identity.call.body",
            "",
            "[identity]\nsource = \"call\"\nid = \"id\"\ncall = { url = \"/me\", method = \"POST\", format = \"json\", body = \"\" }",
        ),
        ("oauth1", "[oauth1]", ""),
        ("api_key", "[api_key]", ""),
        ("api.place.format", "", "[api.place]\nformat = \"Bearer\""),
        ("identity.call", "", "[identity]\nsource = \"call\"\nid = \"id\""),
        ("identity", "", "[identity]\nsource = \"userinfo\""),
        ("verify.calls", "", "[verify]\ncalls = []"),
        ("rate_limit.statuses", "", "[rate_limit]\nstatuses = [200]"),
        ("inputs[0].pattern", "", &input("pattern = \"[a-z]+\"")),
        ("inputs[0].pattern", "", &input("pattern = \"^[a-z$\"")),
        ("inputs[0].default", "", &input("pattern = \"^[a-z]+$\"\ndefault = \"A\"")),
        ("inputs[0]", "", "[[inputs]]\nkey = \"token\"\ntitle = \"T\"\npattern = \"^x$\""),
        ("inputs[1]", "", &format!("{0}\n{0}", input("pattern = \"^[a-z]+$\""))),
    ] {
        let text = file(head, tail);
        let found = errors(&text);
        assert!(
            found.iter().any(|line| line.starts_with(&format!("acme.toml: {key}: "))),
            "{key}: {found:?}"
        );
        let refused = Provider::parse("acme.toml", &text).expect_err(key);
        assert_eq!(refused.file, "acme.toml");
    }
}

#[test]
fn urls_must_be_https_and_hosts_need_patterns() {
    for (from, to) in [
        ("https://acme.example/token", "http://acme.example/token"),
        ("https://acme.example/token", "http://127.0.0.1@acme.example/token"),
        ("https://acme.example/token", "http://127.0.0.1.acme.example/token"),
        ("https://acme.example/token", "http://{sub}/token"),
        ("https://acme.example/token", "https://u:p@acme.example/token"),
        ("https://acme.example/token", "https://acme.example/token#x"),
        ("https://acme.example/token", "https://{sub}.acme.example/token"),
        ("https://acme.example/token", "https://{token}.example/token"),
        ("https://acme.example/token", "https://acme.example/{ token }"),
        ("https://acme.example/token", "acme.example/token"),
        ("https://api.acme.example", "https://api.acme.example?x=1"),
        ("https://acme.example/docs", "http://acme.example/docs"),
    ] {
        assert!(!errors(&FINE.replacen(from, to, 1)).is_empty(), "{to}");
    }
    let local = FINE.replacen("https://acme.example/token", "http://127.0.0.1:8082/token", 1);
    assert_eq!(errors(&local), [""; 0], "for trying a file on this machine");
    let saved = "[oauth2.answer.save.sub]\npath = \"sub\"";
    let text = FINE.replacen("https://api.acme", "https://{sub}.acme", 1);
    assert!(
        !errors(&format!("{text}\n{saved}")).is_empty(),
        "a saved value without a pattern decides the host"
    );
    assert_eq!(errors(&format!("{text}\n{saved}\npattern = \"^[a-z]+$\"")), Vec::<String>::new());
}

/// Before the identity is known, nothing can be called that needs what it tells.
#[test]
fn calls_need_nothing_that_only_the_identity_tells() {
    let api = FINE.replacen("https://api.acme", "https://{site}.acme", 1);
    let saved = "path = \"site\"\npattern = \"^[a-z]+$\"";
    let identity = "[identity]\nsource = \"call\"\nid = \"id\"\ncall = { url = \"https://acme.example/me\" }";
    let identity_saves = format!("{api}\n{identity}\n[identity.save.site]\n{saved}");
    let verify = |call: &str| format!("[verify]\ncalls = [{{ {call} }}]");
    for call in [
        "url = \"/me\"",
        "url = \"https://{site}.acme.example/me\"",
        "url = \"https://acme.example/me\", params = { site = \"{site}\" }",
        "url = \"https://acme.example/me\", headers = { x-site = \"{site}\" }",
    ] {
        let found = errors(&format!("{identity_saves}\n{}", verify(call)));
        assert!(
            found
                .iter()
                .any(|line| line.starts_with("acme.toml: verify.calls[0].url: error: needs `{site}`")),
            "{found:?}"
        );
        let sooner = format!("{api}\n[oauth2.answer.save.site]\n{saved}\n{}", verify(call));
        assert_eq!(errors(&sooner), [""; 0], "told with the tokens");
        let defaulted = format!("{identity_saves}\ndefault = \"home\"\n{}", verify(call));
        assert_eq!(errors(&defaulted), [""; 0]);
    }
    let own = identity_saves.replacen("https://acme.example/me", "/me", 1);
    assert!(errors(&own).iter().any(|line| line.starts_with("acme.toml: identity.call.url: error: needs")));
    let whole = format!("{identity_saves}\n{}", verify("url = \"https://acme.example/me\""));
    assert_eq!(errors(&whole), [""; 0]);
}

#[test]
fn broken_toml_and_double_keys_are_findings() {
    for text in ["key = ", "key = \"a\"\nkey = \"b\"", "", "[oauth2", "\u{0}"] {
        assert_eq!(check("acme.toml", text).len(), 1, "{text:?}");
    }
    assert!(!check("other.toml", FINE).is_empty(), "the file's name is the key");
}

#[test]
fn a_loose_pattern_is_a_warning() {
    let text = file("", "[[inputs]]\nkey = \"host\"\ntitle = \"Host\"\npattern = \"^.+$\"");
    let findings = check("acme.toml", &text);
    assert_eq!(findings.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Warning]);
    assert!(Provider::parse("acme.toml", &text).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(key|name|\\[|\\]|=|\"|\\n|oauth2|[a-z{}.^$]| ){0,40}") {
        let _ = check("x.toml", &text);
    }
}
