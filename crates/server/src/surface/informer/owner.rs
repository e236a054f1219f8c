//! `/api/integrations/{id}/owner`: whom an integration belongs to.

use axum::{extract::State, http::StatusCode};
use claviger_engine::{
    error::{Error, Result},
    member::{
        owner::{self, Heir, Owned},
        principal::Known,
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    asked::{Body, Named},
    caller::Caller,
    error::{self, Answer},
    hal::{Format, link},
    shares::principal,
};
use crate::app::App;

/// Whom an integration belongs to. All of it is null where that is nobody: it was made by an operator.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Owner)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// `self`.
    #[serde(rename = "_links")]
    links: Value,
    /// As `ownerId`.
    #[schema(example = "alice")]
    id: Option<String>,
    /// A user's name, or `team:` and a team's slug.
    #[schema(example = "alice")]
    owner_id: Option<String>,
    /// `user` or `team`.
    #[schema(example = "user")]
    owner_type: Option<&'static str>,
    /// The user's name, where it is a user.
    #[schema(example = "alice")]
    user_id: Option<String>,
    /// The team's slug, where it is a team.
    team_id: Option<String>,
    /// The user under `inf:user`, or the team under `inf:team`.
    #[serde(rename = "_embedded", skip_serializing_if = "Option::is_none")]
    embedded: Option<Value>,
}

/// Who is to be the owner: exactly one of these.
#[derive(utoipa::ToSchema)]
#[schema(as = OwnerInput)]
#[expect(dead_code, reason = "the document describes it; the body is read field by field")]
pub struct Input {
    /// A user's name.
    #[schema(rename = "userId", example = "bob")]
    user_id: Option<String>,
    /// A team's slug.
    #[schema(rename = "teamId")]
    team_id: Option<String>,
    /// A user's name, or `team:` and a team's slug.
    #[schema(rename = "ownerId")]
    owner_id: Option<String>,
}

/// Shows whom an integration belongs to.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/owner",
    operation_id = "show_owner",
    tag = "sharing",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    format: Format,
) -> Answer {
    let owned = owner::show(&app.broker, &member, &id).await?;
    Ok(format.object(StatusCode::OK, &shown(&owned)))
}

/// Hands an integration to a user or a team. Who had it keeps nothing, unless it is shared with them afterwards.
#[utoipa::path(
    put,
    path = "/api/integrations/{id}/owner",
    operation_id = "set_owner",
    tag = "sharing",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body = Input,
    responses(
        (status = 200, body = Shown),
        (status = 400, body = error::Problem, description = "Not exactly one heir is named, nobody is called this, or the user is disabled."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller is neither its owner nor a superuser, or lacks `integration:changeOwner`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller.")
    )
)]
pub async fn set(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    format: Format,
    body: Body,
) -> Answer {
    let owned = owner::set(&app.broker, &member, &id, &heir(&body)?).await?;
    Ok(format.object(StatusCode::OK, &shown(&owned)))
}

fn heir(body: &Body) -> Result<Heir> {
    let mut fields = body.fields()?;
    let given = (fields.text("userId")?, fields.text("teamId")?, fields.text("ownerId")?);
    fields.done()?;
    match given {
        (Some(name), None, None) => Ok(Heir::User(name)),
        (None, Some(slug), None) => Ok(Heir::Team(slug)),
        (None, None, Some(text)) => Ok(Heir::Either(text)),
        _ => Err(Error::invalid("ownerId", "Give exactly one of userId, teamId and ownerId")),
    }
}

fn shown(owned: &Owned) -> Shown {
    let path = format!("/api/integrations/{}/owner", owned.integration.id);
    let seen = owned.owner.as_ref().map(principal);
    let id = seen.as_ref().map(|it| it.id.clone());
    let (user_id, team_id, embedded) = match &owned.owner {
        None => (None, None, None),
        Some(Known::User(user)) => {
            let about = json!({ "username": user.username, "displayName": user.display_name });
            (id.clone(), None, Some(json!({ "inf:user": about })))
        }
        Some(Known::Team(team)) => {
            let about = json!({ "id": team.id, "name": team.name });
            (None, Some(team.id.clone()), Some(json!({ "inf:team": about })))
        }
    };
    Shown {
        links: json!({ "self": link(path) }),
        owner_id: id.clone(),
        id,
        owner_type: seen.map(|it| it.kind),
        user_id,
        team_id,
        embedded,
    }
}
