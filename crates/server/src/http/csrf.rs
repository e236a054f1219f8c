//! Whether a form was posted from our own page.
//!
//! `Sec-Fetch-Site` where the browser sends it, else `Origin`; `null` alone is refused, and so is neither.

use axum::http::{HeaderMap, header::ORIGIN};

/// Whether the request comes from a page of `origin`, our own.
pub fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(from)) => from == origin,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_pass() {
        let ours = "https://connect.test";
        for (site, from, want) in [
            (Some("same-origin"), Some(ours), true),
            (Some("same-origin"), Some("null"), true),
            (Some("same-site"), Some(ours), false),
            (Some("cross-site"), Some(ours), false),
            (Some("none"), None, false),
            (None, Some(ours), true),
            (None, Some("null"), false),
            (None, Some("https://connect.test.evil.test"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().expect("a header"));
            }
            if let Some(from) = from {
                headers.insert(ORIGIN, from.parse().expect("a header"));
            }
            assert_eq!(same_origin(&headers, ours), want, "{site:?} {from:?}");
        }
    }
}
