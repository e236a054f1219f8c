//! Due: when a credential is to be made anew ahead of time. Pure.
//!
//! A little before calls would wait for it, each connection at a moment of its own, so that tokens which were obtained
//! together are not refreshed together. Where a provider refuses an earlier refresh, never before that.

use std::time::Duration;

use claviger_catalog::{Auth, Grant, Provider, RefreshWith};

use super::decide;
use crate::{id::ConnectionId, store::Due, time::Millis};

/// Who is renewed ahead of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Always: an authorization that would be lost, or a token that has to be good to be renewed.
    Alive,
    /// As long as it is used: another can be had whenever there is a call for it.
    WhileUsed,
    /// Never: it is made here, or there is nothing to renew.
    Not,
}

/// Who of this provider is.
pub(super) fn kept(provider: &Provider) -> Kept {
    match &provider.auth {
        Auth::OAuth2(oauth2) => match (oauth2.refresh.with, oauth2.grant) {
            (RefreshWith::RefreshToken, Grant::AuthorizationCode | Grant::DeviceCode)
            | (RefreshWith::AccessToken, _) => Kept::Alive,
            (RefreshWith::Client, _)
            | (
                RefreshWith::RefreshToken,
                Grant::ClientCredentials | Grant::JwtBearer | Grant::TokenExchange,
            ) => Kept::WhileUsed,
        },
        Auth::Steps(_) => Kept::WhileUsed,
        Auth::OAuth1(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::WorkspaceToken(_) => Kept::Not,
    }
}

/// Whether it is to be made anew by now.
pub(super) fn is_due(provider: &Provider, one: &Due, now: Millis) -> bool {
    let used = one.last_used_at.is_some_and(|at| at >= one.obtained_at);
    match kept(provider) {
        Kept::Not => return false,
        Kept::WhileUsed if !used => return false,
        Kept::Alive | Kept::WhileUsed => {}
    }
    expiring_at(provider, one).is_some_and(|at| at <= now) || is_idle(provider, one, now)
}

/// When it is refreshed because its access token ends.
fn expiring_at(provider: &Provider, one: &Due) -> Option<Millis> {
    Some(one.expires_at?.minus(lead(provider, one)?))
}

/// How long before its access token ends it is refreshed: a tenth to a fifth earlier than calls would do it.
pub(super) fn lead(provider: &Provider, one: &Due) -> Option<Duration> {
    let own = margin(provider);
    let lead = decide::lead(one.obtained_at, one.expires_at?, own);
    let earlier = if own.is_some() { Duration::ZERO } else { (lead + share(&one.connection_id, lead)) / 10 };
    Some(lead + earlier)
}

/// Whether it is to be used by now, however good its access token is.
pub(super) fn is_idle(provider: &Provider, one: &Due, now: Millis) -> bool {
    idle_at(provider, one).is_some_and(|at| at <= now)
}

/// When it is refreshed because its refresh token would die of not being used: when two thirds of its time are over, or
/// a little before.
fn idle_at(provider: &Provider, one: &Due) -> Option<Millis> {
    // Without a refresh token there is nothing that could die.
    one.refresh_expires_at?;
    let wait = idle_lifetime(provider)? * 2 / 3;
    Some(one.obtained_at.plus(wait - share(&one.connection_id, wait) / 10))
}

/// The longest time before their expiry that tokens of this provider can be due.
pub(super) fn longest_lead(provider: &Provider) -> Duration {
    margin(provider).unwrap_or(decide::LONGEST_LEAD + decide::LONGEST_LEAD / 5)
}

/// The shortest time after which one can be due for not having been used.
pub(super) fn earliest_idleness(provider: &Provider) -> Option<Duration> {
    Some(idle_lifetime(provider)? * 2 / 3 * 9 / 10)
}

/// How long before their expiry tokens of this provider are refreshed, where its file says it.
pub(super) fn margin(provider: &Provider) -> Option<Duration> {
    provider.oauth2().and_then(|oauth2| oauth2.refresh.margin).map(Duration::from_secs)
}

/// How long refresh tokens of this provider stay good unused, where its file says it.
pub(super) fn idle_lifetime(provider: &Provider) -> Option<Duration> {
    provider.oauth2().and_then(|oauth2| oauth2.refresh.idle_lifetime).map(Duration::from_secs)
}

/// A share of this time that is always the same for this connection, and another one for the next.
pub(super) fn share(connection: &ConnectionId, of: Duration) -> Duration {
    // FNV-1a, whose low bits are the most mixed.
    let mixed = connection
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    of * (mixed & 0xff) / 0xff
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
