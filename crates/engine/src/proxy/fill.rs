//! Headers of an integration that say who calls: `${user.email}`, `${tenant.id}`.
//!
//! Filled anew for each call, with the values as they are: never read as templates again, and put in after the
//! credential, so that a name which looks like `{token}` stays a name. Such a header is never the caller's own to say,
//! whether or not there is a value for it.

use http::{HeaderName, HeaderValue};

use crate::{
    broker::Broker,
    domain::{user::User, workspace::Workspace},
    error::{Error, Result},
    refresh::Subject,
};

const MARK: &str = "${";

/// What can stand between `${` and `}`.
const VARIABLES: [&str; 6] =
    ["user.username", "user.email", "user.displayName", "user.id", "tenant.id", "tenant.name"];

/// A header to set, or to leave out: it has no value for this caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    pub name: HeaderName,
    pub value: Option<HeaderValue>,
}

/// A piece of a value.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// Whether a header's value is filled for each call.
pub(super) fn is_template(value: &str) -> bool {
    value.contains(MARK)
}

/// Why it can't be; `None` when it can. The words follow the header's name.
pub(super) fn not_fillable(value: &str) -> Option<&'static str> {
    let Some(pieces) = pieces(value) else { return Some("has a `${` without its `}`") };
    let mut placeholders = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(claviger_catalog::template::names(text)),
        Piece::Variable(_) => None,
    });
    if placeholders.any(|names| !names.is_empty()) {
        return Some("mixes `${…}` with a placeholder such as {token}");
    }
    let known = pieces.iter().all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Variable(name) => VARIABLES.contains(name),
    });
    (!known).then_some(
        "has a variable that nothing fills: there are ${user.username}, ${user.email}, ${user.displayName}, \
         ${user.id}, ${tenant.id} and ${tenant.name}",
    )
}

/// Cuts a value into its pieces; `None` when one is not closed.
fn pieces(value: &str) -> Option<Vec<Piece<'_>>> {
    let mut out = Vec::new();
    let mut rest = value;
    while let Some((text, behind)) = rest.split_once(MARK) {
        let (name, after) = behind.split_once('}')?;
        out.push(Piece::Text(text));
        out.push(Piece::Variable(name));
        rest = after;
    }
    out.push(Piece::Text(rest));
    Some(out)
}

/// The integration's headers of this kind, filled for a call by `user`, or by a product's server, which is no user.
///
/// # Errors
/// `Invalid` for a value that can't stand in a header. It is never repeated.
pub(super) async fn headers(broker: &Broker, subject: &Subject, user: Option<&User>) -> Result<Vec<Filled>> {
    let templates = subject.integration.config.headers.iter().filter(|(_, value)| is_template(value));
    let templates: Vec<_> = templates.filter(|(name, value)| addable(name, value)).collect();
    if templates.is_empty() { Ok(Vec::new()) } else { Box::pin(all(broker, subject, user, templates)).await }
}

async fn all(
    broker: &Broker,
    subject: &Subject,
    user: Option<&User>,
    templates: Vec<(&String, &String)>,
) -> Result<Vec<Filled>> {
    let workspace = if templates.iter().any(|(_, value)| value.contains("${tenant.")) {
        broker.store.read().await?.workspace(&subject.workspace_id).await?
    } else {
        None
    };
    templates
        .into_iter()
        .map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).map_err(|e| Error::internal(e.to_string()))?;
            Ok(Filled { name, value: fill(value, user, workspace.as_ref())? })
        })
        .collect()
}

fn addable(name: &str, value: &str) -> bool {
    super::not_addable(name, value).is_none()
}

/// A value, filled; `None` when a variable in it has none.
fn fill(template: &str, user: Option<&User>, workspace: Option<&Workspace>) -> Result<Option<HeaderValue>> {
    let mut out = String::with_capacity(template.len() + 32);
    for piece in pieces(template).unwrap_or_default() {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable(name) => {
                let Some(value) = variable(name, user, workspace).filter(|value| !value.is_empty()) else {
                    return Ok(None);
                };
                if value.chars().any(char::is_control) {
                    let message = format!("The value of ${{{name}}} can't stand in a header");
                    return Err(Error::Invalid { field: "headers", message });
                }
                out.push_str(value);
            }
        }
    }
    // As UTF-8: what is not ASCII goes as its bytes.
    let value = HeaderValue::from_bytes(out.as_bytes());
    value.map(Some).map_err(|_| Error::invalid("headers", "A header of the integration can't be sent"))
}

fn variable<'a>(name: &str, user: Option<&'a User>, workspace: Option<&'a Workspace>) -> Option<&'a str> {
    match name {
        "user.username" => user.map(|user| user.username.as_str()),
        "user.email" => user?.email.as_deref(),
        "user.displayName" => user?.display_name.as_deref(),
        "user.id" => user.map(|user| user.id.as_str()),
        "tenant.id" => workspace.map(|workspace| workspace.client_id.as_str()),
        "tenant.name" => workspace.map(|workspace| workspace.name.as_str()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "fill_tests.rs"]
mod tests;
