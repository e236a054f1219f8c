//! Target joining: whatever a caller writes, the origin and the path that is allowed never change.

use claviger_catalog::Api;
use http::{Request, Uri, Version};

use super::{fuzz, print};
use crate::{
    error::{Error, Result},
    proxy::{named, target::Base},
};

/// Bases, without the slash that may stand at their end.
const BASES: [&str; 5] = [
    "https://api.test",
    "https://api.test/v1",
    "https://api.test:8443/deep/er",
    "https://[2606:4700::1]/v1",
    "http://127.0.0.1:9/api",
];
const HOST: &str = "files.test";

const WORDS: [&str; 40] = [
    "/",
    "//",
    "..",
    ".",
    "/../",
    "/./",
    "%2e",
    "%2E%2e",
    "%252e",
    "%2f",
    "%5c",
    "\\",
    ";",
    "..;/",
    "?",
    "#",
    "@",
    ":",
    "://",
    "https://api.test",
    "https://api.test/v1",
    "https://files.test",
    "http://",
    "evil.test",
    "api.test",
    "%00",
    "%0d%0a",
    "\t",
    "[::1]",
    ":8443",
    "user@",
    "%",
    "%zz",
    "\u{20ac}",
    "\u{ff0e}",
    "%c0%ae",
    "..%2f",
    "&",
    "=",
    "xn--",
];

/// The segments of a path as the most careless server would read them: decoded until nothing changes, either slash a
/// slash, parameters cut off.
fn careless(path: &str) -> Vec<Vec<u8>> {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..3 {
        bytes = percent_encoding::percent_decode(&bytes).collect();
    }
    let slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let plain = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    bytes.split(slash).map(plain).collect()
}

/// Says how the input was taken. `base` is the one below which it must be.
fn judge(base: &str, joined: &Result<Uri>) -> (String, usize) {
    let joined = match joined {
        Ok(joined) => joined,
        Err(Error::TargetNotAllowed { message }) => return (message.clone(), 0),
        Err(other) => panic!("an error of another kind: {other}"),
    };
    let text = joined.to_string();
    let rest = text.strip_prefix(base).unwrap_or_else(|| panic!("{text} does not begin with {base}"));
    assert!(rest.is_empty() || rest.starts_with(['/', '?']), "{text} goes on in the middle of a name");
    // As a browser reads it, and everybody who follows the URL standard.
    let (whatwg, own) = (url::Url::parse(&text).unwrap(), url::Url::parse(base).unwrap());
    assert_eq!(whatwg.origin(), own.origin(), "{text}");
    assert!(whatwg.username().is_empty() && whatwg.password().is_none(), "{text}");
    let prefix = own.path().trim_end_matches('/');
    let left = whatwg.path().strip_prefix(prefix).unwrap_or_else(|| panic!("{text} is not below {prefix}"));
    assert!(left.is_empty() || left.starts_with('/'), "{text}");
    for segment in careless(joined.path()) {
        assert!(segment != b"." && segment != b"..", "{text} holds a dot segment");
        assert!(!segment.iter().any(u8::is_ascii_control), "{text} holds a control byte");
    }
    assert!(!joined.path().contains('\\'), "{text}");
    let shape = rest.bytes().filter(|byte| b"/?%;@:".contains(byte)).count();
    ("joined".to_owned(), shape.min(12))
}

#[test]
fn a_path_never_leaves_its_base() {
    fuzz("target", &WORDS, |input| {
        let (first, rest) = input.split_first().unwrap_or((&b'0', b""));
        let base = BASES[usize::from(*first) % BASES.len()];
        let Ok(uri) = Uri::try_from(rest) else { return 0 };
        let mut did = Vec::new();
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for slash in ["", "/"] {
                let api = Api { base_url: Some(format!("{base}{slash}")), ..Api::default() };
                let request = Request::builder().uri(uri.clone()).version(version).body(()).unwrap();
                let joined = Base::of(&api).and_then(|base| base.join(&request));
                if let Ok(joined) = &joined {
                    let asked = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
                    assert_eq!(joined.to_string(), format!("{base}{asked}"), "not byte for byte");
                }
                did.push(judge(base, &joined));
            }
        }
        print((did, uri.scheme().is_some(), uri.authority().is_some()))
    });
}

#[test]
fn a_named_url_never_leaves_its_base_and_the_hosts_beside_it() {
    fuzz("named", &WORDS, |input| {
        let (first, rest) = input.split_first().unwrap_or((&b'0', b""));
        let base = BASES[usize::from(*first) % BASES.len()];
        let Ok(text) = std::str::from_utf8(rest) else { return 0 };
        let api = Api { base_url: Some(base.to_owned()), ..Api::default() };
        let hosts = || Ok(vec![HOST.to_owned()]);
        let joined = Base::of(&api).and_then(|base| named::with_hosts(&base, hosts, text));
        let beside = format!("https://{HOST}");
        let elsewhere = joined.as_ref().is_ok_and(|uri| uri.host() == Some(HOST));
        print((judge(if elsewhere { &beside } else { base }, &joined), elsewhere))
    });
}
