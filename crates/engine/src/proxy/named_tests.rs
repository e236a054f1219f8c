use claviger_catalog::Api;
use proptest::prelude::*;

use super::*;
use crate::error::Error;

fn read(base: &str, hosts: &[&str], text: &str) -> Option<String> {
    let api = Api { base_url: Some(base.to_owned()), ..Api::default() };
    let hosts = || Ok(hosts.iter().map(|host| (*host).to_owned()).collect());
    match Base::of(&api).and_then(|base| with_hosts(&base, hosts, text)) {
        Ok(uri) => Some(uri.to_string()),
        Err(Error::TargetNotAllowed { .. }) => None,
        Err(other) => panic!("{text}: {other}"),
    }
}

const BASE: &str = "https://api.test/v1";

#[test]
fn a_relative_url_is_written_behind_the_base() {
    for (text, want) in [
        ("/files?pageSize=10", "/files?pageSize=10"),
        ("files?pageSize=10", "/files?pageSize=10"),
        ("/", "/"),
        ("?a=b", "/?a=b"),
        ("people:batchGet?x", "/people:batchGet?x"),
        ("/a//b/", "/a//b/"),
        ("/a%2Fb?x=%20+%20&&y[]=1", "/a%2Fb?x=%20+%20&&y[]=1"),
        ("/x?u=https://evil.test/../y", "/x?u=https://evil.test/../y"),
        ("/https://evil.test/x", "/https://evil.test/x"),
        ("@evil.test/x", "/@evil.test/x"),
        (".evil.test/x", "/.evil.test/x"),
        (":80/x", "/:80/x"),
        ("javascript:alert(1)", "/javascript:alert(1)"),
        ("data:text/html,x", "/data:text/html,x"),
        ("mailto:a@b.test", "/mailto:a@b.test"),
        ("1http://evil.test/x", "/1http://evil.test/x"),
    ] {
        for base in [BASE, "https://api.test/v1/"] {
            assert_eq!(read(base, &[], text).as_deref(), Some(format!("{BASE}{want}").as_str()), "{text}");
        }
    }
}

#[test]
fn what_is_neither_relative_nor_whole_is_refused() {
    for text in [
        "",
        "//evil.test/x",
        "///evil.test/x",
        "//api.test/v1/x",
        "/\\evil.test",
        "\\\\evil.test\\x",
        "\\/evil.test",
        "https:/evil.test/x",
        "https:evil.test",
        "https:\\\\evil.test",
        "HTTPS:/api.test/v1/x",
        "http:api.test/v1/x",
        "https:",
        "https:///x",
        "https://",
        "https://?x",
        "ws:x",
        "wss://api.test/v1/x",
        "ftp://api.test/v1/x",
        "file:///etc/passwd",
        "javascript://api.test/v1/%0aalert(1)",
        "gopher://127.0.0.1:6379/_x",
        "x+y-z.1://api.test/v1",
        "/x#y",
        "#",
        "/x y",
        " /x",
        "/x\ty",
        "/x\r\nHost: evil.test",
        "\thttps://evil.test/x",
        "ht\ntps://evil.test/x",
        "/\u{e9}",
        "/x?q=\u{ff0e}",
        "/x\0",
        "/../x",
        "..",
        "/a/%2e%2e/b",
        "..%2fx",
        "..;/x",
    ] {
        assert_eq!(read(BASE, &["evil.test"], text), None, "{text:?}");
    }
}

#[test]
fn a_whole_url_is_sent_to_the_bases_host_below_its_path() {
    for text in [
        "https://api.test/v1",
        "https://api.test/v1?x",
        "https://api.test/v1/",
        "https://api.test/v1/a%2Fb?x=%20&y=@z",
        "https://api.test:443/v1/x",
    ] {
        assert_eq!(read(BASE, &[], text).as_deref(), Some(text));
    }
    assert_eq!(read("https://api.test", &[], "https://api.test").as_deref(), Some("https://api.test/"));
    assert_eq!(read("https://api.test/", &[], "https://api.test?x").as_deref(), Some("https://api.test/?x"));
    assert_eq!(
        read("https://API.test:8443/v1", &[], "https://api.test:8443/v1/x").as_deref(),
        Some("https://api.test:8443/v1/x")
    );
}

#[test]
fn no_other_host_is_the_bases_however_it_is_spelled() {
    for text in [
        // elsewhere on the host
        "https://api.test",
        "https://api.test/",
        "https://api.test/v",
        "https://api.test/v10/x",
        "https://api.test/V1/x",
        "https://api.test/v2/x",
        "https://api.test//v1/x",
        "https://api.test/%76%31/x",
        "https://api.test/v1/../v2",
        "https://api.test/v1/%2e%2e/v2",
        "https://api.test/v1/..%2fv2",
        "https://api.test/v1;x/y",
        "https://api.test/v1\\..\\v2",
        "https://api.test/?/v1/x",
        // ports and schemes
        "http://api.test/v1/x",
        "HTTPS://api.test/v1/x",
        "https://api.test:444/v1/x",
        "https://api.test:80/v1/x",
        "https://api.test:/v1/x",
        "https://api.test:0443/v1/x#",
        "https://api.test:443443/v1/x",
        "https://api.test:+443/v1/x",
        // spellings
        "https://API.test/v1/x",
        "https://api.test./v1/x",
        "https://api%2etest/v1/x",
        "https://%61pi.test/v1/x",
        "https://\u{430}pi.test/v1/x",
        "https://api\u{3002}test/v1/x",
        "https://api.test\\@evil.test/v1/x",
        "https://api.test\\.evil.test/v1/x",
        // user information
        "https://user@api.test/v1/x",
        "https://user:pw@api.test/v1/x",
        "https://@api.test/v1/x",
        "https://api.test@evil.test/v1/x",
        "https://api.test:443@evil.test/v1/x",
        "https://api.test%2f@evil.test/v1/x",
        "https://api.test#@evil.test/v1/x",
        "https://api.test?@evil.test/v1/x",
        // others
        "https://evil.test/v1/x",
        "https://api.test.evil.test/v1/x",
        "https://xapi.test/v1/x",
        "https://.api.test/v1/x",
        "https://sub.api.test/v1/x",
        "https://api.test /v1/x",
        "https:// api.test/v1/x",
        "https://api.test\t/v1/x",
        "https://api.test,evil.test/v1/x",
        "https://[::1]/v1/x",
    ] {
        assert_eq!(read(BASE, &["files.test"], text), None, "{text}");
    }
}

