//! Targets: whether a redirect URI of a caller who holds a token is a registered one.
//!
//! Scheme, host, port and path must be those of an entry, in the entry's own spelling; query and fragment are the
//! caller's. Nothing is parsed or made equal: a spelling that a browser could read otherwise equals no entry.

/// The most bytes of such a URI.
const LONGEST: usize = 4096;

/// Whether a URI is one of those registered, apart from its query and its fragment. An entry that has a query of its
/// own is met with that query only: what stands behind it may decide where the path leads.
pub(super) fn is_one_of(uri: &str, registered: &[String]) -> bool {
    let plain = uri.len() <= LONGEST && uri.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let whole = uri.split_once('#').map_or(uri, |(head, _)| head);
    let meets = |entry: &String| match entry.contains('?') {
        true => entry == whole,
        false => rooted(entry) == rooted(place(uri)),
    };
    plain && registered.iter().any(meets)
}

/// A URI without query and fragment.
pub(super) fn place(uri: &str) -> &str {
    uri.find(['?', '#']).and_then(|end| uri.get(..end)).unwrap_or(uri)
}

/// Without the slash that a browser writes behind a bare host (RFC 3986 §6.2.3).
fn rooted(place: &str) -> &str {
    let host = ["https://", "http://"].iter().find_map(|scheme| place.strip_prefix(scheme));
    let bare = host.and_then(|host| host.strip_suffix('/')).is_some_and(|host| !host.contains('/'));
    if bare { place.strip_suffix('/').unwrap_or(place) } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_fragment_are_the_callers_and_nothing_else_is() {
        let registered: Vec<String> =
            ["https://app.test/cb", "https://root.test", "https://go.test/to?page=home", "com.app:/done"]
                .map(str::to_owned)
                .into();
        for good in [
            "https://app.test/cb",
            "https://app.test/cb?",
            "https://app.test/cb?next=https://evil.test&x=%0a",
            "https://app.test/cb#x",
            "https://app.test/cb?a=b#/../c?d",
            "https://root.test",
            "https://root.test/",
            "https://root.test/?a#b",
            "https://root.test?a",
            "https://go.test/to?page=home",
            "https://go.test/to?page=home#x",
            "com.app:/done?a",
        ] {
            assert!(is_one_of(good, &registered), "{good}");
        }
        for bad in [
            "",
            "https://app.test/cb/",
            "https://app.test/c",
            "https://app.test/cb2",
            "https://app.test/cb;x",
            "https://app.test/cb%3f",
            "https://app.test/cb\\?",
            "https://app.test/cb?x y",
            "https://app.test/cb?\u{e9}",
            "https://app.test/cb#\n",
            "https://app.test:443/cb",
            "https://APP.test/cb",
            "https://app.test/x/../cb",
            "https://root.test//",
            "https://root.test/x",
            "https://root.test.evil.test",
            "https://root.test@evil.test",
            "https://go.test/to",
            "https://go.test/to?page=evil",
            "https://go.test/to?page=home&page=evil",
            "com.app:/done/",
            "com.app:/",
        ] {
            assert!(!is_one_of(bad, &registered), "{bad}");
        }
        let long = format!("https://app.test/cb?{}", "a".repeat(LONGEST));
        assert!(!is_one_of(&long, &registered));
    }
}
