use proptest::prelude::*;

use super::*;

fn with(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

/// What people try in order to move the host.
const HOSTILE: &[&str] = &[
    "user@evil",
    "evil.com/",
    "evil.com#",
    "evil.com?",
    "evil.com\\",
    "a\n",
    "a\r\nHost: x",
    "a\t",
    " a",
    "a b",
    "",
    ".",
    "..",
    "-a",
    "a-",
    "a..b",
    ".evil.com",
    "evil.com.",
    "evil:443",
    "a%2eb",
    "a%00",
    "\u{430}cme",
    "acme\u{3002}b",
    "[::1]",
    "{x}",
    "acme\u{200b}",
    "//evil",
    "@evil",
    "a,b",
    "a;b",
    "a&b",
];

#[test]
fn a_value_in_the_host_stays_in_its_label() {
    let template = "https://{sub}.example.com/api";
    assert_eq!(expand(template, &with("sub", "acme-1")), Ok("https://acme-1.example.com/api".to_owned()));
    for value in HOSTILE {
        assert!(expand(template, &with("sub", value)).is_err(), "{value:?}");
        assert!(expand_host("{sub}.example.com", &with("sub", value)).is_err(), "{value:?}");
    }
    assert_eq!(expand(template, &BTreeMap::new()), Err(TemplateError::Missing("sub".to_owned())));
}

#[test]
fn a_host_that_a_parser_reads_otherwise_is_refused() {
    for value in ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "xn--a"] {
        assert_eq!(expand("https://{host}/", &with("host", value)), Err(TemplateError::NotAUrl), "{value}");
    }
}

#[test]
fn who_owns_a_host_is_the_templates_to_say_or_a_values() {
    for template in [
        "https://api.example.com/{tenant}/token",
        "https://{sub}.example.com/token",
        "https://{sub}.{region}.example.com:8443/token",
        "https://login-{region}.example.com/token",
        "https://eu.{sub}.example.com",
        "https://{sub}.api.example.co.uk/",
        "https://{sub}.example.de/?q={x}",
        "https://example.com/?next=https://{sub}",
    ] {
        assert!(!chooses_host(template), "{template}");
    }
    for template in [
        "{base}/token",
        "https://{host}/token",
        "https://{host}",
        "https://{host}:8443/token",
        "https://login.{host}/token",
        "https://{name}.com/token",
        "https://{name}.co.uk/token",
        "https://{name}example.com/token",
        "https://{name}example.com.{tld}/token",
        "https://{sub}.example.com.{tld}",
        "https://{sub}./token",
        "https://{sub}..com/token",
        "https://{host}?x=.example.com",
        "https://{host}#.example.com",
    ] {
        assert!(chooses_host(template), "{template}");
    }
}

#[test]
fn a_value_as_the_beginning_is_an_origin() {
    let template = "{base}/services";
    for (value, url) in [
        ("https://eu1.example.com", "https://eu1.example.com/services"),
        ("https://eu1.example.com/", "https://eu1.example.com/services"),
        ("https://example.com/rest", "https://example.com/rest/services"),
    ] {
        assert_eq!(expand(template, &with("base", value)).as_deref(), Ok(url));
    }
    for value in [
        "https://u@evil",
        "https://a\\b",
        "ftp://a",
        "//a",
        "a.com",
        "https://a?x",
        "https://a#x",
        "https://a/../b",
        "https://a\n",
        "javascript:x",
        "",
        "https://",
        "https:///x",
    ] {
        assert!(expand(template, &with("base", value)).is_err(), "{value:?}");
    }
    assert_eq!(expand("{base}.evil.com/", &with("base", "https://a")), Err(TemplateError::NotAUrl));
    assert_eq!(expand("{base}{base}", &with("base", "https://a")), Err(TemplateError::NotAUrl));
}

#[test]
fn values_in_path_and_query_are_encoded() {
    let got = expand("https://a.example/x/{v}/y?q={v}", &with("v", "a/b c&d=\u{e9}"));
    assert_eq!(got.as_deref(), Ok("https://a.example/x/a%2Fb%20c%26d%3D%C3%A9/y?q=a%2Fb%20c%26d%3D%C3%A9"));
    for value in ["", ".", ".."] {
        assert!(expand("https://a.example/{v}/y", &with("v", value)).is_err(), "{value:?}");
    }
    assert_eq!(expand("/me/{v}", &with("v", "1")).as_deref(), Ok("/me/1"));
}

#[test]
fn reserved_names_wait_for_the_request() {
    let template = "https://a.example/tokens/{token}?c={client_id}";
    assert_eq!(expand(template, &with("token", "leak")).as_deref(), Ok(template));
    assert!(expand("https://{token}.example/", &BTreeMap::new()).is_err());
    assert_eq!(expand_text("Bearer {token} {v}", &with("v", "1")).as_deref(), Ok("Bearer {token} 1"));
}

#[test]
fn texts_hold_no_control_characters_and_keep_other_braces() {
    assert_eq!(
        expand_text("{v}\r\nx", &with("v", "a")).as_deref(),
        Ok("a\r\nx"),
        "the file's own text is the linter's business"
    );
    assert!(expand_text("{v}", &with("v", "a\r\nX: y")).is_err());
    assert!(expand_text("{v}", &with("v", "{token}")).is_err(), "no value can ask for a token");
    assert_eq!(
        fill("{a} {b}{a}", |name| (name == "a" || name == "b").then_some("{b}")).as_deref(),
        Ok("{b} {b}{b}")
    );
    assert_eq!(expand_text("{ me { id } }", &BTreeMap::new()).as_deref(), Ok("{ me { id } }"));
    assert_eq!(names("{a}{ b }{C}{d_1}{"), ["a", "d_1"]);
}

proptest! {
    #[test]
    fn the_host_never_moves(value in ".*") {
        if let Ok(url) = expand("https://{sub}.example.com/api", &with("sub", &value)) {
            let url = Url::parse(&url).expect("a URL");
            assert!(url.host_str().is_some_and(|host| host.ends_with(".example.com")));
            assert!(url.username().is_empty() && url.port().is_none());
        }
    }

    #[test]
    fn a_path_value_never_leaves_its_segment(value in "[\\PC\\x00-\\x7f]{0,40}") {
        if let Ok(url) = expand("https://a.example/x/{v}/y", &with("v", &value)) {
            let url = Url::parse(&url).expect("a URL");
            assert_eq!(url.host_str(), Some("a.example"));
            assert_eq!(url.path_segments().map(Iterator::count), Some(3));
        }
    }

    #[test]
    fn no_template_panics(template in ".{0,60}", value in ".{0,20}") {
        let _ = expand(&template, &with("a", &value));
        let _ = expand_text(&template, &with("a", &value));
        let _ = names(&template);
    }
}
