//! Issue: tokens that we make ourselves, signed with the workspace's secret, by which an API of the product's own knows
//! for which of its customers it is called.
//!
//! Nobody is asked for anything. Must never make one for whom nothing is connected: `refresh` asks, with a connection.

use claviger_catalog::WorkspaceToken;
use claviger_protocol::{jwt, oauth2::Tokens};

use crate::{
    broker::Broker,
    domain::{
        connection::{Owner, OwnerKind},
        integration::Integration,
    },
    error::{Error, Result},
    secret::Secret,
    vault::Field,
};

/// What a connection holds before its first call: no token yet.
pub(super) fn none() -> Tokens {
    Tokens::of(Secret::new(String::new()), "Bearer")
}

/// A token that says for whom it is: `sub` is the product's own word for its customer, `fields` what it told of that one.
/// A user of ours is `user:` and its name, and everybody together `shared`: neither is a word of the product's.
///
/// # Errors
/// `Conflict` when the workspace has no secret to sign with.
pub(super) async fn token(
    broker: &Broker,
    integration: &Integration,
    owner: &Owner,
    table: &WorkspaceToken,
) -> Result<Tokens> {
    let id = &integration.workspace_id;
    let mut conn = broker.store.read().await?;
    let workspace = conn.workspace(id).await?.ok_or(Error::NotFound { what: "workspace" })?;
    let customer = match (owner.kind, &owner.key) {
        (OwnerKind::Customer, Some(key)) => conn.customer_by_key(id, key).await?,
        _ => None,
    };
    drop(conn);
    let sealed = workspace.jwt_secret.as_ref().ok_or_else(|| Error::Conflict {
        message: "the workspace has no secret to sign tokens with".to_owned(),
    })?;
    let secret = broker.vault.open(&Field::JwtSecret.of(id, id.as_str()), sealed)?;
    let fields = customer.map(|customer| customer.fields).unwrap_or_default();
    let sub = subject(owner);
    let now = broker.clock.now().0 / 1000;
    let until = now + i64::from(table.lifetime);
    let made = jwt::mint_hs256(&secret, &workspace.client_id, &sub, &fields, now, until);
    Ok(Tokens { expires_at: Some(until * 1000), ..Tokens::of(made, "Bearer") })
}

/// For whom a connection speaks.
fn subject(owner: &Owner) -> String {
    let key = owner.key.as_deref().unwrap_or_default();
    match owner.kind {
        OwnerKind::Customer | OwnerKind::External => key.to_owned(),
        OwnerKind::User => format!("user:{key}"),
        OwnerKind::Shared => "shared".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_speaks_as_a_customer_of_the_same_name() {
        for (kind, want) in [
            (OwnerKind::Customer, "alice"),
            (OwnerKind::External, "alice"),
            (OwnerKind::User, "user:alice"),
            (OwnerKind::Shared, "shared"),
        ] {
            assert_eq!(subject(&Owner { kind, key: Some("alice".to_owned()) }), want);
        }
    }
}
