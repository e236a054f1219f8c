//! `/self` and `/customers`: who a token speaks for, and a product's customers for whoever holds an admin's token.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use claviger_engine::{
    customer::register::{self, CustomerEdit, NewCustomer},
    domain::customer::Customer,
    error::{Error, Result},
    secret::Secret,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    asked::{Body, Named, Query, cursor},
    caller::Caller,
    error::{Answer, Problem},
};
use crate::{app::App, http::body::Fields};

/// A customer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Customer)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Our id for it, which connections have as `userId`.
    #[schema(example = "cus_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// The product's own, as its tokens have it.
    #[schema(example = "user-4711")]
    internal_id: String,
    /// What people call it; the product's id for it when nobody said.
    name: String,
    /// Whatever else the product told of it.
    fields: Map<String, Value>,
    /// Whether the product left credentials about it with us. They are never given out.
    has_credentials: bool,
    /// When a token last spoke of it, to the minute.
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    last_active_at: String,
    created_at: String,
    updated_at: String,
    /// Always false: there is nothing else than customers.
    is_test: bool,
    /// Of which workspace. Only at `/self`.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_key: Option<String>,
}

/// Some of them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CustomerPage)]
pub struct Listed {
    items: Vec<Shown>,
    /// Where the next page begins. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Shown {
    fn of(customer: &Customer) -> Self {
        Self {
            id: customer.id.to_string(),
            internal_id: customer.key.clone(),
            name: customer.name.clone().unwrap_or_else(|| customer.key.clone()),
            fields: customer.fields.clone(),
            has_credentials: customer.credentials.is_some(),
            last_active_at: customer.seen_at.rfc3339(),
            created_at: customer.created_at.rfc3339(),
            updated_at: customer.updated_at.rfc3339(),
            is_test: false,
            workspace_key: None,
        }
    }

    fn own(customer: &Customer, workspace_key: &str) -> Self {
        Self { workspace_key: Some(workspace_key.to_owned()), ..Self::of(customer) }
    }
}

/// A customer to be, or a change of one; of a change everything may be left out.
#[derive(utoipa::ToSchema)]
#[schema(as = CustomerInput, rename_all = "camelCase")]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// The product's own id for it: what its tokens will have as `id`. Ours when left out. It can't be changed.
    internal_id: Option<String>,
    name: Option<String>,
    /// Replaces all fields.
    fields: Option<Value>,
    /// Whatever the product wants to leave with us. Kept encrypted, and never given out.
    credentials: Option<Value>,
}

/// Shows the customer that the token speaks for.
#[utoipa::path(
    get,
    path = "/self",
    operation_id = "show_self",
    tag = "customers",
    responses(
        (status = 200, body = Shown),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer.")
    )
)]
pub async fn own(Caller(holder): Caller) -> Answer {
    let shown = Shown::own(holder.customer()?, &holder.workspace.client_id);
    Ok(Json(shown).into_response())
}

/// Leaves credentials with us about the customer that the token speaks for. Its name and its fields are the token's to
/// tell.
#[utoipa::path(
    patch,
    path = "/self",
    operation_id = "update_self",
    tag = "customers",
    request_body = Wanted,
    responses(
        (status = 200, body = Shown),
        (status = 400, body = Problem, description = "Names the field at fault in `data.field`."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer.")
    )
)]
pub async fn update_own(State(app): State<App>, Caller(holder): Caller, body: Body) -> Answer {
    let credentials = credentials(&mut body.fields()?)?;
    let changed = register::update_own(&app.broker, &holder, credentials).await?;
    Ok(Json(Shown::own(&changed, &holder.workspace.client_id)).into_response())
}

/// Lists customers, newest first.
#[utoipa::path(
    get,
    path = "/customers",
    operation_id = "list_customers",
    tag = "customers",
    params(
        ("search" = Option<String>, Query, description = "Words in name or id."),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 25 when left out."),
        ("cursor" = Option<String>, Query, description = "What the page before ended with.")
    ),
    responses(
        (status = 200, body = Listed),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token is no admin's.")
    )
)]
pub async fn list(State(app): State<App>, Caller(holder): Caller, query: Query) -> Answer {
    let (search, page) = (query.text("search")?, query.page()?);
    let found = register::list(&app.broker, &holder, search.as_deref(), &page).await?;
    let listed = Listed { cursor: cursor(&page, found.len()), items: found.iter().map(Shown::of).collect() };
    Ok(Json(listed).into_response())
}

