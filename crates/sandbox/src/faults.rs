//! What goes wrong on purpose: `POST /faults` sets, `GET` shows, `DELETE` clears.
//!
//! Faults are data that the endpoints look up; an endpoint must never misbehave without one. Look next at
//! `token.rs` and `api.rs`, which act on them, and `stats.rs` for the counters.

use crate::api::final_status;
use crate::respond;
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Every fault there is. The default of each field is "none". `POST /faults` changes the fields it names and leaves
/// the others; `null` puts a field back to its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// `/authorize` shows no page and redirects back with this error code.
    pub authorize_error: Option<String>,
    /// The callback carries this `iss` instead of the sandbox's own (a mix-up, RFC 9207).
    pub iss: Option<String>,
    /// The callback carries no `iss`.
    pub omit_iss: bool,
    /// Of the scopes asked for, only these are granted.
    pub granted_scopes: Option<Vec<String>>,

    /// The `token_…` faults below hit only requests of this grant type.
    pub token_grant: Option<String>,
    /// The `token_…` faults below hit this many requests, then no more; shows how many are left.
    pub token_times: Option<u32>,
    /// Milliseconds before the token endpoint does anything.
    pub token_delay_ms: u64,
    /// The token endpoint ends what it began, though the caller hangs up: as most real ones do.
    pub token_goes_on: bool,
    /// Milliseconds after the work is done and before the answer: a caller that gives up has lost the tokens.
    pub token_answer_delay_ms: u64,
    /// The token endpoint does nothing and answers with this status.
    pub token_status: Option<u16>,
    /// The body of that answer, sent as JSON; alone it comes with status 200.
    pub token_body: Option<String>,
    /// `Retry-After` on answers of the token endpoint.
    pub token_retry_after: Option<String>,
    /// The token endpoint does nothing and answers with an HTML page (and `token_status`, or 200).
    pub token_html: bool,
    /// The token endpoint does nothing and answers with a body of about this many bytes.
    pub token_huge_bytes: Option<u64>,
    /// The token endpoint does nothing and answers 200 with this error code in the body.
    pub token_error_in_200: Option<String>,
    /// The token endpoint does its work, and the answer breaks off: the outcome is unknown to the caller.
    pub token_broken: bool,

    /// Token answers carry no `expires_in`; the tokens expire all the same.
    pub omit_expires_in: bool,
    /// Seconds that new access tokens live and that `expires_in` says.
    pub expires_in: Option<u64>,
    /// `expires_in` is a string of digits instead of a number.
    pub expires_in_as_text: bool,
    /// Token answers carry no `scope`.
    pub omit_scope: bool,
    /// Code exchanges give no refresh token.
    pub omit_refresh_token: bool,
    /// A refresh does not spend the refresh token, and its answer carries none.
    pub no_rotation: bool,
    /// A spent refresh token works again (still counted).
    pub reuse_detection_off: bool,
    /// Seconds for which a spent refresh token works again: it gives new tokens, and the refresh token that it gave before
    /// dies. Once that one was used, the spent one is refused as ever.
    pub reuse_grace_seconds: Option<u64>,
    /// A spent refresh token is refused and counted, and the grant lives on.
    pub count_only: bool,

    /// `/userinfo` answers with this status.
    pub userinfo_status: Option<u16>,
    /// `/revoke` does nothing and answers with this status.
    pub revoke_status: Option<u16>,
    /// `/introspect` says nothing and answers with this status.
    pub introspect_status: Option<u16>,

    /// The next calls under `/api` get these statuses, one each; a 2xx lets the call through. Shows what is left.
    pub api_statuses: Vec<u16>,
    /// `Retry-After` on the answers made by `api_statuses`.
    pub api_retry_after: Option<String>,
    /// The next call under `/api` with a valid token gets 401.
    pub api_401_once: bool,
    /// Milliseconds before each answer under `/api`.
    pub api_delay_ms: u64,
    /// Headers added to each answer under `/api` (a `Set-Cookie`, for instance).
    pub api_headers: BTreeMap<String, String>,

    /// Seconds that the sandbox's clock runs ahead: what would expire within them has expired.
    pub clock_ahead_seconds: u64,
}

