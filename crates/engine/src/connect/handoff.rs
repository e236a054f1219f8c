//! The handoff: how a flow hands the browser back. Chosen at the start, performed at the end.
//!
//! The redirect URI's own bytes are kept: parameters are appended to its text, and the product's state goes
//! back as the very bytes it came in. Nothing here decides whether a target may be redirected to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    domain::{
        connection::OwnerKind,
        flow::{Flow, Handoff, Style},
        workspace::Settings,
    },
    error::{Error, Result},
    id::{ConnectionId, FlowId},
    secret::Secret,
};

/// Everything but RFC 3986's unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the browser goes when a flow has ended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// To this URL, which may carry a one-time code.
    Redirect {
        /// The registered redirect URI with parameters appended.
        url: String,
    },
    /// To our own page that says how it ended.
    Landing(Landing),
    /// To the page of ours that tells it to whoever opened the window.
    Message(Message),
    /// To an error page of ours: the browser or the callback can't be trusted with a redirect.
    Page {
        /// What went wrong and what to do, for the person in front of the browser.
        message: String,
    },
}

/// What our own page says at the end of a flow.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The flow's id, which the page's URL names.
    pub flow: String,
    /// The integration's name.
    pub integration: String,
    /// What went wrong, in our words; `None` when it is connected.
    pub failure: Option<String>,
    /// The provider's own words for that, where it gave any: plain text.
    pub said: Option<String>,
}

/// What whoever opened the window is told at the end of a flow.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The flow's id, which the page's URL names; `None` where it ended before there was a flow.
    pub flow: Option<String>,
    /// The origin that may hear it, or `*`; `None` where no page may.
    pub target: Option<String>,
    /// The id by which the caller knows its request.
    pub request: Option<String>,
    /// How it ended.
    pub ended: Ended,
}

/// How a flow ended, for whoever listens for its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With this connection.
    Connected(String),
    /// Without one.
    Failed(Failure),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// An error name of OAuth's (RFC 6749 §4.1.2.1), or one of ours.
    pub error: String,
    /// What happened, for a person: the provider's words where it gave any, else ours.
    pub text: String,
    /// The same in our words, where `text` is what the provider said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    /// The parameter at fault, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Failure {
    /// A request was refused, or came to nothing, before there was a flow.
    pub(crate) fn of(error: &Error) -> Self {
        let (name, text, field) = match error {
            Error::NotFound { what } => ("not_found", format!("there is no such {what}"), None),
            Error::Invalid { field, message } => {
                ("invalid_request", format!("{field}: {message}"), Some((*field).to_owned()))
            }
            Error::Conflict { message } => ("configuration", message.clone(), None),
            Error::Unauthenticated { message } => ("not_authenticated", message.clone(), None),
            Error::Denied { message } => ("not_permitted", message.clone(), None),
            Error::Limited { .. } => {
                ("rate_limit_exceeded", "too many attempts; wait a minute and try again".to_owned(), None)
            }
            Error::Provider { message, .. } | Error::TargetNotAllowed { message } => {
                tracing::warn!(%message, "a connection could not be made");
                let text = "the service could not be reached; try again later";
                ("temporarily_unavailable", text.to_owned(), None)
            }
            Error::NotSupported { message } => ("invalid_request", message.clone(), None),
            Error::NeedsReauth { .. } | Error::Internal(_) => {
                tracing::error!(?error, "a connection could not be made");
                ("server_error", "something went wrong on our side; try again".to_owned(), None)
            }
        };
        Self { error: name.to_owned(), text, ours: None, field }
    }

    /// What happened in our words, and in the provider's where it gave any.
    pub fn words(&self) -> (&str, Option<&str>) {
        match &self.ours {
            Some(ours) => (ours, Some(&self.text)),
            None => (&self.text, None),
        }
    }

    /// An id by which somebody would listen was used before.
    pub(crate) fn taken() -> Self {
        let text = "this requestId was used before; make up another one";
        let field = Some("requestId".into());
        Self { error: "already_exists".into(), text: text.into(), ours: None, field }
    }

    /// For programs, as a redirect, a message and a stream carry it.
    pub fn data(&self) -> Value {
        let (kind, key) = match self.error.as_str() {
            "invalid_request" => ("bad_request", None),
            "configuration" => ("configuration", None),
            "not_permitted" => ("bad_request", Some("access_denied")),
            key @ ("not_found" | "already_exists" | "not_authenticated" | "rate_limit_exceeded") => {
                ("bad_request", Some(key))
            }
            _ => ("connection", None),
        };
        let mut data = json!({ "type": kind, "message": self.text, "data": { "error": self.error } });
        if let Some(key) = key {
            data["key"] = key.into();
        }
        if let Some(field) = &self.field {
            data["data"]["field"] = field.as_str().into();
        }
        data
    }

    /// As it is kept with the request that it is the end of.
    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Internal(e.into()))
    }

    /// Reads what [`Failure::to_text`] wrote.
    pub(super) fn from_text(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::Internal(e.into()))
    }
}

