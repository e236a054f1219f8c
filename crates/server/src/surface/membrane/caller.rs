//! Who calls at this door: the holder of a token that a product made, in `Authorization: Bearer`.
//!
//! A token never comes from a cookie, so nothing here is done for whoever makes a browser ask. It is never logged and
//! never written into an answer.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use claviger_engine::{
    access::{self, Holder},
    error::{Error, Result},
    secret::Secret,
};

use super::error::Refused;
use crate::app::App;

/// The holder of the token in the header.
pub struct Caller(pub Arc<Holder>);

impl FromRequestParts<App> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        let token = bearer(&parts.headers)?.ok_or_else(access::token_refused)?;
        let shown = access::workspace_token(&app.broker, token.expose()).await?;
        Ok(Self(Arc::new(shown.holder()?)))
    }
}

/// The token in the header; `None` without such a header.
///
/// # Errors
/// `Unauthenticated` for a header that comes twice or is of another kind.
pub fn bearer(headers: &HeaderMap) -> Result<Option<Secret>> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let read = |line: &str| {
        let (scheme, token) = line.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
    };
    let refused: fn() -> Error = access::token_refused;
    line.and_then(read).ok_or_else(refused).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_header_is_read_and_anything_else_is_refused() {
        let read = |lines: &[&str]| {
            let headers = lines.iter().map(|line| (AUTHORIZATION, line.parse().expect("a header"))).collect();
            bearer(&headers).map(|token| token.map(|token| token.expose().to_owned())).map_err(|_| "refused")
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer a.b.c"]), Ok(Some("a.b.c".to_owned())));
        assert_eq!(read(&["bEARER  a.b.c "]), Ok(Some("a.b.c".to_owned())));
        for wrong in ["Bearer", "a.b.c", "", "Basic a.b.c"] {
            assert_eq!(read(&[wrong]), Err("refused"), "{wrong}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err("refused"));
    }
}
