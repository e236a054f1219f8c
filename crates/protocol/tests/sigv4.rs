//! Signature Version 4 against the published test suite: `sigv4/suite.toml`, every case of it.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use aws_lc_rs::digest::{SHA256, digest};
use claviger_protocol::{
    secret::Secret,
    sigv4::{
        self, Credentials, Scope,
        canonical::{self, Headers, Paths},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;

#[derive(Deserialize)]
struct Suite {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    name: String,
    method: String,
    target: String,
    host: String,
    headers: Vec<(String, String)>,
    body: String,
    access_key_id: String,
    secret: String,
    session_token: Option<String>,
    omit_session_token: bool,
    region: String,
    service: String,
    time: String,
    normalized: bool,
    twice: bool,
    hash_header: bool,
    canonical: Option<String>,
    to_sign: Option<String>,
    authorization: Option<String>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: String::new(),
            method: "GET".to_owned(),
            target: String::new(),
            host: "example.amazonaws.com".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
            omit_session_token: false,
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
            time: "20150830T123600Z".to_owned(),
            normalized: true,
            twice: false,
            hash_header: false,
            canonical: None,
            to_sign: None,
            authorization: None,
        }
    }
}

impl Case {
    /// The headers that it signs, all of them.
    fn headers(&self, hash: &str) -> HeaderMap {
        let own = [
            ("x-amz-date", Some(self.time.as_str())),
            ("x-amz-security-token", self.session_token.as_deref().filter(|_| !self.omit_session_token)),
            ("x-amz-content-sha256", Some(hash).filter(|_| self.hash_header)),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let all = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(own);
        let mut map = HeaderMap::new();
        for (name, value) in all {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            map.append(name.parse::<HeaderName>().expect("a name"), value);
        }
        map
    }
}

#[test]
fn every_published_case_is_signed_as_published() {
    let suite: Suite = toml::from_str(include_str!("sigv4/suite.toml")).expect("the suite");
    let (mut canonical, mut to_sign, mut signed) = (0, 0, 0);
    for case in &suite.case {
        let uri: Uri = format!("https://{}{}", case.host, case.target).parse().expect("a URL");
        let method: Method = case.method.parse().expect("a method");
        let hash: String =
            digest(&SHA256, case.body.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let headers = Headers::of(&case.headers(&hash), &uri, |_| true).expect("headers");
        let paths = Paths { twice: case.twice, normalized: case.normalized };
        let made = canonical::request(&method, &uri, &headers, &hash, paths);
        if let Some(want) = &case.canonical {
            assert_eq!(made.expose(), want, "{}", case.name);
            canonical += 1;
        }
        let scope = Scope { region: &case.region, service: &case.service };
        let text = sigv4::to_sign(&scope, &case.time, &made);
        if let Some(want) = &case.to_sign {
            assert_eq!(text, *want, "{}", case.name);
            to_sign += 1;
        }
        let secret = Secret::new(case.secret.as_str());
        let keys = Credentials { access_key_id: &case.access_key_id, secret: &secret, session_token: None };
        let made = sigv4::authorization(&keys, &scope, &case.time, &headers, &text);
        if let Some(want) = &case.authorization {
            assert_eq!(made, *want, "{}", case.name);
            signed += 1;
        }
    }
    // A file that was cut short would be a suite, too.
    assert_eq!((suite.case.len(), canonical, to_sign, signed), (41, 40, 39, 40));
}
