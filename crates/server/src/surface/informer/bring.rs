//! `POST /api/integrations/{id}/connect`: a user connects an account without a browser, with what it brings.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::LOCATION},
};
use claviger_engine::{
    connect::Bring,
    error::{Error, Result},
    member::connection,
    secret::Secret,
};
use std::collections::BTreeMap;

use super::{
    asked::{Body, Named},
    caller::Caller,
    connection::{Shown, shown},
    error::{self, Answer, Refused},
    hal::Format,
};
use crate::{app::App, http::body::Fields};

/// What an integration takes: of `authType` `oauth2` a code or a refresh token, of `apikey` an API key, of `basic` a user
/// name and a password, of `bearer` a token, of `client_credentials` a client's id and secret, of `fields` the fields that
/// its provider names. Where the client is the integration's own, and of `workspace_token`, nothing has to be brought.
#[derive(utoipa::ToSchema)]
#[schema(as = Brought)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
#[expect(non_snake_case, reason = "the contract spells them so")]
pub struct Brought {
    /// An authorization code.
    code: Option<String>,
    /// The redirect URI that the code was asked for with; the integration's `callbackUri` unless given.
    redirectUri: Option<String>,
    /// The PKCE verifier, where the code was asked for with a challenge.
    codeVerifier: Option<String>,
    /// A refresh token. It is used once, at once; a provider that rotates refresh tokens thereby spends it.
    refreshToken: Option<String>,
    apiKey: Option<String>,
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    clientId: Option<String>,
    clientSecret: Option<String>,
    /// Fields by the provider's own names for them; the ones above may stand here, too, as `api_key` or `client_id`.
    fields: Option<BTreeMap<String, String>>,
    /// What the provider has to be told besides, such as a subdomain.
    inputs: Option<BTreeMap<String, String>>,
}

/// What is typed in: as the engine calls it, and as this door does.
const KEYS: [(&str, &str); 6] = [
    ("api_key", "apiKey"),
    ("username", "username"),
    ("password", "password"),
    ("token", "token"),
    ("client_id", "clientId"),
    ("client_secret", "clientSecret"),
];

/// Connects an account with what the caller brings, in place of what it had connected here before.
///
/// The provider is asked first; what it refuses is answered with 400 and its words, and nothing is kept.
#[utoipa::path(
    post,
    path = "/api/integrations/{id}/connect",
    operation_id = "bring_connection",
    tag = "connections",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body = Brought,
    responses(
        (status = 201, body = Shown, description = "It is connected; `Location` is the connection."),
        (status = 400, body = error::Problem, description = "A field is wrong, unknown, or not what this integration takes; or the provider refuses it."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The token only reads, or another user has connected this shared integration."),
        (status = 404, body = error::Problem, description = "There is no such integration, or it is not visible."),
        (status = 409, body = error::Problem, description = "The integration is switched off, not set up completely, was changed meanwhile, or its own client is refused."),
        (status = 413, body = error::Problem, description = "The body is too large."),
        (status = 502, body = error::Problem, description = "The provider can't be asked."),
        (status = 504, body = error::Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn bring(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    format: Format,
    body: Body,
) -> Answer {
    let (brought, inputs) = read(body.fields()?)?;
    let made = connection::bring(&app.broker, &member, &id, brought, &inputs).await;
    let made = shown(made.map_err(in_our_words)?);
    let at = HeaderValue::try_from(format!("/api/integrations/{}/connection", made.integration_id()));
    let at = at.map_err(|_| Refused(Error::internal("an id does not fit into a header")))?;
    let mut answer = format.object(StatusCode::CREATED, &made);
    answer.headers_mut().insert(LOCATION, at);
    Ok(answer)
}

fn read(mut fields: Fields) -> Result<(Bring, BTreeMap<String, String>)> {
    let inputs = fields.pairs("inputs")?.unwrap_or_default();
    let code = fields.secret("code", &["code"])?;
    let redirect_uri = fields.text("redirectUri")?;
    let verifier = fields.secret("codeVerifier", &["codeVerifier"])?;
    let refresh_token = fields.secret("refreshToken", &["refreshToken"])?;
    let named = fields.pairs("fields")?.unwrap_or_default();
    let mut typed: BTreeMap<String, Secret> =
        named.into_iter().map(|(field, value)| (field, Secret::new(value))).collect();
    for (ours, theirs) in KEYS {
        typed.extend(fields.secret(theirs, &[theirs])?.map(|value| (ours.to_owned(), value)));
    }
    fields.done()?;
    let beside = [("redirectUri", redirect_uri.is_some()), ("codeVerifier", verifier.is_some())];
    if let Some((field, _)) = beside.iter().find(|(_, given)| *given && code.is_none()) {
        return Err(Error::invalid(field, "Goes with a `code`"));
    }
    let brought = match (code, refresh_token, typed.is_empty()) {
        (Some(code), None, true) => Bring::Code { code, redirect_uri, verifier },
        (None, Some(refresh_token), true) => Bring::Refresh { refresh_token },
        (None, None, _) => Bring::Keys(typed),
        _ => return Err(Error::invalid("body", "Brings more than one credential: send one")),
    };
    Ok((brought, inputs))
}

/// The engine's names of fields as this contract has them.
fn in_our_words(error: Error) -> Error {
    let Error::Invalid { field, message } = error else { return error };
    let field = match field {
        "redirect_uri" => "redirectUri",
        "code_verifier" => "codeVerifier",
        "refresh_token" => "refreshToken",
        "connection_parameters" => "fields",
        other => KEYS.iter().find(|(ours, _)| *ours == other).map_or(other, |(_, theirs)| theirs),
    };
    Error::Invalid { field, message }
}