#[test]
fn an_allowed_host_takes_any_path_at_its_own_port() {
    let hosts = ["files.test", "hooks.test:8443", "xn--bcher-kva.test", "a_b.test"];
    for text in [
        "https://files.test/",
        "https://files.test/any/%2Fpath?x=y",
        "https://files.test:443/x",
        "https://hooks.test:8443/x",
        "https://xn--bcher-kva.test/x",
        "https://a_b.test/x",
    ] {
        assert_eq!(read(BASE, &hosts, text).as_deref(), Some(text));
    }
    for text in [
        "http://files.test/x",
        "https://files.test:8443/x",
        "https://hooks.test/x",
        "https://hooks.test:443/x",
        "https://FILES.test/x",
        "https://files.test./x",
        "https://a.files.test/x",
        "https://files.test.evil.test/x",
        "https://u@files.test/x",
        "https://b\u{fc}cher.test/x",
        "https://files.test/../x",
        "https://files.test/a\\b",
        "https://files.test/%00",
    ] {
        assert_eq!(read(BASE, &hosts, text), None, "{text}");
    }
}

/// Addresses are judged by `outbound`; what is an unusual spelling of one is not even read, wherever it stands.
#[test]
fn an_unusual_spelling_of_an_address_is_not_read() {
    for host in [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0x7f.1",
        "[fe80::1%25eth0]",
        "[::ffff:127.0.0.1.]",
        "127.0.0.1%2f",
    ] {
        let (base, url) = (format!("https://{host}/v1"), format!("https://{host}/v1/x"));
        assert_eq!(read(BASE, &[host], &url), None, "{host} in a URL and among the hosts");
        assert_eq!(read(&base, &[], &url), None, "{host} in a base");
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let local = "http://127.0.0.1:9/api";
    for text in ["http://127.0.0.1:9/api/x", "http://127.0.0.1:10/y", "http://localhost:10/y"] {
        assert_eq!(read(local, &["127.0.0.1:10", "localhost:10"], text).as_deref(), Some(text));
    }
    for (base, text) in [
        (local, "http://127.0.0.1/api/x"),
        (local, "http://127.0.0.1:9/x"),
        (local, "http://files.test/x"),
        ("https://127.0.0.1:9/api", "http://127.0.0.1:10/x"),
        ("http://api.test/v1", "http://api.test/v1/x"),
    ] {
        assert_eq!(read(base, &["files.test", "127.0.0.1:10"], text), None, "{text} with {base}");
    }
}

#[test]
fn a_url_is_logged_without_query_and_user() {
    for (text, want) in [
        ("/files?key=canary", "/files"),
        ("files#canary", "files"),
        ("https://user:canary@api.test/x?canary", "https://api.test/x"),
        ("https://canary@b@api.test\\x", "https://api.test\\x"),
        ("https://api.test/@me", "https://api.test/@me"),
        ("a\r\nb", "ab"),
    ] {
        assert_eq!(shown(text), want);
    }
}

/// Bits of URLs, likely to be taken for more than data by somebody.
fn bits() -> impl Strategy<Value = String> {
    let bit = prop::sample::select(vec![
        "https://",
        "http://",
        "https:",
        "//",
        "/",
        "\\",
        "api.test",
        "evil.test",
        "files.test",
        "/v1",
        "@",
        ":",
        ":443",
        "?",
        "#",
        ".",
        "..",
        "%2e",
        "%2f",
        "%5c",
        "%00",
        "\t",
        "\n",
        " ",
        "x",
        "API.test",
        "\u{3002}",
        ";",
        "127.0.0.1",
        "[::1]",
        "0x7f.1",
        "data:",
    ]);
    prop::collection::vec(bit, 0..9).prop_map(|bits| bits.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// However a browser reads the URL that is sent, it is below the base or on the host that is allowed.
    #[test]
    fn nothing_leads_anywhere_else(text in bits()) {
        let Some(sent) = read(BASE, &["files.test"], &text) else { return Ok(()) };
        let url = url::Url::parse(&sent).unwrap();
        prop_assert_eq!((url.scheme(), url.port_or_known_default()), ("https", Some(443)));
        prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        let below = url.path() == "/v1" || url.path().starts_with("/v1/");
        prop_assert!(url.host_str() == Some("api.test") && below || url.host_str() == Some("files.test"), "{}", sent);
        prop_assert!(sent.ends_with(&text) || sent == format!("{text}/") || text.contains("test?"), "{} of {}", sent, text);
    }

    #[test]
    fn no_text_panics(base in any::<String>(), text in any::<String>()) {
        let _either_way = read(&base, &[&text], &text);
    }
}
