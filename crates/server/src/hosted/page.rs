//! How a page is written: strict templates, a nonce for its one style sheet, headers that keep it private.
//!
//! Everything a template shows is escaped. There is no script on any page but the one that tells a window's opener how it
//! ended, and that one has no values in it.

use std::sync::Arc;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use claviger_engine::{
    error::{Error, Result},
    secret::token,
};
use minijinja::{Environment, UndefinedBehavior, Value, context};

const TEMPLATES: [(&str, &str); 8] = [
    ("_form.html", include_str!("../../templates/_form.html")),
    ("base.html", include_str!("../../templates/base.html")),
    ("error.html", include_str!("../../templates/error.html")),
    ("connect.html", include_str!("../../templates/connect.html")),
    ("done.html", include_str!("../../templates/done.html")),
    ("landing.html", include_str!("../../templates/landing.html")),
    ("sign_in.html", include_str!("../../templates/sign_in.html")),
    ("told.html", include_str!("../../templates/told.html")),
];

/// The templates, compiled.
#[derive(Clone)]
pub struct Pages(Arc<Environment<'static>>);

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
        for (name, text) in TEMPLATES {
            env.add_template(name, text).map_err(|e| Error::Internal(e.into()))?;
        }
        Ok(Self(Arc::new(env)))
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
        if let Error::Limited { retry_after } = error {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }

    fn try_render(&self, kind: Kind<'_>, name: &str, values: Value) -> Result<Response> {
        let nonce = token()?;
        let values = context! { nonce => nonce.expose(), ..values };
        let template = self.0.get_template(name).map_err(|e| Error::Internal(e.into()))?;
        let text = template.render(values).map_err(|e| Error::Internal(e.into()))?;
        let (more, framed_by, referrer) = match kind {
            Kind::Plain => ("; form-action 'none'".to_owned(), "'none'".to_owned(), "no-referrer"),
            Kind::Form { framed_by: [] } => (String::new(), "'none'".to_owned(), "same-origin"),
            Kind::Form { framed_by } => (String::new(), framed_by.join(" "), "same-origin"),
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
    format!("{first}{}.", letters.as_str())
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

fn put(headers: &mut axum::http::HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_renders_strictly_and_escapes() {
        let pages = Pages::load().expect("templates compile");
        let bad = "<script>alert(1)</script>";
        let input = context! { name => bad, title => bad, description => bad, help => bad, placeholder => bad, value => bad, error => bad, required => true, secret => true };
        let (one, none) = (vec![input.clone()], Vec::<Value>::new());
        let asked = |keys: &Vec<Value>,
                     inputs: &Vec<Value>,
                     owner: Option<&str>,
                     confirm: bool,
                     member: bool| {
            let fields: Vec<&Value> = inputs.iter().chain(keys).collect();
            let form =
                context! { action => bad, hidden => (), integration => bad, leaves => confirm, fields };
            context! { integration => bad, product => bad, owner, confirm, member, shared => true, leaves => confirm, keys => !keys.is_empty(), form }
        };
        let connection = context! { id => bad, integration => bad, account => bad, owner => bad, scopes => bad, curl => bad };
        for (name, values) in [
            ("error.html", context! { title => bad, message => bad }),
            ("connect.html", asked(&none, &one, Some(bad), true, false)),
            ("connect.html", asked(&one, &one, Some(bad), true, true)),
            ("connect.html", asked(&one, &none, None, false, true)),
            ("connect.html", asked(&none, &none, None, false, false)),
            ("done.html", context! { integration => bad, failure => (), said => () }),
            ("done.html", context! { integration => bad, failure => bad, said => bad }),
            ("landing.html", context! { connection, error => () }),
            ("landing.html", context! { connection => (), error => bad }),
            ("sign_in.html", context! { error => bad }),
            ("told.html", context! { integration => bad, failure => (), message => bad, target => bad }),
            ("told.html", context! { integration => (), failure => bad, message => bad, target => () }),
        ] {
            let template = pages.0.get_template(name).expect("a template");
            let text = template.render(context! { nonce => "n", ..values }).expect("it renders");
            let own = if name == "told.html" { 1 } else { 0 };
            assert_eq!(text.matches("<script").count(), own, "{name} escapes");
            assert!(!text.contains("alert(1)</script"), "{name} escapes");
            assert!(text.contains("&lt;script"), "{name} shows its values");
        }
    }
}