impl From<Refusal<'_>> for Failure {
    fn from(refusal: Refusal<'_>) -> Self {
        let Refusal { error, text, said } = refusal;
        let ours = said.map(|_| text.to_owned());
        Self { error: error.to_owned(), text: said.unwrap_or(text).to_owned(), ours, field: None }
    }
}

impl Outcome {
    /// As it is sealed into the flow's row.
    pub(super) fn to_secret(&self) -> Result<Secret> {
        serde_json::to_string(self).map(Secret::new).map_err(|e| Error::Internal(e.into()))
    }

    /// Reads what [`Outcome::to_secret`] wrote.
    pub(super) fn from_secret(text: &Secret) -> Result<Self> {
        serde_json::from_str(text.expose()).map_err(|e| Error::Internal(e.into()))
    }
}

/// Why a flow did not end well.
#[derive(Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// An error name of OAuth's (RFC 6749 §4.1.2.1).
    pub error: &'a str,
    /// What happened, in our words.
    pub text: &'a str,
    /// The provider's words, which a redirect carries in place of ours.
    pub said: Option<&'a str>,
}

impl<'a> Refusal<'a> {
    /// One in our words only.
    pub(super) fn of(error: &'a str, text: &'a str) -> Self {
        Self { error, text, said: None }
    }
}

/// What a refusal at the provider's is in our words, by its error name.
pub(super) fn ours(error: &str) -> &'static str {
    match error {
        "access_denied" => "you did not allow it",
        _ => "the service did not grant access",
    }
}

/// Whether the browser is to carry a one-time code, which the product's server exchanges.
pub(super) fn carries_code(handoff: &Handoff) -> bool {
    matches!(handoff, Handoff::Redirect { style: Style::BundleUp, .. })
}

/// The flow ended well: back to the product with what its settings let the redirect carry.
///
/// `connection` is absent with completion `server`, where the redirect carries `code` and `state` only; `code` is
/// there where the handoff [carries one](carries_code).
pub(super) fn connected(
    flow: &Flow,
    settings: &Settings,
    connection: Option<&ConnectionId>,
    code: Option<&Secret>,
) -> Outcome {
    let (uri, style, integration, state) = match &flow.handoff {
        Handoff::Redirect { uri, style, integration, state } => (uri, *style, integration, state.as_deref()),
        Handoff::Landing { integration } => return landing(flow, integration, None),
        Handoff::Popup { .. } => {
            let id = connection.map(ConnectionId::to_string).unwrap_or_default();
            return popup(Some(&flow.id), &flow.handoff, Ended::Connected(id));
        }
    };
    let mut pairs = Vec::new();
    match (style, connection) {
        (Style::BundleUp, Some(connection)) => {
            if settings.include_connection_id {
                pairs.push(("connection_id", connection.as_str()));
            }
            pairs.push(("integration_id", integration.as_str()));
            if let (true, OwnerKind::External, Some(key)) =
                (settings.include_external_id, flow.owner.kind, flow.owner.key.as_deref())
            {
                pairs.push(("external_id", key));
            }
        }
        (Style::BundleUp, None) => {}
        (Style::Informer, connection) => {
            pairs.push(("integrationId", integration.as_str()));
            pairs.extend(connection.map(|connection| ("connectionId", connection.as_str())));
        }
    }
    pairs.extend(code.map(|code| ("code", code.expose())));
    Outcome::Redirect { url: append(uri, &pairs, state) }
}

/// The flow did not end well: back to the product with an OAuth error, or to our page with our words.
pub(super) fn refused(flow: &Flow, refusal: Refusal<'_>) -> Outcome {
    match &flow.handoff {
        Handoff::Redirect { .. } => not_begun(&flow.handoff, refusal),
        Handoff::Popup { .. } => popup(Some(&flow.id), &flow.handoff, Ended::Failed(refusal.into())),
        Handoff::Landing { integration } => landing(flow, integration, Some(refusal)),
    }
}

/// A flow that is not there yet does not begin: back to the product with an OAuth error (RFC 6749 §4.1.2.1).
pub(super) fn not_begun(handoff: &Handoff, refusal: Refusal<'_>) -> Outcome {
    let Refusal { error, text, said } = refusal;
    let Handoff::Redirect { uri, style, integration, state } = handoff else {
        return Outcome::Page { message: text.to_owned() };
    };
    let mut pairs = vec![("error", error), ("error_description", said.unwrap_or(text))];
    match style {
        Style::BundleUp => {}
        Style::Informer => pairs.push(("integrationId", integration.as_str())),
    }
    Outcome::Redirect { url: append(uri, &pairs, state.as_deref()) }
}

