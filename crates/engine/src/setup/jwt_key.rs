//! JWT keys: what a product's tokens are verified with, registered and given another secret.

use super::{Change, check, jwt_secret_aad};
use crate::{
    access::signature,
    domain::jwt_key::{Algorithm, JwtKey},
    error::{Error, Result},
    id::{JwtKeyId, WorkspaceId},
    secret::{Secret, token},
};

/// The most public keys of a workspace: a token that names none is tried against each of its algorithm.
const MOST: usize = 20;

/// A public key to be.
pub struct NewJwtKey {
    /// What tokens call it in `kid`.
    pub name: String,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// The key in PEM.
    pub public_key: String,
}

/// A public key to be, as it would be kept.
///
/// # Errors
/// `Invalid` for a bad name, and unless the text is a public key for that algorithm.
pub fn check_jwt_key(input: &NewJwtKey) -> Result<NewJwtKey> {
    let name = check::name("name", &input.name)?;
    let public_key = signature::public_key(input.algorithm, &input.public_key)?;
    Ok(NewJwtKey { name, public_key, algorithm: input.algorithm })
}

/// Registers a public key.
///
/// # Errors
/// As [`check_jwt_key`]; `Conflict` when the name is taken, or there are too many.
pub async fn jwt_key(to: &mut Change<'_>, workspace: &WorkspaceId, input: &NewJwtKey) -> Result<JwtKey> {
    let NewJwtKey { name, algorithm, public_key } = check_jwt_key(input)?;
    to.conn.hold_workspace(workspace).await?;
    let there = to.conn.jwt_keys(workspace).await?;
    if there.iter().any(|key| key.name == name) {
        return Err(Error::Conflict { message: format!("there is a JWT key {name} already") });
    }
    if there.len() >= MOST {
        return Err(Error::Conflict { message: format!("a workspace has at most {MOST} JWT keys") });
    }
    let key = JwtKey {
        id: JwtKeyId::new(),
        workspace_id: workspace.clone(),
        name,
        algorithm,
        public_key,
        created_at: to.now,
    };
    to.conn.create_jwt_key(workspace, &key).await?;
    Ok(key)
}

/// Gives a workspace another secret, which is returned this once. Tokens signed with the one before stop at once.
///
/// # Errors
/// `NotFound` when there is no such workspace.
pub async fn roll_jwt_secret(to: &mut Change<'_>, workspace: &WorkspaceId) -> Result<Secret> {
    let secret = token()?;
    let sealed = to.vault.seal(&jwt_secret_aad(workspace), &secret)?;
    to.conn.set_jwt_secret(workspace, &sealed).await?;
    Ok(secret)
}
