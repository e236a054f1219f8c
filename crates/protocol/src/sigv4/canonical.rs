//! The canonical form of a request, over which Signature Version 4 is made: path, query, headers and the body's hash,
//! each written in the one way that the other side writes it too.
//!
//! It only reads: what is sent stays byte for byte as it is. Must never be logged, for it holds the session token.

use std::{collections::BTreeMap, fmt::Write as _};

use http::{HeaderMap, HeaderName, Method, Uri};
use percent_encoding::{AsciiSet, percent_decode, percent_encode, utf8_percent_encode};

use crate::{ProtocolError, form::UNRESERVED, secret::Secret};

/// What stays as it is in a path: the unreserved characters, and what stands between its segments.
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// How a path is written where it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paths {
    /// Whether it is encoded again as it is sent, so that its `%` becomes `%25`. Else it is encoded once.
    pub twice: bool,
    /// Whether `.`, `..` and empty segments are resolved first (RFC 3986 §6).
    pub normalized: bool,
}

/// The headers that are signed, `host` among them: names in lower case, values as they are compared.
#[derive(Clone)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Of a request to `uri` those headers that `which` takes, and its host, which the client sets later.
    ///
    /// # Errors
    /// When the URL names no host, or a value that is signed is no text.
    pub fn of(
        map: &HeaderMap,
        uri: &Uri,
        which: impl Fn(&HeaderName) -> bool,
    ) -> Result<Self, ProtocolError> {
        let mut signed = BTreeMap::from([("host".to_owned(), host(uri)?)]);
        for name in map.keys().filter(|name| *name != http::header::HOST && which(name)) {
            let values: Result<Vec<String>, _> = map
                .get_all(name)
                .iter()
                .map(|value| std::str::from_utf8(value.as_bytes()).map(plain))
                .collect();
            let values = values.map_err(|_| ProtocolError::Header(name.to_string()))?;
            signed.insert(name.as_str().to_owned(), values.join(","));
        }
        Ok(Self(signed))
    }

    /// Their names, as `SignedHeaders` lists them.
    pub fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(";")
    }
}

/// The canonical request. `hash` is the body's SHA-256 in hex, or what stands for it.
pub fn request(method: &Method, uri: &Uri, headers: &Headers, hash: &str, paths: Paths) -> Secret {
    let mut out = format!("{method}\n{}\n{}\n", path(uri.path(), paths), query(uri.query()));
    for (name, value) in &headers.0 {
        // Writing into a text can't fail.
        let _ = writeln!(out, "{name}:{value}");
    }
    let _ = write!(out, "\n{}\n{hash}", headers.names());
    Secret::new(out)
}

/// The host as the client sends it: without the scheme's own port.
pub(super) fn host(uri: &Uri) -> Result<String, ProtocolError> {
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(ProtocolError::Url("signed URL"))?;
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let port = uri.port_u16().filter(|port| *port != usual);
    Ok(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// A value without white space around it, and with one space where there are several.
fn plain(value: &str) -> String {
    value.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn path(path: &str, paths: Paths) -> String {
    let path = if paths.normalized { normal(path) } else { path.to_owned() };
    if path.is_empty() {
        return "/".to_owned();
    }
    if paths.twice {
        return utf8_percent_encode(&path, IN_PATH).to_string();
    }
    // An encoded slash is part of a name, not a border between two.
    let segments = path.split('/').map(|segment| again(segment.as_bytes()));
    segments.collect::<Vec<_>>().join("/")
}

/// The path without `.`, `..` and empty segments.
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let open = matches!(path.rsplit('/').next(), Some("" | "." | "..")) && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if open { "/" } else { "" })
}

/// The parameters, each encoded anew, by name and then by value.
fn query(query: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Servers read a query as a form: there a plus is a space.
            (again(name.replace('+', " ").as_bytes()), again(value.replace('+', " ").as_bytes()))
        })
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Decoded, and encoded in the one way.
fn again(text: &[u8]) -> String {
    let bytes: Vec<u8> = percent_decode(text).collect();
    percent_encode(&bytes, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(uri: &str, paths: Paths) -> (String, String) {
        let uri: Uri = uri.parse().expect("a URL");
        (path(uri.path(), paths), query(uri.query()))
    }

    const ONCE: Paths = Paths { twice: false, normalized: false };
    const TWICE: Paths = Paths { twice: true, normalized: true };

    #[test]
    fn paths_and_queries_have_one_spelling() {
        for (uri, paths, path, query) in [
            ("https://h.example", TWICE, "/", ""),
            ("https://h.example/a%2Fb/(c)", ONCE, "/a%2Fb/%28c%29", ""),
            ("https://h.example/a%2fb//c/./", ONCE, "/a%2Fb//c/./", ""),
            ("https://h.example/a%2Fb/(c)//d/../e/", TWICE, "/a%252Fb/%28c%29/e/", ""),
            ("https://h.example/../..", TWICE, "/", ""),
            ("https://h.example/?b=2&a=%7e&a=+&acl&=", ONCE, "/", "=&a=%20&a=~&acl=&b=2"),
            ("https://h.example/?a-b=1&a=1&A=1", ONCE, "/", "A=1&a=1&a-b=1"),
        ] {
            assert_eq!(written(uri, paths), (path.to_owned(), query.to_owned()), "{uri}");
        }
    }

    #[test]
    fn hosts_are_written_as_they_are_sent() {
        for (uri, want) in [
            ("https://h.example:443/", Some("h.example")),
            ("https://h.example:8443/", Some("h.example:8443")),
            ("http://127.0.0.1:80/", Some("127.0.0.1")),
            ("http://127.0.0.1:443/", Some("127.0.0.1:443")),
            ("/path", None),
        ] {
            let uri: Uri = uri.parse().expect("a URL");
            assert_eq!(host(&uri).ok().as_deref(), want, "{uri}");
        }
    }

    /// A header that is signed must mean the same to whoever reads it; one that is not signed may be anything.
    #[test]
    fn values_that_are_no_text_are_not_signed() {
        let uri: Uri = "https://h.example/".parse().expect("a URL");
        let mut map = HeaderMap::new();
        map.append("x-amz-meta", http::HeaderValue::from_bytes(b"\xff").expect("a value"));
        map.append("x-amz-b", http::HeaderValue::from_static("  a  \t b "));
        map.append("x-amz-b", http::HeaderValue::from_static("c"));
        let wrong = Headers::of(&map, &uri, |_| true);
        assert_eq!(wrong.err(), Some(ProtocolError::Header("x-amz-meta".to_owned())));
        let signed = Headers::of(&map, &uri, |name| name == "x-amz-b").expect("headers");
        assert_eq!((signed.names().as_str(), signed.0["x-amz-b"].as_str()), ("host;x-amz-b", "a b,c"));
    }
}
