//! Whether a request comes from our own page.
//!
//! `Sec-Fetch-Site` where the browser sends it, else `Origin`. What changes something on the strength of a cookie must
//! come from our own page: `null` alone is refused, and so is neither. What needs no cookie must not come from
//! elsewhere; there neither is fine, because then it is no browser.

use axum::http::{HeaderMap, header::ORIGIN};

/// Whether the request comes from a page of `origin`, our own.
pub fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
    match (fetch_site(headers), from(headers)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(from)) => from == origin,
        (None, None) => false,
    }
}

/// Whether the request comes from a page that is not of `origin`, as far as it says.
pub fn is_foreign(headers: &HeaderMap, origin: &str) -> bool {
    is_from_page(headers) && !same_origin(headers, origin)
}

/// Whether the request comes from a page at all: only browsers say where from.
pub fn is_from_page(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN)
}

/// Whether a browser says that another site, or another origin of this one, made it ask. A link that somebody typed or
/// keeps is nobody's.
pub fn is_led_here(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") && !matches!(fetch_site(headers), Some("same-origin" | "none"))
}

fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    // What can't be read is not our own.
    headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default())
}

fn from(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_pass() {
        let ours = "https://connect.test";
        for (site, from, same, foreign, led) in [
            (Some("same-origin"), Some(ours), true, false, false),
            (Some("same-origin"), Some("null"), true, false, false),
            (Some("same-site"), Some(ours), false, true, true),
            (Some("cross-site"), Some(ours), false, true, true),
            (Some("none"), None, false, true, false),
            (Some(""), Some(ours), false, true, true),
            (None, Some(ours), true, false, false),
            (None, Some("null"), false, true, false),
            (None, Some("https://connect.test.evil.test"), false, true, false),
            (None, None, false, false, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().expect("a header"));
            }
            if let Some(from) = from {
                headers.insert(ORIGIN, from.parse().expect("a header"));
            }
            assert_eq!(same_origin(&headers, ours), same, "{site:?} {from:?}");
            assert_eq!(is_foreign(&headers, ours), foreign, "{site:?} {from:?}");
            assert_eq!(is_led_here(&headers), led, "{site:?} {from:?}");
        }
    }
}