/// Makes a customer before any token speaks of it.
#[utoipa::path(
    post,
    path = "/customers",
    operation_id = "create_customer",
    tag = "customers",
    request_body = Wanted,
    responses(
        (status = 200, body = Shown),
        (status = 400, body = Problem, description = "Names the field at fault, or there is one with this id."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token is no admin's.")
    )
)]
pub async fn create(State(app): State<App>, Caller(holder): Caller, body: Body) -> Answer {
    let mut fields = body.fields()?;
    let new = NewCustomer {
        key: fields.text("internalId")?,
        name: fields.text("name")?,
        fields: object(&mut fields, "fields")?,
        credentials: credentials(&mut fields)?.flatten(),
    };
    let made = register::create(&app.broker, &holder, new).await?;
    Ok(Json(Shown::of(&made)).into_response())
}

/// Shows a customer.
#[utoipa::path(
    get,
    path = "/customers/{id}",
    operation_id = "show_customer",
    tag = "customers",
    params(("id" = String, Path, description = "Our id or the product's.")),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token is no admin's."),
        (status = 404, body = Problem, description = "There is no such customer.")
    )
)]
pub async fn show(State(app): State<App>, Caller(holder): Caller, Named(id): Named<String>) -> Answer {
    Ok(Json(Shown::of(&register::show(&app.broker, &holder, &id).await?)).into_response())
}

/// Changes a customer, by PATCH and by PUT alike: what is left out stays.
#[utoipa::path(
    patch,
    path = "/customers/{id}",
    operation_id = "update_customer",
    tag = "customers",
    params(("id" = String, Path, description = "Our id or the product's.")),
    request_body = Wanted,
    responses(
        (status = 200, body = Shown),
        (status = 400, body = Problem, description = "Names the field at fault in `data.field`."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token is no admin's."),
        (status = 404, body = Problem, description = "There is no such customer.")
    )
)]
pub async fn update(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(id): Named<String>,
    body: Body,
) -> Answer {
    let changed = register::update(&app.broker, &holder, &id, edit(&body)?).await?;
    Ok(Json(Shown::of(&changed)).into_response())
}

/// Ends everything that a customer has connected, and removes it with whatever is kept of it.
#[utoipa::path(
    delete,
    path = "/customers/{id}",
    operation_id = "delete_customer",
    tag = "customers",
    params(("id" = String, Path, description = "Our id or the product's.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token is no admin's."),
        (status = 404, body = Problem, description = "There is no such customer.")
    )
)]
pub async fn delete(State(app): State<App>, Caller(holder): Caller, Named(id): Named<String>) -> Answer {
    register::remove(&app.broker, &holder, &id).await?;
    Ok::<Response, _>(StatusCode::NO_CONTENT.into_response())
}

/// [`show`], by `?id=`.
pub async fn show_selected(app: State<App>, caller: Caller, query: Query) -> Answer {
    show(app, caller, Named(selected(&query)?)).await
}

/// [`update`], by `?id=`.
pub async fn update_selected(app: State<App>, caller: Caller, query: Query, body: Body) -> Answer {
    update(app, caller, Named(selected(&query)?), body).await
}

/// [`delete`], by `?id=`.
pub async fn delete_selected(app: State<App>, caller: Caller, query: Query) -> Answer {
    delete(app, caller, Named(selected(&query)?)).await
}

fn selected(query: &Query) -> Result<String> {
    query.text("id")?.ok_or_else(|| Error::invalid("id", "Is required"))
}

fn edit(body: &Body) -> Result<CustomerEdit> {
    let mut fields = body.fields()?;
    Ok(CustomerEdit {
        key: fields.text("internalId")?,
        name: fields.change("name", Fields::text)?,
        fields: fields.change("fields", object)?,
        credentials: credentials(&mut fields)?,
    })
}

fn object(fields: &mut Fields, field: &'static str) -> Result<Option<Map<String, Value>>> {
    match fields.value(field)? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Error::invalid(field, "Must be an object")),
    }
}

/// Whatever it is, as JSON.
fn credentials(fields: &mut Fields) -> Result<Option<Option<Secret>>> {
    fields.change("credentials", |fields, field| {
        Ok(fields.value(field)?.map(|value| Secret::new(value.to_string())))
    })
}
