//! Seed: made-up connections in great number, to see how pages and calls do with them. For trying and measuring.
//!
//! Their tokens are random, and no provider takes them; they have no refresh token and never expire, so that nothing
//! is asked of a provider for their sake. Names and addresses are invented; of a hundred, three need their owner and one
//! is frozen. No event is written: nobody is told of a million connections that nobody made.

use std::ops::Range;

use claviger_protocol::oauth2::Tokens;

use crate::{
    broker::Broker,
    connect::tokens,
    domain::{
        audit::Actor,
        connection::{Account, Connection, Owner, OwnerKind, Status},
        credential::Credential,
        integration::Integration,
    },
    error::Result,
    secret,
    store::{Kind, SEEDED},
    time::Millis,
};

/// Over how many milliseconds before now the connections came to be, each in its place: about a year.
const SPAN: i64 = 360 * 24 * 3600 * 1000;

const FIRST: [&str; 16] = [
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hiroshi", "Ines", "Jonas", "Kavya",
    "Lena", "Mateo", "Noor", "Olga", "Pedro",
];
const LAST: [&str; 15] = [
    "Abel", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kumar",
    "Lopez", "Moreau", "Novak", "Okafor",
];
/// Why some need their owner.
const REASONS: [&str; 3] =
    ["invalid_grant", "Token has been expired or revoked.", "The user has removed the app."];

/// Which made-up connections of an integration.
pub struct Seeding<'a> {
    /// The integration.
    pub integration: &'a Integration,
    /// By number: the number tells the owner's key, the name and the status.
    pub numbers: Range<u64>,
    /// How many there will be in all, for when each came to be.
    pub of: u64,
}

/// Makes connections up and writes them, all or none. Gives them all; some can't be used.
///
/// Everything is sealed before the unit of work begins: a database need not wait for that in the middle of one.
///
/// # Errors
/// `NotFound` when the integration is gone; what the database says.
pub async fn seed(broker: &Broker, wanted: Seeding<'_>, actor: Actor) -> Result<Vec<Connection>> {
    let workspace = &wanted.integration.workspace_id;
    let now = broker.clock.now();
    let made = wanted.numbers.clone().map(|number| {
        let connection = made_up(&wanted, number, now);
        let tokens = Tokens::of(secret::token()?, "Bearer");
        let credential = tokens::seal(broker, workspace, &connection.id, &tokens, connection.created_at)?;
        Ok((connection, credential))
    });
    let made: Vec<(Connection, Credential)> = made.collect::<Result<_>>()?;
    let mut conn = broker.store.begin(actor, now).await?;
    conn.create_connections(workspace, &wanted.integration.id, &made).await?;
    // SQLite would plan everything else by what it found, too.
    if broker.store.kind() == Kind::Postgres {
        conn.any_measure_connections().await?;
    }
    conn.commit().await?;
    Ok(made.into_iter().map(|(connection, _)| connection).collect())
}

/// The connection with this number.
fn made_up(wanted: &Seeding<'_>, number: u64, now: Millis) -> Connection {
    let pick = |of: u64| usize::try_from(number % of).unwrap_or_default();
    let (first, last) = (FIRST[pick(16)], LAST[pick(15)]);
    let at = age(number, wanted.of).map_or(now, |age| Millis(now.0.saturating_sub(age)));
    let (status, reason) = match number % 100 {
        17 | 51 | 83 => (Status::NeedsReauth, Some(REASONS[pick(3)].to_owned())),
        _ => (Status::Active, None),
    };
    Connection {
        owner: Owner { kind: OwnerKind::External, key: Some(format!("{SEEDED}{number:08}")) },
        status,
        status_reason: reason,
        scopes_asked: wanted.integration.scopes.clone(),
        scopes_granted: wanted.integration.scopes.clone(),
        account: Account {
            id: Some(format!("acc-{number:08}")),
            name: Some(format!("{first} {last}")),
            email: Some(format!(
                "{}.{}.{number}@customer.example",
                first.to_lowercase(),
                last.to_lowercase()
            )),
        },
        frozen_at: (number % 100 == 66).then_some(now),
        ..Connection::unborn(wanted.integration, at)
    }
}

/// How many milliseconds ago the connection of a number came to be.
fn age(number: u64, of: u64) -> Option<i64> {
    let left = i64::try_from(of.saturating_sub(number)).ok()?;
    left.checked_mul(SPAN / i64::try_from(of).ok()?.max(1))
}
