//! The handoff: how a flow hands the browser back. Chosen at the start, performed at the end.
//!
//! The redirect URI's own bytes are kept: parameters are appended to its text, and the product's state goes
//! back as the very bytes it came in. Nothing here decides whether a target may be redirected to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        connection::OwnerKind,
        flow::{Flow, Handoff, Style},
        workspace::Settings,
    },
    error::{Error, Result},
    id::ConnectionId,
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
    /// To an error page of ours: the browser or the callback can't be trusted with a redirect.
    Page {
        /// What went wrong and what to do, for the person in front of the browser.
        message: String,
    },
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

/// The flow ended well: back to the product with what its settings let the redirect carry.
///
/// `connection` is absent with completion `server`, where the redirect carries `code` and `state` only.
pub(super) fn connected(
    flow: &Flow,
    settings: &Settings,
    connection: Option<&ConnectionId>,
    code: &Secret,
) -> Outcome {
    let Handoff::Redirect { uri, style: Style::BundleUp, integration, state } = &flow.handoff;
    let mut pairs = Vec::new();
    if let Some(connection) = connection {
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
    pairs.push(("code", code.expose()));
    Outcome::Redirect { url: append(uri, &pairs, state.as_deref()) }
}

/// The flow did not end well, or did not begin: back to the product with an OAuth error (RFC 6749 §4.1.2.1).
pub(super) fn refused(handoff: &Handoff, error: &str, description: &str) -> Outcome {
    let Handoff::Redirect { uri, style: Style::BundleUp, state, .. } = handoff;
    let pairs = [("error", error), ("error_description", description)];
    Outcome::Redirect { url: append(uri, &pairs, state.as_deref()) }
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
    fn an_outcome_reads_back_from_its_sealed_form() {
        let outcome = Outcome::Redirect { url: "https://a.test/?code=1".into() };
        let Ok(text) = outcome.to_secret() else { panic!("an outcome is written") };
        assert!(Outcome::from_secret(&text).is_ok_and(|back| back == outcome));
    }
}
