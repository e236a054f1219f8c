//! Where whoever signed in arrives: its first workspace, or a choice of several.

use axum::{extract::State, http::StatusCode};
use minijinja::context;

use super::{
    guard::{Answer, Visit},
    page,
};
use crate::{app::App, hosted::page::redirect};

/// `GET /dashboard/`.
pub async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let mut conn = app.broker.store.read().await?;
    let mut places = Vec::new();
    for (id, role) in &visit.by.operator.roles {
        if let Some(workspace) = conn.workspace(id).await? {
            let href = format!("/dashboard/w/{}/", workspace.client_id);
            places.push((href, workspace.name, role.as_str()));
        }
    }
    places.sort_by_key(|place| place.1.to_lowercase());
    if let [(href, ..)] = places.as_slice() {
        return Ok(redirect(StatusCode::FOUND, href));
    }
    let places: Vec<_> =
        places.iter().map(|(href, name, role)| context! { href, name, role => *role }).collect();
    Ok(page::show(
        &app,
        &visit,
        page::NOWHERE,
        "dashboard/home.html",
        context! { places, title => "Workspaces" },
    ))
}
