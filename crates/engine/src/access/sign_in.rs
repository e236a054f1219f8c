//! Signing in: a name and a password become a session.
//!
//! A password is only looked at within limits: so many tries per account and address, per account, and per address. A
//! try that was right is not counted. Whoever does not exist, is disabled or has no password is answered like somebody
//! who mistyped, after the same work. Only two passwords are checked at a time, and few wait for it: the check is made
//! to cost much, and a flood of tries must not take the machine.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::password::Remembered;
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        session::Session,
        user::{Operator, User},
    },
    error::{Error, Limit, Result},
    id::WorkspaceId,
    limit::{Limiter, Rate},
    secret::{Secret, token},
    store::fold,
    time::Millis,
    vault::hash,
};

const WINDOW: Duration = Duration::from_secs(300);
const PER_ACCOUNT_AND_ADDRESS: Rate = Rate::Per { count: 10, window: WINDOW };
const PER_ACCOUNT: Rate = Rate::Per { count: 50, window: WINDOW };
const PER_ADDRESS: Rate = Rate::Per { count: 100, window: WINDOW };
/// How many passwords are checked at once.
const AT_ONCE: usize = 2;
/// How many checks may be under way or wait.
const IN_LINE: usize = 64;
/// When whoever finds the line full should come again.
const BUSY: Duration = Duration::from_secs(2);

/// What this process knows of those who try to sign in.
pub struct SignIns {
    account_and_address: Limiter,
    account: Limiter,
    address: Limiter,
    checks: Arc<Semaphore>,
    line: Arc<Semaphore>,
    pub(super) remembered: Remembered,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            account_and_address: Limiter::new(PER_ACCOUNT_AND_ADDRESS),
            account: Limiter::new(PER_ACCOUNT),
            address: Limiter::new(PER_ADDRESS),
            checks: Arc::new(Semaphore::new(AT_ONCE)),
            line: Arc::new(Semaphore::new(IN_LINE)),
            remembered: Remembered::default(),
        }
    }
}

/// Somebody says who it is.
pub struct Attempt<'a> {
    /// In which workspace.
    pub workspace: &'a WorkspaceId,
    /// The user's name, as typed.
    pub username: &'a str,
    /// Its password.
    pub password: Secret,
    /// From where, as limits count addresses.
    pub address: &'a str,
}

/// What a limit counts.
struct Keys {
    account_and_address: String,
    account: String,
    address: String,
}

impl Keys {
    fn of(attempt: &Attempt<'_>) -> Self {
        Self::named(attempt.workspace.as_str(), attempt.username, attempt.address)
    }

    /// Of an operator. No workspace's id is spelled like this realm.
    fn of_operator(username: &str, address: &str) -> Self {
        Self::named("operator", username, address)
    }

    fn named(realm: &str, username: &str, address: &str) -> Self {
        // Hashed: names may be long, and there may be many.
        let account = hash::token(&format!("{realm} {}", fold(username)));
        let account_and_address = format!("{account} {address}");
        Self { account_and_address, account, address: address.to_owned() }
    }
}

impl SignIns {
    fn take(&self, keys: &Keys, now: Millis) -> Result<()> {
        let limited = |retry_after| Error::Limited { limit: Limit::SignIns, retry_after };
        self.address.take(&keys.address, now).map_err(limited)?;
        self.account_and_address.take(&keys.account_and_address, now).map_err(limited)?;
        self.account.take(&keys.account, now).map_err(limited)
    }

    fn give_back(&self, keys: &Keys) {
        self.address.give_back(&keys.address);
        self.account_and_address.give_back(&keys.account_and_address);
        self.account.give_back(&keys.account);
    }

