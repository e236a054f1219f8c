//! The sandbox's pages: consent, error, index.
//!
//! Plain HTML with one style block under a nonce; no script, nothing from elsewhere. Every value from outside goes
//! through [`escape`]; none may go around it. Look next at `authorize.rs`.

use crate::account::{ACCOUNTS, Account};
use crate::random;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --accent: #1f6feb; }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; min-height: 100vh; display: grid; place-items: center;
  font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; }
.tag { margin: 0 0 1rem; padding: .4rem .75rem; border-radius: .5rem; background: #f5c54233; font-size: .875rem; }
h1 { margin: 0 0 .75rem; font-size: 1.25rem; line-height: 1.3; overflow-wrap: anywhere; }
p, li { overflow-wrap: anywhere; }
ul { padding-left: 1.25rem; }
fieldset { margin: 1rem 0; padding: .25rem .75rem .5rem; border: 1px solid var(--line); border-radius: .5rem; }
label { display: flex; gap: .6rem; align-items: center; padding: .5rem 0; min-height: 2.75rem; }
.small { font-size: .875rem; opacity: .8; }
.buttons { display: flex; gap: .75rem; }
button { flex: 1; min-height: 2.75rem; font: inherit; border: 1px solid var(--line); border-radius: .5rem;
  background: transparent; color: inherit; cursor: pointer; }
button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
";

/// What the consent page shows.
pub(crate) struct Consent<'a> {
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    pub scopes: &'a [String],
    /// The raw query of the request; the form posts to the same one.
    pub query: &'a str,
    /// The account that is preselected.
    pub chosen: Option<&'static Account>,
}

/// The page with the accounts and the buttons. Its field and button names are stable: tests click them.
pub(crate) fn consent(consent: &Consent<'_>) -> Response {
    let chosen = consent.chosen.unwrap_or(&ACCOUNTS[0]).key;
    let accounts: String = ACCOUNTS
        .iter()
        .map(|account| {
            let Account { key, name, email, .. } = account;
            let checked = if *key == chosen { " checked" } else { "" };
            format!(
                r#"<label for="account-{key}"><input type="radio" id="account-{key}" name="account" value="{key}"{checked}>
<span>{name}<br><span class="small">{email}</span></span></label>"#
            )
        })
        .collect();
    let scopes: String =
        consent.scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape(scope))).collect();
    let body = format!(
        r#"<h1>Allow <strong id="client">{client}</strong> to use your account?</h1>
<p>It asks for:</p>
<ul id="scopes">{scopes}</ul>
<form method="post" action="/authorize?{query}">
<fieldset><legend>Account</legend>{accounts}</fieldset>
<div class="buttons">
<button type="submit" id="deny" name="decision" value="deny">Deny</button>
<button type="submit" id="allow" name="decision" value="allow" class="main">Allow</button>
</div>
</form>
<p class="small">Afterwards you go to <span id="target">{target}</span></p>"#,
        client = escape(consent.client_id),
        query = escape(consent.query),
        target = escape(consent.redirect_uri),
    );
    page(StatusCode::OK, "Allow access", &body)
}

/// An error shown to the person, because there is nowhere to send them.
pub(crate) fn error(why: &str) -> Response {
    let body = format!(r#"<h1>This request cannot be answered</h1><p id="error">{}</p>"#, escape(why));
    page(StatusCode::BAD_REQUEST, "Error", &body)
}

/// `GET /`.
pub(crate) async fn index() -> Response {
    let body = "<h1>Sandbox provider</h1><p>An OAuth 2 authorization server for trying and testing. It begins at \
        <code>/authorize</code>; its metadata is at <code>/.well-known/oauth-authorization-server</code>.</p>";
    page(StatusCode::OK, "Sandbox", body)
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let nonce = random::text("");
    // No `form-action`: the answer to the form redirects to another site.
    let policy =
        format!("default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'");
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Sandbox</title>
<style nonce="{nonce}">{STYLE}</style>
</head>
<body>
<main>
<p class="tag">Sandbox – for trying and testing. No real account is touched.</p>
{body}
</main>
</body>
</html>
"#
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "same-origin".to_owned()),
    ];
    (status, headers, html).into_response()
}

/// Makes text safe between tags and inside quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape(r#"<a href="x" id='y'>&"#), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
    }
}
