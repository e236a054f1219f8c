//! A provider's answer on the app's own origin, where sessions live: it may not speak for that origin.
//!
//! What a browser would keep, allow or do for the whole origin on the answer's word goes; `sandbox` gives whatever is
//! shown of it an origin of its own, without scripts. Status, body and all other headers stay the provider's.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{CONTENT_SECURITY_POLICY, LOCATION, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

/// Headers that a browser takes as said by our origin.
const OURS_TO_SAY: [&str; 24] = [
    "accept-ch",
    "alt-svc",
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "critical-ch",
    "integrity-policy",
    "integrity-policy-report-only",
    "nel",
    "origin-agent-cluster",
    "origin-trial",
    "permissions-policy",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "sourcemap",
    "speculation-rules",
    "strict-transport-security",
    "x-frame-options",
    "x-sourcemap",
];
/// The same, by how their names begin.
const FAMILIES: [&str; 4] = ["access-control-", "cross-origin-", "public-key-pins", "sec-"];
/// Schemes for which a browser asks its user for a password, or gives away a login without asking.
const PROMPTING: [&str; 4] = ["basic", "digest", "negotiate", "ntlm"];

/// The answer as it may stand on our origin.
pub fn answer<B>(mut from: Response<B>) -> Response<B> {
    let headers = from.headers_mut();
    let names: Vec<HeaderName> = headers.keys().filter(|name| speaks_for_us(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
    keep_quiet_challenges(headers);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "sandbox"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "SAMEORIGIN"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    from
}

/// Drops a redirect that a browser would follow to a place of ours, as a page of ours: the provider's relative ones, and
/// those that name our origin.
pub fn lead_away(headers: &mut HeaderMap, ours: &str) {
    let away = |value: &HeaderValue| {
        let target = value.to_str().ok().and_then(|text| url::Url::parse(text).ok());
        let origin = target.filter(|url| matches!(url.scheme(), "http" | "https")).map(|url| url.origin());
        let own = url::Url::parse(ours).map(|url| url.origin());
        origin.is_some_and(|origin| own.is_ok_and(|own| own != origin))
    };
    if headers.get_all(LOCATION).iter().any(|value| !away(value)) {
        headers.remove(LOCATION);
    }
}

fn speaks_for_us(name: &HeaderName) -> bool {
    OURS_TO_SAY.contains(&name.as_str()) || FAMILIES.iter().any(|family| name.as_str().starts_with(family))
}

/// What a provider says of its tokens stays (RFC 6750 §3); a browser must not ask for a password in its name here.
fn keep_quiet_challenges(headers: &mut HeaderMap) {
    let all: Vec<HeaderValue> = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    headers.remove(WWW_AUTHENTICATE);
    for challenge in all {
        let text = String::from_utf8_lossy(challenge.as_bytes()).to_ascii_lowercase();
        if !PROMPTING.iter().any(|scheme| text.contains(scheme)) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_away_from_us_or_nowhere() {
        for (to, stays) in [
            ("https://files.test/x?y", true),
            ("http://connect.test/", true),
            ("https://connect.test.evil/", true),
            ("https://connect.test/api/integrations/b/request", false),
            ("HTTPS://CONNECT.test:443/", false),
            ("/api/integrations/b/request", false),
            ("//connect.test/", false),
            ("b/request", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(to))]);
            lead_away(&mut headers, "https://connect.test");
            assert_eq!(headers.contains_key(LOCATION), stays, "{to}");
        }
    }

    #[test]
    fn what_would_speak_for_our_origin_goes_and_the_rest_stays() {
        let mut from = Response::builder().status(418);
        let gone = OURS_TO_SAY.iter().copied().chain([
            "access-control-allow-origin",
            "access-control-allow-credentials",
            "cross-origin-opener-policy",
            "public-key-pins-report-only",
            "public-key-pins",
            "sec-session-registration",
        ]);
        for name in gone {
            from = from.header(name, "theirs").header(name, "again");
        }
        let kept = [
            ("content-type", "text/html"),
            ("content-disposition", "attachment"),
            ("etag", "\"x\""),
            ("link", "<x>; rel=next"),
            ("link", "<y>; rel=last"),
            ("location", "https://elsewhere.test/"),
            ("x-theirs", "1"),
            ("www-authenticate", "Bearer error=\"invalid_token\""),
        ];
        for (name, value) in kept {
            from = from.header(name, value);
        }
        for challenge in ["Basic realm=x", "Bearer, Basic realm=x", "NTLM", "negotiate", "DIGEST nonce=x"] {
            from = from.header("www-authenticate", challenge);
        }
        let answer = answer(from.body("body").expect("an answer"));
        assert_eq!((answer.status().as_u16(), *answer.body()), (418, "body"));
        let mut left: Vec<_> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        let mut want = [
            &kept[..],
            &[
                ("content-security-policy", "sandbox"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "SAMEORIGIN"),
            ],
        ]
        .concat();
        left.sort_unstable();
        want.sort_unstable();
        assert_eq!(left, want);
    }
}
