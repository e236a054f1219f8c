//! Settings of a workspace: what the product's callback gets, how connecting completes, and where browsers may be sent.

use axum::{extract::State, http::StatusCode};
use claviger_engine::{
    desk::settings::{self, AuthResponses},
    domain::{right::Action, workspace::Completion},
    error::{Error, Result},
};
use minijinja::{Value, context};

use super::{
    guard::{Answer, Visit},
    page,
    told::Told,
};
use crate::{app::App, hosted::page::sentence};

const AT: &str = "settings";
const PAGE: &str = "dashboard/settings.html";

/// `GET …/settings`.
pub async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let values = values(&app, &visit, None).await?;
    Ok(page::show(&app, &visit, AT, PAGE, values))
}

/// `POST …/settings/auth-responses`.
pub async fn set_auth_responses(State(app): State<App>, visit: Visit) -> Answer {
    let on = |name: &str| visit.form.get(name).ok().flatten().is_some();
    let wanted = AuthResponses {
        include_connection_id: on("include_connection_id"),
        include_external_id: on("include_external_id"),
    };
    settings::set_auth_responses(&app.broker, visit.seated()?, wanted).await?;
    Ok(page::done(&visit.below(AT), Told::Saved))
}

/// `POST …/settings/completion`.
pub async fn set_completion(State(app): State<App>, visit: Visit) -> Answer {
    let given = visit.form.get("completion").ok().flatten();
    let wanted = given.as_deref().and_then(Completion::parse);
    let wanted = wanted.ok_or_else(|| Error::invalid("completion", "choose one of the three ways"))?;
    settings::set_completion(&app.broker, visit.seated()?, wanted).await?;
    Ok(page::done(&visit.below(AT), Told::Saved))
}

/// `POST …/settings/redirect-uris`.
pub async fn add_redirect_uri(State(app): State<App>, visit: Visit) -> Answer {
    let uri = visit.form.get("uri").ok().flatten().unwrap_or_default();
    let uri = uri.trim();
    match settings::add_redirect_uri(&app.broker, visit.seated()?, uri).await {
        Ok(_) => Ok(page::done(&visit.below(AT), Told::Registered)),
        Err(Error::Invalid { message, .. }) => {
            let values = values(&app, &visit, Some((uri, sentence(&message)))).await?;
            Ok(page::show_as(&app, &visit, StatusCode::BAD_REQUEST, AT, PAGE, values))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/settings/redirect-uris/remove`.
pub async fn remove_redirect_uri(State(app): State<App>, visit: Visit) -> Answer {
    let uri = visit.form.get("uri").ok().flatten().unwrap_or_default();
    settings::remove_redirect_uri(&app.broker, visit.seated()?, &uri).await?;
    Ok(page::done(&visit.below(AT), Told::Unregistered))
}

async fn values(app: &App, visit: &Visit, wrong: Option<(&str, String)>) -> Result<Value> {
    let seat = visit.seated()?;
    let shown = settings::show(&app.broker, seat).await?;
    let set = &shown.workspace.settings;
    let (uri, message) = wrong.unwrap_or_default();
    Ok(context! {
        title => "Settings",
        may => seat.may(Action::ChangeSettings),
        client_id => shown.workspace.client_id,
        include_connection_id => set.include_connection_id,
        include_external_id => set.include_external_id,
        completion => set.completion.as_str(),
        redirect_uris => shown.redirect_uris,
        uri, message,
        authorize => format!("{}/authorize", app.broker.urls.app),
    })
}
