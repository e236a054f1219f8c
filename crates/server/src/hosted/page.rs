//! How a page is written: strict templates, a nonce for its one style sheet, headers that keep it private.
//!
//! Everything a template shows is escaped. There is no script on any page but the one that tells a window's opener how it
//! ended, and that one has no values in it.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use claviger_engine::{
    connect::Look,
    error::{Error, Result},
    secret::token,
};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{
    assets,
    audience::Audience,
    brand::{Palette, palette},
    picture,
    text::Texts,
    words,
};
use crate::dashboard::templates as dashboard;

const TEMPLATES: [(&str, &str); 17] = [
    ("_brand.html", include_str!("../../templates/_brand.html")),
    ("_device.html", include_str!("../../templates/_device.html")),
    ("_failure.html", include_str!("../../templates/_failure.html")),
    ("_form.html", include_str!("../../templates/_form.html")),
    ("_service.html", include_str!("../../templates/_service.html")),
    ("_style.html", include_str!("../../templates/_style.html")),
    ("_wait.html", include_str!("../../templates/_wait.html")),
    ("base.html", include_str!("../../templates/base.html")),
    ("connect.html", include_str!("../../templates/connect.html")),
    ("done.html", include_str!("../../templates/done.html")),
    ("embed.html", include_str!("../../templates/embed.html")),
    ("error.html", include_str!("../../templates/error.html")),
    ("expired.html", include_str!("../../templates/expired.html")),
    ("landing.html", include_str!("../../templates/landing.html")),
    ("reconnect.html", include_str!("../../templates/reconnect.html")),
    ("sign_in.html", include_str!("../../templates/sign_in.html")),
    ("told.html", include_str!("../../templates/told.html")),
];

/// The templates, compiled, and for whom they are filled in.
#[derive(Clone)]
pub struct Pages {
    env: Arc<Environment<'static>>,
    audience: Audience,
}

/// Whether a page carries a form, which decides what the browser may say of where it comes from.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    /// No form: `no-referrer`.
    Plain,
    /// A form that ends at another site: `same-origin`, no `form-action`, and framed by these origins only.
    Form {
        /// Origins that may frame the page; without any, none may.
        framed_by: &'a [String],
    },
    /// A form in a frame of a product's page, with a script file of ours that talks to that page: `same-origin`, no
    /// `form-action`, framed by these origins only.
    Framed {
        /// Origins that may frame the page; without any, none may.
        framed_by: &'a [String],
    },
    /// A page of the dashboard: scripts and styles are files of ours, named with the page's nonce; its forms end at our own
    /// origin, and nobody frames it.
    Dashboard,
    /// A script that tells whoever opened the page, and nothing to click: `no-referrer`, framed by these origins only.
    Message {
        /// Origins that may frame the page; without any, all may.
        framed_by: &'a [String],
    },
}

