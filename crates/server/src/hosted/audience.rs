//! Audience: for whom a page is written, in which language and in whose name.
//!
//! A `lang` in the URL comes first, then the workspace's language, then what the browser accepts (RFC 9110 §12.5.4). A
//! `lang` is kept in a cookie for the pages behind the provider, whose URLs are not the product's to write.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_LANGUAGE, COOKIE, SET_COOKIE},
    },
    middleware::Next,
    response::Response,
};
use claviger_engine::connect::Look;

use super::text::Language;
use crate::http::params::Params;

/// The cookie that keeps a `lang` while an account is connected. No secret, and nothing rests on it.
const COOKIE_NAME: &str = "claviger-lang";
/// As long as a page of ours may wait, and the way over a provider takes.
const LIFE_SECONDS: u32 = 4200;
/// The most languages that are looked at.
const MOST: usize = 32;

/// Who reads a page.
#[derive(Clone, Default)]
pub struct Audience {
    /// The language that the URL, or one before it, names.
    asked: Option<Language>,
    /// The one that the browser likes best of ours.
    accepted: Option<Language>,
    /// Whose product it is, where that is known.
    pub look: Option<Arc<Look>>,
}

impl Audience {
    /// As far as a request tells.
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
        let accepted = accepted(&lines.collect::<Vec<_>>().join(","));
        Self { asked: named(query).or_else(|| kept(headers)), accepted, look: None }
    }

    /// Whose page it is.
    pub fn reading(self, look: Option<Arc<Look>>) -> Self {
        Self { look, ..self }
    }

    /// The language to speak.
    pub fn language(&self) -> Language {
        let fixed = || Language::of(self.look.as_ref()?.brand.language.as_deref()?);
        self.asked.or_else(fixed).or(self.accepted).unwrap_or_default()
    }
}

/// Keeps the language that a URL names.
pub async fn layer(request: Request, next: Next) -> Response {
    let named = named(request.uri().query());
    let mut response = next.run(request).await;
    if let Some(language) = named {
        let line = format!(
            "{COOKIE_NAME}={}; Path=/; Max-Age={LIFE_SECONDS}; HttpOnly; SameSite=Lax",
            language.tag()
        );
        if let Ok(line) = HeaderValue::from_str(&line) {
            response.headers_mut().append(SET_COOKIE, line);
        }
    }
    response
}

fn named(query: Option<&str>) -> Option<Language> {
    Params::parse(query?).get("lang").ok().flatten().and_then(|tag| Language::of(&tag))
}

fn kept(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).and_then(|(_, tag)| Language::of(tag))
}

/// The language of ours that is wanted most; of several the one named first.
fn accepted(header: &str) -> Option<Language> {
    let mut best: Option<(u16, Language)> = None;
    for one in header.split(',').take(MOST) {
        let mut parts = one.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let Some(quality) = quality(parts) else { continue };
        let language = if tag == "*" { Some(Language::default()) } else { Language::of(tag) };
        let Some(language) = language.filter(|_| quality > 0) else { continue };
        if best.is_none_or(|(most, _)| quality > most) {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The weight of a language in thousandths (RFC 9110 §12.4.2); `None` for what is none.
fn quality<'a>(parts: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut found = 1000;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            let value: f32 = value.trim().parse().ok()?;
            if !(0.0..=1.0).contains(&value) {
                return None;
            }
            // Between 0 and 1000.
            found = (0..=1000).rev().find(|n| f32::from(*n) <= value * 1000.0)?;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use claviger_engine::domain::workspace::Brand;

    use super::*;

    #[test]
    fn the_language_that_is_wanted_most_is_spoken() {
        for (header, language) in [
            ("de", Some(Language::De)),
            ("de-CH, fr;q=0.9", Some(Language::De)),
            ("it, fr;q=0.3, es;q=0.8, en;q=0.1", Some(Language::Es)),
            ("fr;q=0.8, de;q=0.8", Some(Language::Fr)),
            ("de;q=0, fr;q=0.001", Some(Language::Fr)),
            ("de;q=0", None),
            ("pt-BR, pt;q=0.9", None),
            ("pt, *;q=0.5", Some(Language::En)),
            ("*;q=0.1, fr;q=0.2", Some(Language::Fr)),
            ("de;q=2, fr;q=0.2", Some(Language::Fr)),
            ("de;q=nan, fr", Some(Language::Fr)),
            ("de;q=-1", None),
            ("de;level=1;q=0.5, fr;q=0.4", Some(Language::De)),
            (",,;=;q, ;", None),
            ("", None),
        ] {
            assert_eq!(accepted(header), language, "{header:?}");
        }
        let long = "pt,".repeat(40) + "de";
        assert_eq!(accepted(&long), None, "nobody likes so many");
    }

    #[test]
    fn the_url_is_before_the_workspace_and_that_before_the_browser() {
        let headers = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (axum::http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
            });
            pairs.collect::<HeaderMap>()
        };
        let plain = headers(&[("accept-language", "fr")]);
        let asked = headers(&[("accept-language", "fr"), ("cookie", "a=b; claviger-lang=es")]);
        let look = |language: Option<&str>| {
            let brand = Brand { language: language.map(str::to_owned), ..Brand::default() };
            Some(Arc::new(Look { brand, ..Look::default() }))
        };
        for (headers, query, fixed, want) in [
            (&plain, None, None, Language::Fr),
            (&plain, None, Some("de"), Language::De),
            (&plain, Some("lang=es"), Some("de"), Language::Es),
            (&plain, Some("lang=xx"), Some("de"), Language::De),
            (&plain, Some("lang=es&lang=es"), None, Language::Fr),
            (&asked, None, Some("de"), Language::Es),
            (&asked, Some("lang=de"), None, Language::De),
            (&HeaderMap::new(), None, None, Language::En),
        ] {
            let audience = Audience { look: look(fixed), ..Audience::of(headers, query) };
            assert_eq!(audience.language(), want, "{query:?} {fixed:?}");
        }
    }
}
