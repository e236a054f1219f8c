//! The cookie of an operator's session: how it is read, set and cleared.
//!
//! `__Host-` on https, so that no other host or path can plant it; plain on loopback, where browsers refuse the prefix
//! without TLS. Never the users' `sid`, nor one of its form.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use claviger_engine::{
    error::{Error, Result},
    secret::Secret,
};

/// The session that the browser shows: exactly one well-formed cookie, else none.
pub fn read(headers: &HeaderMap, https: bool) -> Option<Secret> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name(https)).map(|(_, value)| value);
    let sid = found.next().filter(|sid| well_formed(sid))?;
    found.next().is_none().then(|| Secret::new(sid))
}

/// The `Set-Cookie` value that makes the browser keep a session, until it is closed.
///
/// # Errors
/// `Internal` when the text can't stand in a header.
pub fn set(sid: &Secret, https: bool) -> Result<HeaderValue> {
    let text = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{}", name(https), sid.expose(), secure(https));
    let mut value = HeaderValue::from_str(&text).map_err(|e| Error::internal(e.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The `Set-Cookie` value that makes the browser forget it.
pub fn clear(https: bool) -> HeaderValue {
    if https {
        HeaderValue::from_static(
            "__Host-claviger-operator=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
        )
    } else {
        HeaderValue::from_static("claviger-operator=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    }
}

fn name(https: bool) -> &'static str {
    if https { "__Host-claviger-operator" } else { "claviger-operator" }
}

fn secure(https: bool) -> &'static str {
    if https { "; Secure" } else { "" }
}

fn well_formed(sid: &str) -> bool {
    sid.len() == 43 && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use claviger_engine::secret::token;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).expect("a header"))).collect()
    }

    #[test]
    fn on_https_the_cookie_is_this_hosts_alone() {
        let sid = token().expect("a token");
        let text = |https| set(&sid, https).expect("a header").to_str().expect("text").to_owned();
        assert_eq!(
            text(true).replace(sid.expose(), "…"),
            "__Host-claviger-operator=…; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            text(false).replace(sid.expose(), "…"),
            "claviger-operator=…; Path=/; HttpOnly; SameSite=Lax"
        );
        for https in [true, false] {
            let gone = clear(https).to_str().expect("text").to_owned();
            assert!(gone.starts_with(&format!("{}=; Path=/; Max-Age=0", name(https))), "{gone}");
            assert_eq!(gone.ends_with("; Secure"), https);
        }
    }

    #[test]
    fn one_well_formed_cookie_is_a_session_and_nothing_else() {
        let sid = token().expect("a token");
        let line = format!("a=b; __Host-claviger-operator={}", sid.expose());
        assert_eq!(read(&headers(&[&line]), true).expect("a session").expose(), sid.expose());
        assert!(read(&headers(&[&line]), false).is_none(), "the plain name is another cookie");
        assert!(read(&headers(&[&line, &line]), true).is_none(), "two are none");
        assert!(read(&headers(&[&format!("sid={}", sid.expose())]), true).is_none(), "a user's is none");
        assert!(read(&headers(&["__Host-claviger-operator=short"]), true).is_none());
    }
}
