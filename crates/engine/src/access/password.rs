//! Name and password with each call (HTTP Basic).
//!
//! A password takes tens of milliseconds to check, so one that was right is remembered for a minute, by a keyed hash
//! whose key nobody outside this process has. It is forgotten the moment the user gets another one or is disabled:
//! what is remembered holds only together with the user's row, which each call reads anyway.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Attempt, By, Member, refused};
use crate::{
    broker::Broker, domain::user::User, error::Result, secret::random, store::fold, time::Millis, vault::hash,
};

/// How long a password that was right is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many passwords, told apart by what they are remembered by, wait for their check apart from each other.
const TURNS: usize = 16;
/// How many passwords are remembered at once.
const MOST: usize = 10_000;

/// Passwords that were right a moment ago.
#[derive(Default)]
pub(super) struct Remembered {
    memory: Mutex<Memory>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

#[derive(Default)]
struct Memory {
    /// Made when it is first needed.
    key: Option<[u8; 32]>,
    right: HashMap<String, Right>,
}

/// What was right.
struct Right {
    password_hash: Option<String>,
    until: Millis,
}

impl Remembered {
    /// What an attempt is remembered by.
    fn name(&self, attempt: &Attempt<'_>) -> Result<String> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match memory.key {
            Some(key) => key,
            None => *memory.key.insert(random()?),
        };
        drop(memory);
        let texts = [attempt.workspace.as_str(), &fold(attempt.username), attempt.password.expose()];
        Ok(hash::keyed(&key, &texts))
    }

    /// Whoever shows this very name and password waits here for whoever showed it first.
    fn turn(&self, name: &str) -> &tokio::sync::Mutex<()> {
        let nth = name.bytes().fold(0, |sum: usize, byte| sum.wrapping_add(usize::from(byte)));
        &self.turns[nth % TURNS]
    }

    fn knows(&self, name: &str, user: &User, now: Millis) -> bool {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.right.get(name).is_some_and(|right| {
            right.until > now && user.password_hash.is_some() && right.password_hash == user.password_hash
        })
    }

    fn keep(&self, name: String, user: &User, now: Millis) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.right.len() >= MOST {
            memory.right.retain(|_, right| right.until > now);
        }
        if memory.right.len() < MOST {
            let right = Right { password_hash: user.password_hash.clone(), until: now.plus(REMEMBERED) };
            memory.right.insert(name, right);
        }
    }
}

/// Finds who calls with this name and password.
///
/// # Errors
/// `Unauthenticated`, the same for whatever was wrong; `Limited` after too many tries.
pub async fn password(broker: &Broker, attempt: Attempt<'_>) -> Result<Member> {
    let (now, workspace) = (broker.clock.now(), attempt.workspace);
    let mut conn = broker.store.read().await?;
    let named = conn.user_by_name(workspace, attempt.username).await?;
    drop(conn);
    let remembered = &broker.sign_ins.remembered;
    let name = remembered.name(&attempt)?;
    let right = || named.as_ref().is_some_and(|user| remembered.knows(&name, user, now));
    let mut known = right();
    // A program that makes many calls at once is checked once, and no call of it counts as a wrong try.
    let turn = if known { None } else { Some(remembered.turn(&name).lock().await) };
    if turn.is_some() {
        known = right();
    }
    let user = match named {
        Some(user) if known => Some(user).filter(|user| user.disabled_at.is_none()),
        other => broker.sign_ins.check(&attempt, other, now).await?.inspect(|user| {
            remembered.keep(name, user, now);
        }),
    };
    drop(turn);
    let user = user.ok_or_else(refused)?;
    let teams = broker.store.read().await?.teams_of(workspace, &user.id).await?;
    Ok(Member { workspace_id: workspace.clone(), user, teams, by: By::Password })
}
