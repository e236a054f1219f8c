use proptest::prelude::*;

use super::*;

const BASES: [&str; 6] = [
    "https://api.test",
    "https://api.test/",
    "https://api.test/v1",
    "https://api.test:8443/deep/er/",
    "https://[2606:4700::1]/v1",
    "http://127.0.0.1:9/api",
];

fn at(base: &str, method: &str, target: &str, version: Version) -> Result<String> {
    let uri: Uri = target.parse().map_err(|_| refuse("unparsed"))?;
    let request = Request::builder().method(method).uri(uri).version(version).body(()).unwrap();
    let api = Api { base_url: Some(base.to_owned()), ..Api::default() };
    Base::of(&api)?.join(&request).map(|uri| uri.to_string())
}

fn get(base: &str, target: &str) -> Option<String> {
    match at(base, "GET", target, Version::HTTP_11) {
        Ok(url) => Some(url),
        Err(Error::TargetNotAllowed { .. }) => None,
        Err(other) => panic!("{target}: {other}"),
    }
}

#[test]
fn path_and_query_are_kept_byte_for_byte() {
    for target in [
        "/",
        "/user/repos",
        "/a//b",
        "//evil.test/x",
        "///x",
        "/%2e%2ex",
        "/a%2Fb",
        "/a%252Fb",
        "/projects/g%2Fp/x",
        "/...",
        "/.well-known/x",
        "/..x",
        "/x..",
        "/a.b",
        "/a;b=..",
        "/@evil.test",
        "/:80",
        "/a%5cb",
        "/http://evil.test/",
        "/%F0%9F%98%80",
        "/?",
        "/??",
        "/?a=1&a=2&&b",
        "/?x=../../y",
        "/?u=http://evil.test/%2e%2e/",
        "/x?%0d%0aHost:%20evil",
        "/x?y=\\",
        "/%",
        "/%zz",
        "/%2",
        "/x?a=%20+%20",
        "/a%20b",
        "/~x",
        "/*",
        "/,;:=@$!'()",
    ] {
        assert_eq!(
            get("https://api.test", target).as_deref(),
            Some(format!("https://api.test{target}").as_str())
        );
        assert_eq!(
            get("https://api.test/v1/", target).as_deref(),
            Some(format!("https://api.test/v1{target}").as_str())
        );
    }
}

