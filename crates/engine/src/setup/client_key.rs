//! Client keys: our own towards providers, rotated and taken away.
//!
//! How they come to be and sign is [`crate::connect::client_key`]'s. Where an integration is pointed elsewhere, they and
//! its certificate go, and what comes in their place is published at another address: whoever trusts what is published at
//! the one before must not trust it for what is there now.

use std::time::Duration;

use super::{Change, certificate::certificates};
use crate::{
    connect::client_key::{generate, keep, needed},
    domain::{
        client_key::{ClientKey, Purpose, signing},
        integration::{Config, Integration},
    },
    error::{Error, Result},
    id::ClientKeyId,
    secret::random,
};

/// How long a new key is published before it signs: servers keep key sets for a while.
pub const WAIT: Duration = Duration::from_secs(3600);
/// The most keys that an integration, or an auth option, publishes for one algorithm.
const MOST: usize = 5;

/// The signing keys of an integration, as of one of its auth options, oldest first.
///
/// # Errors
/// When the database can't be read.
pub async fn client_keys(to: &mut Change<'_>, of: &Integration) -> Result<Vec<ClientKey>> {
    to.conn.client_keys(&of.workspace_id, &of.id, of.as_of.option.as_ref(), Purpose::Signing).await
}

/// Makes a new key beside each that signs now. It is published at once, and signs after `wait`; the ones before stay
/// until they are removed.
///
/// # Errors
/// `Conflict` where the integration signs nothing, or has too many keys already.
pub async fn rotate_client_keys(
    to: &mut Change<'_>,
    of: &Integration,
    wait: Duration,
) -> Result<Vec<ClientKey>> {
    let provider = to.catalog.get(&of.provider);
    let needed = provider.map(|provider| needed(&provider, of)).unwrap_or_default();
    if needed.is_empty() {
        let message = format!("integration `{}` signs nothing with keys of its own", of.key);
        return Err(Error::Conflict { message });
    }
    let there = client_keys(to, of).await?;
    let mut made = Vec::new();
    for alg in needed {
        let several = there.iter().filter(|key| key.alg == alg).count();
        if several >= MOST {
            let message =
                format!("there are {several} keys for {} already: remove those not in use", alg.as_str());
            return Err(Error::Conflict { message });
        }
        // The first one signs at once: nobody knows another.
        let from = if several == 0 { to.now } else { to.now.plus(wait) };
        let fresh = generate(alg).await?;
        made.push(keep(to.conn, to.vault, of, &fresh, (to.now, from)).await?);
    }
    Ok(made)
}

/// Takes a key away, at once: what it signed is worth nothing once servers have read the key set again.
///
/// # Errors
/// `NotFound` when the integration has no such key; `Conflict` while it signs, unless it is forced: one that somebody
/// else got hold of has to go.
pub async fn remove_client_key(
    to: &mut Change<'_>,
    of: &Integration,
    id: &ClientKeyId,
    forced: bool,
) -> Result<()> {
    let there = client_keys(to, of).await?;
    let found = there.iter().find(|key| key.id == *id).ok_or(Error::NotFound { what: "client key" })?;
    if !forced && signing(&there, found.alg, to.now).is_some_and(|key| key.id == *id) {
        let message = format!("{id} signs now: rotate first, and remove it when the new key signs");
        return Err(Error::Conflict { message });
    }
    to.conn.delete_client_key(&of.workspace_id, id).await.map(drop)
}

/// Takes all of an integration's keys and its certificate away, for it was pointed elsewhere; whether there were any.
pub(super) async fn drop_all(to: &mut Change<'_>, of: &Integration) -> Result<bool> {
    let mut there = client_keys(to, of).await?;
    there.extend(certificates(to, of).await?);
    for key in &there {
        to.conn.delete_client_key(&of.workspace_id, &key.id).await?;
    }
    Ok(!there.is_empty())
}

/// Sets what the address of the key set ends with: another text where the configuration `was` pointed elsewhere, else
/// the one before.
///
/// # Errors
/// `Invalid` when somebody else sets it.
pub(super) fn address(was: Option<&Config>, now: &mut Config, moved: bool) -> Result<()> {
    let before = was.and_then(|was| was.jwks.clone());
    if now.jwks.is_some() && now.jwks != before {
        return Err(Error::invalid(
            "config.jwks",
            "must be absent: where keys are published is not configured",
        ));
    }
    // Also where there are no keys yet: the address may be known all the same.
    now.jwks = if moved { Some(u64::from_be_bytes(random()?)).map(|n| format!("{n:016x}")) } else { before };
    Ok(())
}
