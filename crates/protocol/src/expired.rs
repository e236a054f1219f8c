//! Knowing that a provider takes a token for one that is over, where it does not say so with 401: the provider file's
//! `[[api.expired]]`.
//!
//! It must never itself decide to refresh: that is the proxy's rule.

use claviger_catalog::Expired;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::json;

/// Whether an answer with this head can't be told from others without its body.
pub fn reads_body(rules: &[Expired], status: StatusCode) -> bool {
    rules.iter().any(|rule| rule.status == status.as_u16() && rule.reads_body())
}

/// Whether an answer says that the token is over. `body` is the whole of it, where it is at hand.
pub fn told(rules: &[Expired], status: StatusCode, headers: &HeaderMap, body: Option<&[u8]>) -> bool {
    let mut read = Read { body, json: None };
    rules.iter().filter(|rule| rule.status == status.as_u16()).any(|rule| match (&rule.header, &rule.path) {
        (Some(name), _) => headers
            .get_all(name.as_str())
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| rule.is.iter().any(|text| holds(value, text))),
        (None, Some(path)) => read.at(path).is_some_and(|value| rule.is.contains(&value)),
        (None, None) if rule.is.is_empty() => true,
        (None, None) => read.text().is_some_and(|text| rule.is.iter().any(|is| is == text)),
    })
}

fn holds(value: &str, text: &str) -> bool {
    value.to_ascii_lowercase().contains(&text.to_ascii_lowercase())
}

/// A body, read as JSON at most once.
struct Read<'a> {
    body: Option<&'a [u8]>,
    json: Option<Option<Value>>,
}

impl Read<'_> {
    fn at(&mut self, path: &str) -> Option<String> {
        let body = self.body;
        let value = self.json.get_or_insert_with(|| serde_json::from_slice(body?).ok());
        json::text(value.as_ref()?, path)
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.body?).ok().map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(status: u16, path: Option<&str>, header: Option<&str>, is: &[&str]) -> Expired {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let is = is.iter().map(|text| (*text).to_owned()).collect();
        Expired { status, path: owned(path), header: owned(header), is }
    }

    fn said(rules: &[Expired], status: u16, headers: &[(&'static str, &str)], body: Option<&str>) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        told(rules, status, &map, body.map(str::as_bytes))
    }

    #[test]
    fn a_code_in_the_body_tells_with_its_status_only() {
        let rules = [
            rule(200, Some("error"), None, &["token_expired", "invalid_auth"]),
            rule(400, Some("errors.0.code"), None, &["190"]),
        ];
        for (status, body, want) in [
            (200, Some(r#"{"ok":false,"error":"token_expired"}"#), true),
            (200, Some(r#"{"ok":false,"error":"invalid_auth"}"#), true),
            (200, Some(r#"{"ok":false,"error":"TOKEN_EXPIRED"}"#), false),
            (200, Some(r#"{"ok":false,"error":"token_expired_x"}"#), false),
            (200, Some(r#"{"ok":true,"data":{"error":"token_expired"}}"#), false),
            (200, Some(r#"{"error":["token_expired"]}"#), false),
            (200, Some("token_expired"), false),
            (200, Some(""), false),
            (200, None, false),
            (201, Some(r#"{"error":"token_expired"}"#), false),
            (400, Some(r#"{"errors":[{"code":190}]}"#), true),
            (400, Some(r#"{"errors":[{"code":191},{"code":190}]}"#), false),
        ] {
            assert_eq!(said(&rules, status, &[], body), want, "{status} {body:?}");
        }
        assert!(reads_body(&rules, StatusCode::OK) && !reads_body(&rules, StatusCode::NOT_FOUND));
    }

    #[test]
    fn a_header_a_whole_body_or_a_status_tells() {
        let header = [rule(403, None, Some("WWW-Authenticate"), &["invalid_token"])];
        let challenge =
            [("www-authenticate", "Basic"), ("www-authenticate", "Bearer error=\"INVALID_TOKEN\"")];
        assert!(said(&header, 403, &challenge, None) && !said(&header, 403, &challenge[..1], None));
        assert!(!said(&header, 403, &[("x-other", "invalid_token")], None));
        assert!(!reads_body(&header, StatusCode::FORBIDDEN));
        let whole = [rule(403, None, None, &["Bad_OAuth_Token"])];
        assert!(said(&whole, 403, &[], Some(" Bad_OAuth_Token\n")));
        assert!(!said(&whole, 403, &[], Some("Bad_OAuth_Token!")) && !said(&whole, 403, &[], None));
        assert!(reads_body(&whole, StatusCode::FORBIDDEN));
        let status = [rule(498, None, None, &[])];
        assert!(said(&status, 498, &[], None) && !said(&status, 499, &[], None));
        assert!(!reads_body(&status, StatusCode::from_u16(498).expect("a status")));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(body in ".{0,200}", path in ".{0,20}") {
            let _ = said(&[rule(200, Some(&path), None, &["x"])], 200, &[], Some(&body));
        }
    }
}