impl Pages {
    /// Compiles the templates.
    ///
    /// # Errors
    /// `Internal` when one does not compile.
    pub fn load() -> Result<Self> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        words::add(&mut env, &Arc::new(Texts::load()?));
        for (name, text) in TEMPLATES.iter().chain(dashboard::TEMPLATES) {
            env.add_template(name, text).map_err(|e| Error::Internal(e.into()))?;
        }
        Ok(Self { env: Arc::new(env), audience: Audience::default() })
    }

    /// The same for whoever sent a request: in the language that it asks for.
    pub fn to(&self, headers: &HeaderMap, query: Option<&str>) -> Self {
        let audience = Audience::of(headers, query).reading(self.audience.look.clone());
        Self { audience, ..self.clone() }
    }

    /// The same in a product's name, as far as it is known whose page it is.
    pub fn of(&self, look: Option<Look>) -> Self {
        Self { audience: self.audience.clone().reading(look.map(Arc::new)), ..self.clone() }
    }

    /// Renders a page with its headers.
    pub fn render(&self, status: StatusCode, kind: Kind<'_>, name: &str, values: Value) -> Response {
        match self.try_render(kind, name, values) {
            Ok(mut response) => {
                *response.status_mut() = status;
                response
            }
            Err(error) => {
                tracing::error!(page = name, error = ?error, "a page could not be rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.").into_response()
            }
        }
    }

    /// A page that says what went wrong and what to do.
    pub fn error(&self, status: StatusCode, title: &str, message: &str) -> Response {
        self.render(status, Kind::Plain, "error.html", context! { title, message })
    }

    /// The error page for a form or a callback whose body can't be read.
    pub fn unreadable(&self, status: StatusCode) -> Response {
        let message = "What was sent can't be read; begin again.";
        self.error(status, "This can't be connected", message)
    }

    /// The error page for what the engine says.
    pub fn engine_error(&self, error: &Error) -> Response {
        let title = "This can't be connected";
        let (status, message) = match error {
            Error::Invalid { field: "flow", message } => {
                return self.expired(StatusCode::BAD_REQUEST, message);
            }
            Error::Invalid { field, message } if is_parameter(field) => {
                (StatusCode::BAD_REQUEST, format!("{field}: {message}."))
            }
            Error::Invalid { message, .. } => (StatusCode::BAD_REQUEST, sentence(message)),
            Error::Conflict { message } => (StatusCode::CONFLICT, sentence(message)),
            Error::Denied { message } => (StatusCode::FORBIDDEN, sentence(message)),
            Error::Unauthenticated { message } => (StatusCode::UNAUTHORIZED, sentence(message)),
            Error::NotFound { what } => (StatusCode::NOT_FOUND, format!("There is no such {what}.")),
            Error::Limited { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait a minute and try again.".to_owned())
            }
            other => {
                tracing::error!(error = ?other, "a page request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side; try again.".to_owned())
            }
        };
        let mut response = self.error(status, title, &message);
        if let Error::Limited { retry_after, .. } = error {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }

    /// The page of a flow that has none any more.
    pub fn expired(&self, status: StatusCode, message: &str) -> Response {
        self.render(status, Kind::Plain, "expired.html", context! { message => sentence(message) })
    }

    fn try_render(&self, kind: Kind<'_>, name: &str, values: Value) -> Result<Response> {
        let nonce = token()?;
        let script = matches!(kind, Kind::Form { .. } | Kind::Framed { .. })
            .then(|| Value::from_safe_string(assets::PAGE.to_owned()));
        let (lang, look) = (self.audience.language().tag(), self.audience.look.as_deref().map(look));
        let framed = matches!(kind, Kind::Framed { .. });
        let values = context! { nonce => nonce.expose(), lang, look, script, framed, ..values };
        let template = self.env.get_template(name).map_err(|e| Error::Internal(e.into()))?;
        let text = template.render(values).map_err(|e| Error::Internal(e.into()))?;
        let (more, framed_by, referrer) = match kind {
            Kind::Plain => ("; form-action 'none'".to_owned(), "'none'".to_owned(), "no-referrer"),
            Kind::Form { framed_by } | Kind::Framed { framed_by } => {
                let script = format!("; script-src 'nonce-{}'; connect-src 'self'", nonce.expose());
                let by = if framed_by.is_empty() { "'none'".to_owned() } else { framed_by.join(" ") };
                (script, by, "same-origin")
            }
            Kind::Dashboard => {
                let more = format!(
                    "; script-src 'nonce-{}'; connect-src 'self'; form-action 'self'",
                    nonce.expose()
                );
                (more, "'none'".to_owned(), "same-origin")
            }
            Kind::Message { framed_by } => {
                let script = format!("; form-action 'none'; script-src 'nonce-{}'", nonce.expose());
                let by = if framed_by.is_empty() { "*".to_owned() } else { framed_by.join(" ") };
                (script, by, "no-referrer")
            }
        };
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{}'; img-src 'self'; base-uri 'none'; frame-ancestors {framed_by}{more}",
            nonce.expose()
        );
        let mut response = Html(text).into_response();
        let headers = response.headers_mut();
        let policy = HeaderValue::from_str(&policy).map_err(|e| Error::Internal(e.into()))?;
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        put(headers, header::CACHE_CONTROL, "no-store");
        put(headers, header::REFERRER_POLICY, referrer);
        put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        Ok(response)
    }
}

/// What a page shows of whose it is. Nothing of it is markup, and a colour is made here.
fn look(look: &Look) -> Value {
    let logo =
        look.logo.as_ref().map(|hash| format!("/brand/{}/logo?v={}", look.client_id, picture::mark(hash)));
    let palette = look.brand.colour.as_deref().and_then(palette);
    let palette =
        palette.map(|Palette { fill, on_fill, light, dark }| context! { fill, on_fill, light, dark });
    context! { product => &look.product, logo, palette }
}

/// Whether a field is a parameter that the product's engineer gave; other fields say nothing to a customer.
fn is_parameter(field: &str) -> bool {
    matches!(
        field,
        "client_id"
            | "integration_id"
            | "redirect_uri"
            | "external_id"
            | "issuer"
            | "inputs"
            | "redirectUri"
            | "token"
            | "payload"
    )
}

/// A message as a sentence of its own.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if message.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// A redirect that leaves no trace: 302 answering GET, 303 answering POST, never stored, no referrer.
pub fn redirect(status: StatusCode, to: &str) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(to) {
        Ok(to) => headers.insert(header::LOCATION, to),
        Err(_) => {
            tracing::error!("a redirect target is no header value");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    put(headers, header::CACHE_CONTROL, "no-store");
    put(headers, header::REFERRER_POLICY, "no-referrer");
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
