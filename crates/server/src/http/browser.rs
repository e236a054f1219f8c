//! The browser id: one random cookie per browser, whose hash each flow keeps.
//!
//! `__Host-` on https, so that no other host or path can plant it; plain on loopback, where browsers refuse
//! the prefix without TLS.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use claviger_engine::{
    error::{Error, Result},
    secret::{Secret, token},
};

/// A day: longer than any flow, short enough to be forgotten.
const LIFE_SECONDS: i64 = 86_400;

/// A browser's id, and whether it has the cookie yet.
pub struct Browser {
    /// The id.
    pub id: Secret,
    /// The `Set-Cookie` value that makes the browser keep it.
    pub set_cookie: HeaderValue,
}

/// The browser's id, a fresh one if it shows none.
pub fn identify(headers: &HeaderMap, https: bool) -> Result<Browser> {
    let id = match read(headers, https) {
        Some(id) => id,
        None => token()?,
    };
    let secure = if https { "; Secure" } else { "" };
    let (name, value) = (name(https), id.expose());
    let text = format!("{name}={value}; Path=/; Max-Age={LIFE_SECONDS}; HttpOnly; SameSite=Lax{secure}");
    let set_cookie = HeaderValue::from_str(&text).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Browser { id, set_cookie })
}

/// The id that the browser shows: exactly one well-formed cookie, else none.
pub fn read(headers: &HeaderMap, https: bool) -> Option<Secret> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name(https))
        .map(|(_, value)| value);
    let id = found.next().filter(|id| well_formed(id))?;
    found.next().is_none().then(|| Secret::new(id))
}

fn name(https: bool) -> &'static str {
    if https { "__Host-claviger-browser" } else { "claviger-browser" }
}

fn well_formed(id: &str) -> bool {
    id.len() == 43 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).expect("a header"))).collect()
    }

    #[test]
    fn a_browser_keeps_its_id_and_anything_else_is_no_id() {
        let fresh = identify(&HeaderMap::new(), true).expect("an id");
        let set = fresh.set_cookie.to_str().expect("text");
        assert!(set.starts_with("__Host-claviger-browser="), "{set}");
        assert!(set.ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"), "{set}");

        let line = format!("a=b; __Host-claviger-browser={}", fresh.id.expose());
        let again = identify(&headers(&[&line]), true).expect("an id");
        assert_eq!(again.id.expose(), fresh.id.expose());

        assert!(read(&headers(&[&line]), false).is_none(), "the plain name is another cookie");
        assert!(read(&headers(&[&line, &line]), true).is_none(), "two are none");
        assert!(read(&headers(&["__Host-claviger-browser=short"]), true).is_none());
    }
}
