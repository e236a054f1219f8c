//! Who calls at this door: a session's cookie, an API token, or name and password.
//!
//! An `Authorization` header, where there is one, is all that is looked at. A cookie is sent along by the browser
//! whoever made it ask, so what changes something must come from our own page then.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_engine::{
    access::{self, Attempt, Member},
    error::{Error, Result},
    secret::Secret,
};

use super::error::Refused;
use crate::{
    app::App,
    http::{
        client::{ClientAddr, subscriber},
        csrf, session,
        site::{self, Site},
    },
};

/// The member that asks. A token that only reads may not ask with a method that writes.
pub struct Caller(pub Arc<Member>);

/// The member that asks, where the method does not tell whether something is written: the handler has to see to
/// [`Member::require_writing`].
pub struct Reading(pub Arc<Member>);

/// The site that is asked.
pub struct At(pub Site);

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        let member = member(parts, app).await?;
        if writes(&parts.method) {
            member.require_writing()?;
        }
        Ok(Self(Arc::new(member)))
    }
}

impl FromRequestParts<App> for Reading {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(Arc::new(member(parts, app).await?)))
    }
}

impl FromRequestParts<App> for At {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        Ok(Self(site::find(app, parts).await?))
    }
}

fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn refused() -> Error {
    Error::Unauthenticated { message: access::REFUSED.to_owned() }
}

async fn member(parts: &mut Parts, app: &App) -> Result<Member> {
    match authorization(&parts.headers)? {
        Some(Shown::Token(token)) => access::user_token(&app.broker, token.expose()).await,
        Some(Shown::Password { username, password }) => {
            let site = site::find(app, parts).await?;
            // A browser shows a password that it knows by itself, whoever made it ask.
            if writes(&parts.method) && csrf::is_foreign(&parts.headers, &site.origin) {
                let message = "Another site made the browser ask: only pages of this one may".to_owned();
                return Err(Error::Denied { message });
            }
            let Ok(ClientAddr(from)) = ClientAddr::from_request_parts(parts, app).await;
            let (workspace, address) = (&site.workspace, &subscriber(from));
            let attempt = Attempt { workspace, username: &username, password, address };
            access::password(&app.broker, attempt).await
        }
        None => {
            let sid = session::read(&parts.headers).ok_or_else(refused)?;
            let site = site::find(app, parts).await?;
            let member = access::session(&app.broker, &site.workspace, &sid).await?;
            if writes(&parts.method) {
                require_own_page(&parts.headers, &site)?;
            }
            Ok(member)
        }
    }
}

/// Fails unless the request comes from a page of the site's own.
///
/// # Errors
/// `Denied`
pub fn require_own_page(headers: &HeaderMap, site: &Site) -> Result<()> {
    if csrf::same_origin(headers, &site.origin) {
        return Ok(());
    }
    let message = format!(
        "With a session's cookie this must come from a page of {}: send its Origin, or call with an API token",
        site.origin
    );
    Err(Error::Denied { message })
}

/// What an `Authorization` header holds.
enum Shown {
    Token(Secret),
    Password { username: String, password: Secret },
}

fn authorization(headers: &HeaderMap) -> Result<Option<Shown>> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => shown(line).map(Some).ok_or_else(refused),
        (Some(_), Some(_)) => Err(refused()),
    }
}

fn shown(line: &HeaderValue) -> Option<Shown> {
    let (scheme, rest) = line.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Shown::Token(Secret::new(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // RFC 7617 §2: the first colon ends the name; UTF-8, as §2.1 advises.
    let text = Secret::new(String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?);
    let (username, password) = text.expose().split_once(':')?;
    Some(Shown::Password { username: username.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_header_of_a_known_kind_is_read_and_anything_else_is_refused() {
        let read = |lines: &[&str]| {
            let headers = lines.iter().map(|line| (AUTHORIZATION, line.parse().expect("a header"))).collect();
            match authorization(&headers) {
                Ok(None) => "nothing".to_owned(),
                Ok(Some(Shown::Token(token))) => format!("token {}", token.expose()),
                Ok(Some(Shown::Password { username, password })) => {
                    format!("{username} / {}", password.expose())
                }
                Err(_) => "refused".to_owned(),
            }
        };
        assert_eq!(read(&[]), "nothing");
        assert_eq!(read(&["Bearer ut_1"]), "token ut_1");
        assert_eq!(read(&["bEARER  ut_1 "]), "token ut_1");
        assert_eq!(read(&["Basic YWxpY2U6YTpi"]), "alice / a:b");
        assert_eq!(read(&["basic w4RybWVsOsO8"]), "Ärmel / ü");
        for wrong in ["Bearer", "ut_1", "", "Basic ut_1", "Basic YWxpY2U=", "Basic /w==", "Digest a"] {
            assert_eq!(read(&[wrong]), "refused", "{wrong}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), "refused");
    }
}