/// To the URI that the caller gave, or to the page that tells whoever opened the window.
pub(crate) fn popup(flow: Option<&FlowId>, handoff: &Handoff, ended: Ended) -> Outcome {
    let Handoff::Popup { target, request, uri } = handoff else {
        return Outcome::Page { message: "this ended elsewhere".to_owned() };
    };
    match uri {
        Some(uri) => Outcome::Redirect { url: told(uri, &ended) },
        None => Outcome::Message(Message {
            flow: flow.map(FlowId::to_string),
            target: target.clone(),
            request: request.clone(),
            ended,
        }),
    }
}

/// A URI with how it ended in its query, form-encoded; its own query and fragment stay.
fn told(uri: &str, ended: &Ended) -> String {
    let (head, fragment) = match uri.split_once('#') {
        Some((head, fragment)) => (head, format!("#{fragment}")),
        None => (uri, String::new()),
    };
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    match ended {
        Ended::Connected(connection) => form.append_pair("connectionId", connection),
        Ended::Failed(failure) => {
            form.append_pair("error", &failure.text).append_pair("errorData", &failure.data().to_string())
        }
    };
    let between = match head.find('?') {
        None => "?",
        Some(at) if at + 1 == head.len() || head.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{head}{between}{}{fragment}", form.finish())
}

fn landing(flow: &Flow, integration: &str, refusal: Option<Refusal<'_>>) -> Outcome {
    Outcome::Landing(Landing {
        flow: flow.id.to_string(),
        integration: integration.to_owned(),
        failure: refusal.map(|refusal| refusal.text.to_owned()),
        said: refusal.and_then(|refusal| refusal.said).map(str::to_owned),
    })
}

/// Appends parameters to a URI's text; `state` is percent-encoded already and goes last, as it came.
fn append(uri: &str, pairs: &[(&str, &str)], state: Option<&str>) -> String {
    let mut url = uri.to_owned();
    let mut next = match uri.find('?') {
        None => '?',
        Some(at) if at + 1 == uri.len() || uri.ends_with('&') => '\0',
        Some(_) => '&',
    };
    let mut push = |text: String| {
        if next != '\0' {
            url.push(next);
        }
        next = '&';
        url.push_str(&text);
    };
    for (name, value) in pairs {
        push(format!("{name}={}", utf8_percent_encode(value, VALUE)));
    }
    if let Some(state) = state {
        push(format!("state={state}"));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uris_own_query_is_kept_and_the_state_is_untouched() {
        let pairs = [("code", "a b+c")];
        for (uri, want) in [
            ("https://a.test/cb", "https://a.test/cb?code=a%20b%2Bc&state=x+y%2Fz"),
            ("https://a.test/cb?tenant=7", "https://a.test/cb?tenant=7&code=a%20b%2Bc&state=x+y%2Fz"),
            ("https://a.test/cb?", "https://a.test/cb?code=a%20b%2Bc&state=x+y%2Fz"),
            ("https://a.test/cb?a=1&", "https://a.test/cb?a=1&code=a%20b%2Bc&state=x+y%2Fz"),
            ("myapp://cb", "myapp://cb?code=a%20b%2Bc&state=x+y%2Fz"),
        ] {
            assert_eq!(append(uri, &pairs, Some("x+y%2Fz")), want);
        }
        assert_eq!(append("https://a.test/", &[], None), "https://a.test/");
    }

    #[test]
    fn a_popups_uri_keeps_its_query_and_its_fragment() {
        let refusal =
            Refusal { error: "access_denied", text: "you did not allow it", said: Some("OAuth failed") };
        let failed = Failure::from(refusal);
        assert_eq!(failed.words(), ("you did not allow it", Some("OAuth failed")));
        for (uri, ended, want) in [
            ("https://a.test/cb", Ended::Connected("conn_1".into()), "https://a.test/cb?connectionId=conn_1"),
            (
                "https://a.test/cb?x=1#y",
                Ended::Connected("c".into()),
                "https://a.test/cb?x=1&connectionId=c#y",
            ),
            (
                "https://a.test/cb?",
                Ended::Failed(failed),
                "https://a.test/cb?error=OAuth+failed&errorData=%7B%22type%22%3A%22connection%22%2C%22message%22%3A\
                 %22OAuth+failed%22%2C%22data%22%3A%7B%22error%22%3A%22access_denied%22%7D%7D",
            ),
        ] {
            assert_eq!(told(uri, &ended), want);
        }
    }

    #[test]
    fn an_outcome_reads_back_from_its_sealed_form() {
        let landing = Landing {
            flow: "flow_1".into(),
            integration: "GitHub".into(),
            failure: Some("no".into()),
            said: None,
        };
        for outcome in [
            Outcome::Redirect { url: "https://a.test/?code=1".into() },
            Outcome::Landing(landing),
            Outcome::Message(Message {
                flow: Some("flow_1".into()),
                target: Some("*".into()),
                request: None,
                ended: Ended::Connected("conn_1".into()),
            }),
            Outcome::Page { message: "no".into() },
        ] {
            let Ok(text) = outcome.to_secret() else { panic!("an outcome is written") };
            assert!(Outcome::from_secret(&text).is_ok_and(|back| back == outcome));
        }
    }
}
