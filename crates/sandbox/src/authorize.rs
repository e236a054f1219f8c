//! `/authorize`: who asks for what, the person's decision, and the way back (RFC 6749 §4.1, RFC 7636, RFC 9207).
//!
//! Client and redirect URI are checked before anything else. Until both hold, the answer is a page and must never
//! be a redirect. `GET` asks, `POST` to the same URL decides, and both read the request anew: nothing is kept
//! between them. Look next at `page.rs` for the form and `token.rs` for what happens to the code.

use crate::account::{self, Account};
use crate::config::{Client, Config};
use crate::faults::Faults;
use crate::page;
use crate::params::{self, Params};
use crate::random;
use crate::respond;
use crate::state::{Code, Sandbox, Shared};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use std::time::Duration;

/// How long a code may be exchanged (RFC 6749 §4.1.2 recommends ten minutes at most).
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// A request that a person can decide on.
struct Asked<'a> {
    way_back: WayBack<'a>,
    challenge: &'a str,
    scopes: Vec<String>,
}

/// Where the browser goes afterwards; exists only for a registered redirect URI.
struct WayBack<'a> {
    client: &'a Client,
    redirect_uri: &'a str,
    state: Option<&'a str>,
}

/// Why a person is not asked.
enum Refusal<'a> {
    /// Nobody to send the browser back to.
    Page(&'static str),
    Redirect(WayBack<'a>, &'static str, String),
}

/// `GET /authorize`: the consent page.
pub(crate) async fn ask(State(sandbox): State<Shared>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let params = Params::parse(query.as_bytes());
    let faults = {
        let mut memory = sandbox.lock();
        memory.stats.authorize_requests += 1;
        memory.faults.clone()
    };
    let asked = match read(&sandbox.config, &params) {
        Ok(asked) => asked,
        Err(refusal) => return refuse(&sandbox.config, &faults, StatusCode::FOUND, &refusal),
    };
    if let Some(error) = &faults.authorize_error {
        return asked.way_back.error(&sandbox.config, &faults, StatusCode::FOUND, error, "on purpose");
    }
    let chosen = params.get("login_hint").and_then(account::find);
    page::consent(&page::Consent {
        client_id: &asked.way_back.client.id,
        redirect_uri: asked.way_back.redirect_uri,
        scopes: &asked.scopes,
        query,
        chosen,
    })
}

/// `POST /authorize?…`: the decision, with the request still in the query.
pub(crate) async fn decide(State(sandbox): State<Shared>, uri: Uri, body: Bytes) -> Response {
    let params = Params::parse(uri.query().unwrap_or_default().as_bytes());
    let faults = sandbox.lock().faults.clone();
    let asked = match read(&sandbox.config, &params) {
        Ok(asked) => asked,
        Err(refusal) => return refuse(&sandbox.config, &faults, StatusCode::SEE_OTHER, &refusal),
    };
    let form = Params::parse(&body);
    match (form.get("decision"), form.get("account").and_then(account::find)) {
        (Some("allow"), Some(account)) => allow(&sandbox, &faults, asked, account),
        (Some("deny"), _) => {
            sandbox.lock().stats.denied += 1;
            let why = "the person refused";
            asked.way_back.error(&sandbox.config, &faults, StatusCode::SEE_OTHER, "access_denied", why)
        }
        _ => page::error("The form was incomplete: choose an account, then Allow or Deny."),
    }
}

fn allow(sandbox: &Sandbox, faults: &Faults, asked: Asked<'_>, account: &'static Account) -> Response {
    let code = random::text("sbx_code_");
    let mut scopes = asked.scopes;
    if let Some(granted) = &faults.granted_scopes {
        scopes.retain(|scope| granted.contains(scope));
    }
    {
        let mut memory = sandbox.lock();
        let expires = memory.now().saturating_add(CODE_LIFETIME);
        memory.stats.allowed += 1;
        memory.codes.insert(
            code.clone(),
            Code {
                client_id: asked.way_back.client.id.clone(),
                redirect_uri: asked.way_back.redirect_uri.to_owned(),
                challenge: asked.challenge.to_owned(),
                account,
                scopes,
                expires,
                grant: None,
            },
        );
    }
    asked.way_back.go(&sandbox.config, faults, StatusCode::SEE_OTHER, &[("code", code.as_str())])
}

/// Checks the request in the order that keeps strangers from being redirected to.
fn read<'a>(config: &'a Config, params: &'a Params) -> Result<Asked<'a>, Refusal<'a>> {
    if params.is_repeated("client_id") || params.is_repeated("redirect_uri") {
        return Err(Refusal::Page("The client or the redirect URI is given more than once."));
    }
    let Some(client) = params.get("client_id").and_then(|id| config.client(id)) else {
        return Err(Refusal::Page("The client is unknown."));
    };
    let Some(redirect_uri) = params.get("redirect_uri").filter(|uri| client.may_redirect_to(uri)) else {
        return Err(Refusal::Page("The redirect URI is not registered for this client."));
    };
    let state = params.get("state").filter(|_| !params.is_repeated("state"));
    let way_back = WayBack { client, redirect_uri, state };
    let scopes = params.get("scope").map_or_else(|| Some(vec!["profile".to_owned()]), params::scopes);
    let challenge = params.get("code_challenge");
    let problem = match (params.repeated(), params.get("response_type"), params.get("code_challenge_method"))
    {
        (Some(name), ..) => Some(("invalid_request", format!("{name} is given more than once"))),
        (_, None, _) => Some(("invalid_request", "response_type is missing".to_owned())),
        (_, Some(other), _) if other != "code" => {
            Some(("unsupported_response_type", "response_type must be code".to_owned()))
        }
        (_, _, method) if method != Some("S256") => {
            Some(("invalid_request", "PKCE with code_challenge_method=S256 is required".to_owned()))
        }
        _ if !challenge.is_some_and(is_challenge) => {
            Some(("invalid_request", "code_challenge must be 43 characters of base64url".to_owned()))
        }
        _ => None,
    };
    match (problem, scopes, challenge) {
        (Some((error, why)), ..) => Err(Refusal::Redirect(way_back, error, why)),
        (None, Some(scopes), Some(challenge)) => Ok(Asked { way_back, challenge, scopes }),
        _ => Err(Refusal::Redirect(way_back, "invalid_scope", "scope is malformed".to_owned())),
    }
}

/// SHA-256 in base64url without padding has 43 characters.
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn refuse(config: &Config, faults: &Faults, status: StatusCode, refusal: &Refusal<'_>) -> Response {
    match refusal {
        Refusal::Page(why) => page::error(why),
        Refusal::Redirect(way_back, error, why) => way_back.error(config, faults, status, error, why),
    }
}

impl WayBack<'_> {
    fn error(
        &self,
        config: &Config,
        faults: &Faults,
        status: StatusCode,
        error: &str,
        why: &str,
    ) -> Response {
        self.go(config, faults, status, &[("error", error), ("error_description", why)])
    }

    /// Redirects with `pairs`, the state that came in, and the issuer.
    fn go(&self, config: &Config, faults: &Faults, status: StatusCode, pairs: &[(&str, &str)]) -> Response {
        let mut pairs = pairs.to_vec();
        pairs.extend(self.state.map(|state| ("state", state)));
        if !faults.omit_iss {
            pairs.push(("iss", faults.iss.as_deref().unwrap_or(&config.issuer)));
        }
        respond::redirect(status, self.redirect_uri, &pairs)
            .unwrap_or_else(|| page::error("The redirect URI cannot be sent in a header."))
    }
}