    /// Whether the password has this hash. It is checked to its end, and holds its place until then, also when
    /// whoever asked is gone.
    async fn is_right(&self, password: Secret, hash: String) -> Result<bool> {
        let busy = |_| Error::Limited { limit: Limit::SignIns, retry_after: BUSY };
        let place = self.line.clone().try_acquire_owned().map_err(busy)?;
        let turn = self.checks.clone().acquire_owned().await;
        let turn = turn.map_err(|_| Error::internal("no password can be checked any more"))?;
        let check = tokio::task::spawn_blocking(move || {
            let right = hash::password_matches(&password, &hash);
            drop((turn, place));
            right
        });
        check.await.map_err(|_| Error::internal("checking a password was interrupted"))
    }

    /// The user that an attempt is by, if its password is right. `user` is who has the name.
    ///
    /// # Errors
    /// `Limited`; nothing was checked then.
    pub(super) async fn check(
        &self,
        attempt: &Attempt<'_>,
        user: Option<User>,
        now: Millis,
    ) -> Result<Option<User>> {
        let user = user.filter(|user| user.disabled_at.is_none() && user.password_hash.is_some());
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let right = self.judge(&Keys::of(attempt), attempt.password.clone(), hash, now).await?;
        Ok(user.filter(|_| right))
    }

    /// The operator whose name and password somebody showed, if it is right. `operator` is who has the name.
    ///
    /// # Errors
    /// As [`SignIns::check`].
    pub(super) async fn check_operator(
        &self,
        username: &str,
        password: Secret,
        address: &str,
        operator: Option<Operator>,
        now: Millis,
    ) -> Result<Option<Operator>> {
        let operator = operator.filter(|it| it.disabled_at.is_none() && it.password_hash.is_some());
        let hash = operator.as_ref().and_then(|it| it.password_hash.as_deref());
        let right = self.judge(&Keys::of_operator(username, address), password, hash, now).await?;
        Ok(operator.filter(|_| right))
    }

    /// Whether a password has this hash, within limits. Without a hash it is nobody's, after the same work.
    async fn judge(&self, keys: &Keys, password: Secret, hash: Option<&str>, now: Millis) -> Result<bool> {
        self.take(keys, now)?;
        let known = hash.is_some();
        let right = self.is_right(password, hash.unwrap_or(hash::NOBODYS).to_owned()).await;
        let right = right.map(|right| right && known);
        // What was right is not counted, and what was not looked at neither.
        if !matches!(right, Ok(false)) {
            self.give_back(keys);
        }
        right
    }
}

/// Who signed in.
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// What its browser shows from now on.
    pub sid: Secret,
}

/// Signs a user in. The session that its browser showed before, `old`, ends.
///
/// # Errors
/// `Unauthenticated`, the same for whatever was wrong; `Limited` after too many tries.
pub async fn sign_in(broker: &Broker, attempt: Attempt<'_>, old: Option<&Secret>) -> Result<SignedIn> {
    let refused = || Error::Unauthenticated { message: "Unable to log in".to_owned() };
    let (now, workspace) = (broker.clock.now(), attempt.workspace);
    let named = broker.store.read().await?.user_by_name(workspace, attempt.username).await?;
    let known = broker.sign_ins.check(&attempt, named, now).await?.ok_or_else(refused)?;
    let sid = token()?;
    let session = Session {
        hash: hash::token(sid.expose()),
        workspace_id: workspace.clone(),
        user_id: known.id.clone(),
        seen_at: now,
        ends_at: now.plus(broker.sessions.life),
        created_at: now,
    };
    let mut conn = broker.store.begin(Actor::User(known.id.to_string()), now).await?;
    // Meanwhile it may have got another password, or been disabled: what ended its sessions would miss this one.
    let user = conn.hold_user(workspace, &known.id).await?;
    let same = |user: &User| user.password_hash == known.password_hash && user.disabled_at.is_none();
    let user = user.filter(same).ok_or_else(refused)?;
    if let Some(old) = old {
        conn.end_session(workspace, &hash::token(old.expose())).await?;
    }
    conn.create_session(workspace, &session).await?;
    conn.commit().await?;
    Ok(SignedIn { user, sid })
}

#[cfg(test)]
#[path = "sign_in_tests.rs"]
mod tests;
