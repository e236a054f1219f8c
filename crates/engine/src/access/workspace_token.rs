//! The workspace token: a JWT by which a product vouches for one of its customers, or for itself (RFC 7519).
//!
//! The token names its workspace; the workspace says by which keys it may be signed, and each key is for one algorithm.
//! Nothing of a token is ever logged or repeated, and every refusal reads the same. A customer becomes known by the
//! first token that speaks of it.

use std::sync::Arc;

use super::{Holder, Signer, Who, signature, used};
use crate::{
    broker::Broker,
    domain::{
        customer::Customer,
        jwt_key::Algorithm,
        workspace::{Hmac, Jwt, Workspace},
    },
    error::{Error, Result},
    id::CustomerId,
    store::Conn,
    time::Millis,
    vault::{Field, hash},
};

/// Whether a workspace still has what a token was signed with.
///
/// # Errors
/// `Unauthenticated` when it has not.
pub(crate) async fn still_signed(broker: &Broker, holder: &Holder) -> Result<()> {
    let mut conn = broker.store.read().await?;
    let workspace = conn.workspace(&holder.workspace.id).await?.ok_or_else(refused)?;
    let has = match &holder.by {
        None => true,
        Some(Signer::Key(id)) => conn.jwt_keys(&workspace.id).await?.iter().any(|key| key.id == *id),
        Some(Signer::Secret(was)) => match workspace.jwt_secret.filter(|_| workspace.settings.jwt.secret) {
            Some(sealed) => {
                let aad = Field::JwtSecret.of(&workspace.id, workspace.id.as_str());
                hash::same(&hash::token(broker.vault.open(&aad, &sealed)?.expose()), was)
            }
            None => false,
        },
    };
    if has { Ok(()) } else { Err(refused()) }
}

mod read;

use read::{Claims, For, Header, Token};

/// Bytes of the longest token.
const LONGEST: usize = 16 * 1024;
/// Seconds by which a product's clock may differ from ours.
const SKEW: f64 = 60.0;

/// What a token that was shown is worth.
#[derive(Debug)]
pub enum Shown {
    /// It holds.
    Holds(Box<Holder>),
    /// It is the product's, and nothing is wrong with it but that its time is over: it opens nothing, but whoever shows
    /// it may be told so at an address that the workspace registered.
    Expired(Box<Workspace>),
}

impl Shown {
    /// Who holds the token.
    ///
    /// # Errors
    /// `Unauthenticated` for one whose time is over, as for any other that does not hold.
    pub fn holder(self) -> Result<Holder> {
        match self {
            Self::Holds(holder) => Ok(*holder),
            Self::Expired(_) => Err(refused()),
        }
    }
}

/// What everybody reads whose token does not hold, for whatever reason.
pub fn refused() -> Error {
    Error::Unauthenticated { message: "Missing or invalid token".to_owned() }
}

/// Finds who holds the token that a caller shows, and keeps what it tells of its customer.
///
/// # Errors
/// `Unauthenticated`, the same for a token that is malformed, forged, of an unknown workspace, signed with another key or
/// algorithm than the workspace's, not valid yet, or without an end where the workspace wants one.
pub async fn workspace_token(broker: &Arc<Broker>, shown: &str) -> Result<Shown> {
    let token =
        Some(shown).filter(|text| text.len() <= LONGEST).and_then(Token::split).ok_or_else(refused)?;
    let header = token.header().ok_or_else(refused)?;
    let claims = token.claims().ok_or_else(refused)?;
    let mut conn = broker.store.read().await?;
    let workspace = conn.any_workspace_by_client_id(&claims.workspace).await?.ok_or_else(refused)?;
    let by = signed(broker, &mut conn, &workspace, &token, &header).await?.ok_or_else(refused)?;
    match time(&claims, &workspace.settings.jwt, broker.clock.now()) {
        Time::Good => {}
        Time::Over => return Ok(Shown::Expired(Box::new(workspace))),
        Time::Wrong => return Err(refused()),
    }
    let who = match claims.who {
        For::Admin => Who::Admin,
        For::Workspace => Who::Workspace,
        For::Customer(told) => Who::Customer(Box::new(customer(broker, conn, &workspace, told).await?)),
    };
    Ok(Shown::Holds(Box::new(Holder { workspace, who, by: Some(by) })))
}

