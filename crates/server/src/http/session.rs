//! The session's cookie, `sid`: how it is read, set and cleared.
//!
//! Its name is the contract's, so it can't be `__Host-`: another host of the same site may plant a second one. Two are
//! therefore none.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use claviger_engine::{
    error::{Error, Result},
    secret::Secret,
};

const NAME: &str = "sid";

/// The session that the browser shows: exactly one well-formed cookie, else none.
pub fn read(headers: &HeaderMap) -> Option<Secret> {
    let mut found = shown(headers);
    let sid = found.next().filter(|sid| well_formed(sid))?;
    found.next().is_none().then(|| Secret::new(sid))
}

/// Whether the browser shows any, however ill-formed.
pub fn is_shown(headers: &HeaderMap) -> bool {
    shown(headers).next().is_some()
}

/// The `Set-Cookie` value that makes the browser keep a session, until it is closed.
///
/// # Errors
/// `Internal` when the text can't stand in a header.
pub fn set(sid: &Secret, https: bool) -> Result<HeaderValue> {
    let text = format!("{NAME}={}; Path=/; HttpOnly; SameSite=Lax{}", sid.expose(), secure(https));
    let mut value = HeaderValue::from_str(&text).map_err(|e| Error::internal(e.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The `Set-Cookie` value that makes the browser forget it.
pub fn clear(https: bool) -> HeaderValue {
    if https {
        HeaderValue::from_static("sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure")
    } else {
        HeaderValue::from_static("sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    }
}

fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value)
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
    fn one_well_formed_cookie_is_a_session_and_nothing_else() {
        let sid = token().expect("a token");
        let set_cookie = set(&sid, true).expect("a header");
        let text = set_cookie.to_str().expect("text");
        assert_eq!(
            text.replace(sid.expose(), "…"),
            "sid=…; Path=/; HttpOnly; SameSite=Lax; Secure",
            "no Domain: other hosts don't get it"
        );
        assert!(!set(&sid, false).expect("a header").to_str().expect("text").contains("Secure"));
        for https in [true, false] {
            let gone = clear(https);
            assert!(gone.to_str().expect("text").starts_with("sid=; Path=/; Max-Age=0; HttpOnly; "));
        }

        let one = format!("a=b; sid={}", sid.expose());
        assert_eq!(read(&headers(&[&one])).expect("a session").expose(), sid.expose());
        let two = format!("{one}; sid={}", token().expect("a token").expose());
        let longer = format!("{one}x");
        for lines in [
            &[one.as_str(), one.as_str()][..],
            &[two.as_str()],
            &[longer.as_str()],
            &["sid="],
            &["SID=x"],
            &["sid"],
            &[],
        ] {
            assert!(read(&headers(lines)).is_none(), "{lines:?}");
        }
        assert!(is_shown(&headers(&["sid="])) && !is_shown(&headers(&["xsid=1"])));
    }
}
