//! The landing page of `claviger dev`: stands in for the product that a browser comes back to.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use claviger_engine::{
    domain::connection::Connection,
    error::{Error, Result},
    id::ConnectionId,
};
use minijinja::{Value, context};

use super::page::Kind;
use crate::{
    app::{App, Dev},
    http::params::Params,
    out,
};

/// `GET /dev/landing`.
pub async fn show(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let Some(dev) = &app.dev else {
        return app.pages.error(StatusCode::NOT_FOUND, "Not found", "There is no such page.");
    };
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let shown = match params.get("connection_id") {
        Ok(Some(id)) => describe(&app, dev, &id).await,
        _ => Err(Error::NotFound { what: "connection" }),
    };
    let values = match shown {
        Ok(connection) => context! { connection, error => () },
        Err(error) => {
            let told = params.get("error_description").ok().flatten();
            context! { connection => (), error => told.unwrap_or_else(|| error.to_string()) }
        }
    };
    app.pages.render(StatusCode::OK, Kind::Plain, "landing.html", values)
}

async fn describe(app: &App, dev: &Dev, id: &str) -> Result<Value> {
    let not_found = || Error::NotFound { what: "connection" };
    let id = ConnectionId::parse(id).ok_or_else(not_found)?;
    let mut conn = app.broker.store.read().await?;
    let connection = conn.connection(&dev.workspace, &id).await?.ok_or_else(not_found)?;
    if let Some(key) = &dev.api_key {
        let line = dev.curl(&app.broker.urls.proxy, id.as_str(), key.expose());
        out::line(format_args!("  Connected. Call the account's API:\n\n{line}\n")).unwrap_or_default();
    }
    let integration =
        conn.integration(&dev.workspace, &connection.integration_id).await?.ok_or_else(not_found)?;
    Ok(context! {
        id => id.as_str(),
        integration => integration.name,
        account => account(&connection),
        owner => connection.owner.key,
        scopes => connection.scopes_granted.join(" "),
        curl => dev.curl(&app.broker.urls.proxy, id.as_str(), "$CLAVIGER_API_KEY"),
    })
}

fn account(connection: &Connection) -> String {
    let account = &connection.account;
    match (&account.name, &account.email) {
        (Some(name), Some(email)) => format!("{name} <{email}>"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => account.id.clone().unwrap_or_else(|| "not told by the provider".to_owned()),
    }
}