/// With which of the workspace's keys the token is signed, by the algorithm that this key is for.
async fn signed(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &Workspace,
    token: &Token<'_>,
    header: &Header,
) -> Result<Option<Signer>> {
    if let Some(with) = Hmac::parse(&header.alg) {
        let jwt = &workspace.settings.jwt;
        let Some(sealed) = workspace.jwt_secret.as_ref().filter(|_| jwt.secret) else { return Ok(None) };
        if jwt.algorithm.is_some_and(|only| only != with) {
            return Ok(None);
        }
        let secret = broker.vault.open(&Field::JwtSecret.of(&workspace.id, workspace.id.as_str()), sealed)?;
        let holds = signature::by_secret(with, &secret, token.signed, &token.signature);
        return Ok(holds.then(|| Signer::Secret(hash::token(secret.expose()))));
    }
    let Some(with) = Algorithm::parse(&header.alg) else { return Ok(None) };
    let keys = conn.jwt_keys(&workspace.id).await?;
    let named = |name: &str| header.kid.as_deref().is_none_or(|kid| kid == name);
    let mut keys = keys.iter().filter(|key| key.algorithm == with && named(&key.name));
    let key = keys.find(|key| signature::by_key(key, token.signed, &token.signature));
    Ok(key.map(|key| Signer::Key(key.id.clone())))
}

/// Whether a token is good at a time.
enum Time {
    Good,
    Over,
    Wrong,
}

fn time(claims: &Claims, rules: &Jwt, now: Millis) -> Time {
    let now = seconds(now);
    if [claims.not_before, claims.issued].into_iter().flatten().any(|at| at > now + SKEW) {
        return Time::Wrong;
    }
    match claims.ends {
        Some(end) if now >= end + SKEW => Time::Over,
        None if !rules.allow_without_exp => Time::Wrong,
        Some(_) | None => Time::Good,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
fn seconds(at: Millis) -> f64 {
    at.0 as f64 / 1000.0
}

/// The customer of whom a token speaks: made at first sight, changed where the token tells something new, else as it is.
async fn customer(
    broker: &Arc<Broker>,
    mut reading: Conn,
    workspace: &Workspace,
    told: read::Told,
) -> Result<Customer> {
    let now = broker.clock.now();
    let found = reading.customer_by_key(&workspace.id, &told.key).await?;
    drop(reading);
    let known = match found {
        Some(known) => known,
        None => {
            let new = Customer {
                id: CustomerId::new(),
                workspace_id: workspace.id.clone(),
                key: told.key,
                name: told.name.clone(),
                fields: told.fields.clone().unwrap_or_default(),
                credentials: None,
                seen_at: now,
                created_at: now,
                updated_at: now,
            };
            let mut conn = broker.store.begin(crate::domain::audit::Actor::Product, now).await?;
            let kept = conn.meet_customer(&workspace.id, &new).await?;
            conn.commit().await?;
            kept
        }
    };
    let mut is = known.clone();
    is.name = told.name.or(is.name);
    is.fields = told.fields.unwrap_or(is.fields);
    if (&is.name, &is.fields) == (&known.name, &known.fields) {
        used::customer(broker, &known);
        return Ok(known);
    }
    (is.seen_at, is.updated_at) = (now, now);
    let mut conn = broker.store.begin(crate::domain::audit::Actor::Product, now).await?;
    conn.tell_of_customer(&workspace.id, &is).await?;
    conn.commit().await?;
    Ok(is)
}

#[cfg(test)]
#[path = "workspace_token/tests.rs"]
mod tests;
