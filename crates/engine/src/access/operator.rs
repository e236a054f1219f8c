//! The operator: who signed in at the dashboard, with a session of its own kind.
//!
//! A user's session is never one of these: they are rows of another table, under another cookie. A session ends as a
//! user's does, when it is idle, after a time, and at once when its operator signs out, gets another password or is shut
//! out. What is grave asks that the password was shown in it not long ago ([`SignedOperator::is_proven`]).

use std::{sync::Arc, time::Duration};

use super::used;
use crate::{
    broker::Broker,
    domain::{audit::Actor, operator_session::OperatorSession, user::Operator},
    error::{Error, Result},
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::hash,
};

/// For how long a password that was shown is proof of who sits there.
const PROVEN: Duration = Duration::from_secs(600);

fn refused() -> Error {
    Error::Unauthenticated { message: "Sign in first".to_owned() }
}

fn wrong() -> Error {
    Error::Unauthenticated { message: "The name or the password is not right".to_owned() }
}

/// Somebody at the dashboard, before it is known who.
pub struct Visitor<'a> {
    /// From where, as limits count addresses.
    pub limited_as: &'a str,
    /// From where, as the audit log says it.
    pub address: &'a str,
}

/// An operator who is signed in.
#[derive(Debug, Clone)]
pub struct SignedOperator {
    /// Who.
    pub operator: Operator,
    /// In which session.
    pub session: OperatorSession,
    /// From which address it acts.
    pub address: String,
}

impl SignedOperator {
    /// Whether its password was shown not long ago.
    pub fn is_proven(&self, now: Millis) -> bool {
        now.since(self.session.proven_at) < PROVEN
    }

    /// A unit of work in its name.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn begin(&self, broker: &Broker) -> Result<Conn> {
        begin(broker, &self.operator, &self.address).await
    }
}

/// Whether somebody showed the password of the session's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It did.
    Right,
    /// It is another one.
    Wrong,
}

/// Who signed in.
pub struct Entered {
    /// The operator.
    pub operator: Operator,
    /// What its browser shows from now on.
    pub sid: Secret,
}

/// Finds which operator signed in with the session that a browser shows.
///
/// # Errors
/// `Unauthenticated`, the same for a session that is unknown or over, and for an operator who is shut out.
pub async fn operator(broker: &Arc<Broker>, sid: &Secret, address: &str) -> Result<SignedOperator> {
    let now = broker.clock.now();
    let mut conn = broker.store.read().await?;
    let found = conn.any_operator_session(&hash::token(sid.expose())).await?;
    let open = |it: &OperatorSession| broker.sessions.last(it.seen_at, it.ends_at, now);
    let session = found.filter(open).ok_or_else(refused)?;
    let operator = conn.any_operator(&session.operator_id).await?;
    let operator = operator.filter(|it| it.disabled_at.is_none()).ok_or_else(refused)?;
    used::operator_session(broker, &session);
    Ok(SignedOperator { operator, session, address: address.to_owned() })
}

/// Signs an operator in. The session that its browser showed before, `old`, ends: a session's text is never one that was
/// there before somebody signed in.
///
/// # Errors
/// `Unauthenticated`, the same for whatever was wrong; `Limited` after too many tries.
pub async fn sign_in_operator(
    broker: &Broker,
    visitor: &Visitor<'_>,
    username: &str,
    password: Secret,
    old: Option<&Secret>,
) -> Result<Entered> {
    let now = broker.clock.now();
    let named = broker.store.read().await?.any_operator_by_name(username).await?;
    let checked = broker.sign_ins.check_operator(username, password, visitor.limited_as, named, now).await?;
    let known = checked.ok_or_else(wrong)?;
    let mut conn = begin(broker, &known, visitor.address).await?;
    // Meanwhile it may have got another password, or been shut out: what ended its sessions would miss this one.
    let operator = conn.any_hold_operator(&known.id).await?;
    let same = |it: &Operator| it.password_hash == known.password_hash && it.disabled_at.is_none();
    let operator = operator.filter(same).ok_or_else(wrong)?;
    if let Some(old) = old {
        conn.any_end_operator_session(&hash::token(old.expose())).await?;
    }
    let sid = open(&mut conn, broker, &operator).await?;
    conn.commit().await?;
    Ok(Entered { operator, sid })
}

/// Begins a session of an operator. What comes back is shown to its browser alone.
pub(crate) async fn open(conn: &mut Conn, broker: &Broker, operator: &Operator) -> Result<Secret> {
    let (sid, now) = (token()?, broker.clock.now());
    let session = OperatorSession {
        hash: hash::token(sid.expose()),
        operator_id: operator.id.clone(),
        proven_at: now,
        seen_at: now,
        ends_at: now.plus(broker.sessions.life),
        created_at: now,
    };
    conn.any_create_operator_session(&session).await?;
    Ok(sid)
}

/// The password once more, before something grave. Its session is proven by it for a while.
///
/// # Errors
/// `Limited` after too many tries; `Unauthenticated` when the session ended meanwhile.
pub async fn prove(
    broker: &Broker,
    by: &SignedOperator,
    password: Secret,
    limited_as: &str,
) -> Result<Proof> {
    let (now, name) = (broker.clock.now(), &by.operator.username);
    let operator = Some(by.operator.clone());
    if broker.sign_ins.check_operator(name, password, limited_as, operator, now).await?.is_none() {
        return Ok(Proof::Wrong);
    }
    let mut conn = by.begin(broker).await?;
    if !conn.any_prove_operator_session(&by.session.hash, &by.operator.id).await? {
        return Err(refused());
    }
    conn.commit().await?;
    Ok(Proof::Right)
}

/// Gives the operator another password, once it was proven that it knows the present one ([`prove`]). All its sessions end;
/// what comes back is a new one.
///
/// # Errors
/// `Unauthenticated` when the session has ended, the operator was disabled or its password was changed meanwhile.
pub async fn set_operator_password(broker: &Broker, by: &SignedOperator, hash: String) -> Result<Secret> {
    let mut conn = by.begin(broker).await?;
    let now = conn.any_hold_operator(&by.operator.id).await?;
    let same =
        now.is_some_and(|now| now.disabled_at.is_none() && now.password_hash == by.operator.password_hash);
    if !same || !conn.any_prove_operator_session(&by.session.hash, &by.operator.id).await? {
        return Err(refused());
    }
    conn.any_set_operator_password(&by.operator.id, &hash).await?;
    let sid = open(&mut conn, broker, &by.operator).await?;
    conn.commit().await?;
    Ok(sid)
}

/// Ends the session.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn sign_out_operator(broker: &Broker, by: &SignedOperator) -> Result<()> {
    let mut conn = by.begin(broker).await?;
    conn.any_end_operator_session(&by.session.hash).await?;
    conn.commit().await
}

/// Ends every session of the operator, this one too.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn sign_out_operator_everywhere(broker: &Broker, by: &SignedOperator) -> Result<()> {
    let mut conn = by.begin(broker).await?;
    conn.any_end_operator_sessions(&by.operator.id).await?;
    conn.commit().await
}

async fn begin(broker: &Broker, operator: &Operator, address: &str) -> Result<Conn> {
    let actor = Actor::Operator(operator.id.to_string());
    Ok(broker.store.begin(actor, broker.clock.now()).await?.from_address(address))
}