/// What happens to one token request.
#[derive(Default)]
pub(crate) struct TokenFault {
    pub delay: Duration,
    pub answer_delay: Duration,
    pub instead: Option<Instead>,
    pub retry_after: Option<String>,
    pub broken: bool,
    pub goes_on: bool,
}

/// What the token endpoint says instead of doing its work.
pub(crate) enum Instead {
    Status(StatusCode, Option<String>),
    Html(StatusCode),
    Huge(u64),
    ErrorIn200(String),
}

impl Faults {
    /// The fault of the token request that came just now; uses up one of `token_times`.
    pub(crate) fn take_token_fault(&mut self, grant_type: &str) -> TokenFault {
        let other_grant = self.token_grant.as_deref().is_some_and(|only| only != grant_type);
        if other_grant || self.token_times == Some(0) {
            return TokenFault::default();
        }
        self.token_times = self.token_times.map(|left| left - 1);
        TokenFault {
            delay: Duration::from_millis(self.token_delay_ms),
            answer_delay: Duration::from_millis(self.token_answer_delay_ms),
            instead: self.instead(),
            retry_after: self.token_retry_after.clone(),
            broken: self.token_broken,
            goes_on: self.token_goes_on,
        }
    }

    fn instead(&self) -> Option<Instead> {
        let status = self.token_status.and_then(final_status);
        if self.token_html {
            return Some(Instead::Html(status.unwrap_or(StatusCode::OK)));
        }
        if let Some(bytes) = self.token_huge_bytes {
            return Some(Instead::Huge(bytes));
        }
        if let Some(error) = &self.token_error_in_200 {
            return Some(Instead::ErrorIn200(error.clone()));
        }
        (status.is_some() || self.token_body.is_some())
            .then(|| Instead::Status(status.unwrap_or(StatusCode::OK), self.token_body.clone()))
    }

    /// The status the API call that came just now gets instead of its answer, and the headers added to it.
    pub(crate) fn take_api_fault(
        &mut self,
    ) -> (Option<StatusCode>, Option<String>, BTreeMap<String, String>) {
        let next = if self.api_statuses.is_empty() { None } else { Some(self.api_statuses.remove(0)) };
        let status = next.and_then(final_status).filter(|status| !status.is_success());
        (status, self.api_retry_after.clone(), self.api_headers.clone())
    }

    /// These faults with the fields of `changes` applied; the error says what is wrong with them.
    fn changed(&self, changes: Map<String, Value>) -> Result<Self, String> {
        let mut fields = match json!(self) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let unset = json!(Self::default());
        for (name, value) in changes {
            let value = if value.is_null() { unset.get(&name).cloned().unwrap_or(value) } else { value };
            fields.insert(name, value);
        }
        let faults: Self =
            serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        let statuses =
            [faults.token_status, faults.userinfo_status, faults.revoke_status, faults.introspect_status];
        let mut codes = statuses.into_iter().flatten().chain(faults.api_statuses.iter().copied());
        match codes.find(|code| final_status(*code).is_none()) {
            Some(code) => Err(format!("{code} is not a status from 200 to 599")),
            None => Ok(faults),
        }
    }
}

/// `GET /faults`.
pub(crate) async fn show(State(sandbox): State<Shared>) -> Response {
    respond::json(StatusCode::OK, &json!(sandbox.lock().faults))
}

/// `POST /faults`: the fields to change. Wants a JSON content type, which no form on another site can send.
pub(crate) async fn set(State(sandbox): State<Shared>, Json(changes): Json<Map<String, Value>>) -> Response {
    let mut memory = sandbox.lock();
    match memory.faults.changed(changes) {
        Ok(faults) => {
            memory.faults = faults;
            respond::json(StatusCode::OK, &json!(memory.faults))
        }
        Err(why) => respond::json(StatusCode::BAD_REQUEST, &json!({ "error": why })),
    }
}

/// `DELETE /faults`: the sandbox behaves again.
pub(crate) async fn clear(State(sandbox): State<Shared>) -> Response {
    let mut memory = sandbox.lock();
    memory.faults = Faults::default();
    respond::json(StatusCode::OK, &json!(memory.faults))
}