#[test]
fn what_could_leave_the_base_is_refused() {
    let mut targets = vec![
        // other forms of a target
        "http://evil.test/",
        "https://api.test/",
        "evil.test:443",
        "*",
        "",
        // backslashes and control bytes
        "/\\evil.test",
        "/a\\b",
        "/a\\..\\b",
        "/%00",
        "/a%0d%0ab",
        "/%250a",
        "/%7f",
        "/a%1fb",
        // parameters that some servers cut off
        "/..;/x",
        "/..;a=b/x",
        "/%2e%2e;/x",
        "/.;/x",
        "/..%3b/x",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    for dots in [
        ".",
        "..",
        "%2e",
        "%2E",
        "%2e%2e",
        ".%2e",
        "%2e.",
        "%252e%252e",
        "%25%32%65.",
        ".%252e",
        "%25252e%25252e",
    ] {
        for around in [
            "/{}",
            "/{}/x",
            "/a/{}/b",
            "/a/{}",
            "//{}//",
            "/a%2f{}",
            "/a%2F{}%2fb",
            "/a%5c{}",
            "/{}%5Cb",
            "/a%252f{}",
            "/{}%255cb",
            "/{}?q",
        ] {
            targets.push(around.replace("{}", dots));
        }
    }
    for target in &targets {
        for base in BASES {
            assert_eq!(get(base, target), None, "{target}");
        }
    }
    assert!(at("https://api.test", "CONNECT", "api.test:443", Version::HTTP_11).is_err());
    assert!(at("https://api.test", "CONNECT", "/x", Version::HTTP_11).is_err());
}

#[test]
fn the_host_that_http_2_names_is_ours_and_says_nothing() {
    // A query without a path is no target of a request, though its path reads as a slash.
    assert!(at("https://api.test", "GET", "https://proxy.ours.test?y", Version::HTTP_2).is_err());
    let url = at("https://api.test/v1", "GET", "https://proxy.ours.test/x?y", Version::HTTP_2).unwrap();
    assert_eq!(url, "https://api.test/v1/x?y");
}

/// HTTP/2 may bring a path that has nothing but a fragment, which nobody sends on.
#[test]
fn a_path_that_has_nothing_is_the_root() {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(PathAndQuery::try_from("#x").unwrap());
    let nothing = Uri::from_parts(parts).unwrap();
    for (base, want) in
        [("https://api.test", "https://api.test/"), ("https://api.test/v1", "https://api.test/v1/")]
    {
        let api = Api { base_url: Some(base.to_owned()), ..Api::default() };
        let joined = Base::of(&api).unwrap().under(&nothing).unwrap();
        assert_eq!(joined.to_string(), want);
        assert!(joined.path_and_query().is_some_and(|path| path.to_string().starts_with('/')));
        let mut parts = joined.into_parts();
        (parts.scheme, parts.authority) = (None, None);
        assert_eq!(Uri::from_parts(parts).unwrap().to_string(), want.trim_start_matches("https://api.test"));
    }
}

#[test]
fn a_base_that_is_not_one_is_refused() {
    for base in [
        "",
        "/",
        "api.test",
        "https://",
        "https:///x",
        "https://api.test?x",
        "https://api.test#x",
        "https://u:p@api.test",
        "https://u@api.test",
        "https://api.test/a/../b",
        "https://api.test/%2e%2e/b",
        "https://api.test/{token}",
        "https://api.test/v1//",
        "https://api.test\\x",
        "https://api test",
        "not a url",
    ] {
        assert_eq!(get(base, "/x"), None, "{base}");
    }
}

/// Bits that targets are made of, likely to be taken for more than data by somebody.
fn bits() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        Just("/"),
        Just("//"),
        Just("."),
        Just(".."),
        Just("%2e"),
        Just("%2E%2e"),
        Just("%252e"),
        Just("%2f"),
        Just("%252F"),
        Just("%5c"),
        Just("\\"),
        Just("@"),
        Just(":"),
        Just("?"),
        Just("#"),
        Just(";"),
        Just("%00"),
        Just("%0a"),
        Just("%"),
        Just("a"),
        Just("api.test"),
        Just("evil.test"),
        Just("http://"),
        Just("v1"),
        Just("[::1]"),
        Just("&x=y"),
    ]
    .prop_map(str::to_owned);
    prop_oneof![4 => prop::collection::vec(bit, 0..12).prop_map(|bits| bits.concat()), 1 => any::<String>()]
        .prop_map(|text| format!("/{text}"))
}

/// The path as the most willing server would read it: decoded until nothing changes, backslashes as slashes,
/// parameters cut off, dot segments resolved. `None` when it climbs out.
fn most_willing(path: &str) -> Option<Vec<String>> {
    let mut path = path.to_owned();
    loop {
        let next = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if next == path {
            break;
        }
        path = next;
    }
    let mut out: Vec<String> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(out.pop()?),
            name => out.push(name.to_owned()),
        }
    }
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn origin_and_base_prefix_never_change(base in prop::sample::select(&BASES[..]), target in bits()) {
        let Some(joined) = get(base, &target) else { return Ok(()) };
        let wanted = url::Url::parse(base).unwrap();
        let got = url::Url::parse(&joined).unwrap();
        prop_assert_eq!(got.origin(), wanted.origin());
        prop_assert!(got.username().is_empty() && got.password().is_none());
        let root = base.trim_end_matches('/');
        prop_assert!(joined.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')));
        let kept = target.split('#').next().unwrap_or_default();
        prop_assert_eq!(&joined[root.len()..], kept);
        let below = most_willing(wanted.path()).unwrap();
        let path = joined.strip_prefix(&wanted[..url::Position::BeforePath]).unwrap().split('?').next().unwrap();
        let read = most_willing(path);
        prop_assert!(read.is_some_and(|read| read.starts_with(&below)), "{}", joined);
    }

    #[test]
    fn no_input_panics(base in any::<String>(), target in bits(), method in "[A-Z]{1,8}") {
        let _either_way = at(&base, &method, &target, Version::HTTP_11);
        let _either_way = at("https://api.test", &method, &target, Version::HTTP_2);
    }
}
