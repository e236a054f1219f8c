//! What a table holds. Unknown keys are refused.
//!
//! ```toml
//! sources = ["https://acme.example/docs/oauth"]     # the provider's own pages that the bytes come from
//!
//! [given]                                           # all optional
//! inputs = { subdomain = "acme" }                   # what the customer or the operator gives
//! scopes = ["read", "user:write"]                   # default: the file's own
//! callback = { realm = "x" }                        # values that the callback brings, by the file's names
//! refused = { subdomain = ["evil.example/"] }       # values of inputs that must not be taken
//!
//! [authorize]
//! url = "https://…"
//!
//! [exchange]                                        # a request: every header but `accept-encoding`
//! method = "POST"
//! url = "https://…"
//! headers = { accept = "application/json", content-type = "application/x-www-form-urlencoded" }
//! body = "grant_type=…"                             # leave out an empty one
//!
//! [[answers]]                                       # to the exchange; the first is the documented success
//! name = "as documented"
//! status = 200                                      # default
//! content_type = "application/json"                 # default
//! body = '''{"access_token": "…"}'''
//! tokens = { access_token = "…", token_type = "Bearer", expires_in = 3600 }   # exactly; absent is None
//!
//! [[answers]]
//! name = "a used code"
//! status = 400
//! body = '''{"error": "invalid_grant"}'''
//! error = { code = "invalid_grant", invalid_grant = true }                     # kind = "oauth" is the default
//!
//! [upgrade]                                         # a request and its answers, where the file has one
//! [[upgrade_answers]]
//! [refresh]                                         # a request, from the first answer with a refresh token
//! [[refresh_answers]]                               # `tokens` are those kept after it, the first a success
//!
//! [identity]                                        # a request; `account` alone where nothing is asked
//! method = "GET"
//! url = "https://…"
//! headers = { accept = "application/json", authorization = "Bearer …" }
//! answer = '''{"id": 7}'''
//! account = { id = "7", name = "…", email = "…" }
//! saved = { cloud_id = "…" }
//!
//! [[revoke]]                                        # each revocation request, in order
//!
//! [call]                                            # a call of the product's, with the first answer's tokens
//! path = "/x"
//! url = "https://…/x"
//! headers = { authorization = "Bearer …" }          # every header that is set
//!
//! [[verify]]                                        # each call that verifies it, in order; needed where it is typed in
//! [[verify_answers]]                                # optional: what such an answer says
//! name = "a revoked key"
//! status = 401
//! body = '''{}'''
//! verdict = "refused"                               # or works, ask_next, unknown
//!
//! [[limited]]                                       # optional: an answer that says "too often"
//! status = 403
//! headers = { x-ratelimit-remaining = "0", x-ratelimit-reset = "1800000060" }
//! wait_ms = 60000
//! ```
//!
//! Where a person types the credential in, there is no `authorize` and nothing of the token endpoint, but:
//!
//! ```toml
//! [given]
//! keys = { api_key = "…" }                          # what is typed, by the catalog's field names
//! wrong = { api_key = ["pk_…"] }                    # what must not be taken, each in place of the one in `keys`
//! ```
//!
//! Where a client gets a token for itself, there is no `authorize` either: `exchange` is its request, `answers` the answers
//! to it, and `given.keys` and `given.wrong` are there where somebody types the client in.
//!
//! Where an assertion is shown for a token, its id is `jti-1`, `ASSERTION` stands for it in `exchange`, and there is:
//!
//! ```toml
//! [assertion]                                       # what it says, as JSON
//! head = '''{"alg": "RS256", "typ": "JWT"}'''
//! claims = '''{"iss": "…"}'''
//! ```
//!
//! With OAuth 1, what is signed has the nonce `nonce-1`, the verifier is `verifier-1`, and before `authorize` there is:
//!
//! ```toml
//! [temporary]                                       # a request
//! [[temporary_answers]]                             # the first is the documented success
//! tokens = { access_token = "…", token_secret = "…", token_type = "OAuth" }
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

type Texts = BTreeMap<String, String>;

/// Reads a table.
pub(crate) fn read(text: &str) -> Result<Table, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub sources: Vec<String>,
    #[serde(default)]
    pub given: Given,
    pub temporary: Option<Sent>,
    #[serde(default)]
    pub temporary_answers: Vec<Answer>,
    pub authorize: Option<Authorize>,
    pub exchange: Option<Sent>,
    pub assertion: Option<Assertion>,
    #[serde(default)]
    pub answers: Vec<Answer>,
    pub upgrade: Option<Sent>,
    #[serde(default)]
    pub upgrade_answers: Vec<Answer>,
    pub refresh: Option<Sent>,
    #[serde(default)]
    pub refresh_answers: Vec<Answer>,
    pub identity: Option<Identity>,
    #[serde(default)]
    pub revoke: Vec<Sent>,
    #[serde(default)]
    pub verify: Vec<Sent>,
    #[serde(default)]
    pub verify_answers: Vec<VerifyAnswer>,
    pub call: Option<Call>,
    #[serde(default)]
    pub limited: Vec<Limited>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Given {
    pub inputs: Texts,
    pub scopes: Vec<String>,
    pub callback: Texts,
    pub refused: BTreeMap<String, Vec<String>>,
    pub keys: Texts,
    pub wrong: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorize {
    pub url: String,
    /// What stands behind it when a connection that is there is authorized anew.
    pub grown: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sent {
    pub method: String,
    pub url: String,
    pub headers: Texts,
    #[serde(default)]
    pub body: String,
}

/// What an assertion says, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assertion {
    pub head: String,
    pub claims: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub name: String,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default = "json")]
    pub content_type: String,
    pub body: String,
    pub tokens: Option<Tokens>,
    pub error: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub token_type: String,
    pub id_token: Option<String>,
    pub expires_in: Option<i64>,
    pub refresh_expires_in: Option<i64>,
    pub scopes: Option<Vec<String>>,
    #[serde(default)]
    pub saved: Texts,
    pub token_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    pub code: Option<String>,
    pub description: Option<String>,
    #[serde(default)]
    pub invalid_grant: bool,
    #[serde(default = "oauth")]
    pub kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub method: Option<String>,
    pub url: Option<String>,
    pub headers: Option<Texts>,
    pub body: Option<String>,
    pub answer: Option<String>,
    #[serde(default)]
    pub account: Account,
    #[serde(default)]
    pub saved: Texts,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Account {
    pub id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub path: String,
    pub url: String,
    pub headers: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyAnswer {
    pub name: String,
    #[serde(default = "ok")]
    pub status: u16,
    pub body: String,
    pub verdict: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limited {
    pub status: u16,
    #[serde(default)]
    pub headers: Texts,
    #[serde(default)]
    pub body: String,
    pub wait_ms: Option<u64>,
}

const fn ok() -> u16 {
    200
}

fn json() -> String {
    "application/json".to_owned()
}

fn oauth() -> String {
    "oauth".to_owned()
}
