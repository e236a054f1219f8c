//! Keep: the new tokens over the version that was seen, with everything that hangs on it, in one transaction.
//!
//! The version is compared and swapped, so that of two refreshes one is written. One exception: a token that was sent
//! again gives other tokens than at first, and ends those; then the answer to the later sending is written over the earlier
//! one's. An answer that nobody waited for any more counts as long as the version has not moved.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use claviger_protocol::oauth2::Tokens;

use super::{
    Subject, Usable, ask, lifetime,
    run::{Run, UNEXCHANGED},
    step::Written,
    words,
    write::unexchanged_rest,
};
use crate::{
    connect::{end, tokens},
    domain::{
        connection::{Connection, Status},
        credential::Credential,
        event::EventKind,
        refresh::Closed,
    },
    error::{Error, Result},
    fail,
    store::Conn,
    time::Millis,
    webhook,
};

/// For how long the credential before is kept at most.
const PREVIOUS: Duration = Duration::from_secs(24 * 3600);

impl Run {
    pub(super) async fn try_keep(&mut self) -> Result<Written> {
        let newer = self.got.clone().ok_or_else(|| Error::internal("there are no new tokens"))?;
        let (mut conn, now) = self.begin().await?;
        let subject = self.subject.clone();
        let (newer, lived) = lifetime::settled(&subject.provider, self.held.credential.lifetime, newer, now);
        let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
        // First of all, though the lease may be another's by now: so nobody waits for each other.
        let ours = if newer.access_token.is_empty() {
            let rest = unexchanged_rest(now, UNEXCHANGED);
            conn.rest_refresh(workspace, id, self.fence(), rest).await?
        } else {
            conn.end_refresh(workspace, id, self.fence()).await?
        };
        if !ours {
            conn.lock_refresh(workspace, id).await?;
        }
        let spent = ask::token_hash(&subject.provider, &newer) != self.token_hash;
        let closed = if spent { Closed::Renewed } else { Closed::Kept };
        let credential = self.sealed(&newer, lived, now)?;
        let unproven = credential.previous.is_some();
        let Some((version, again)) = self.replace(&mut conn, credential).await? else {
            let written = self.replaced(&mut conn).await?;
            if let Some(intent) = &self.intent {
                conn.answer_intent(workspace, intent, closed, now).await?;
            }
            conn.commit().await?;
            return Ok(written);
        };
        let Some(was) = conn.connection(workspace, id).await? else { return Ok(Written::Gone) };
        // What a later refresh ended since an earlier try of this one stays so.
        let healed =
            !again && was.status == Status::NeedsReauth && words::is_unknown(was.status_reason.as_deref());
        let is = refreshed(was.clone(), &newer, healed, now);
        if healed {
            conn.set_connection_status(workspace, id, Status::Active, None, now).await?;
        }
        conn.note_refreshed(workspace, &is).await?;
        if healed || is.scopes_granted != was.scopes_granted || is.inputs != was.inputs {
            webhook::emit(&mut conn, EventKind::ConnectionUpdated, &is, now).await?;
        }
        if let Some(intent) = &self.intent {
            conn.answer_intent(workspace, intent, closed, now).await?;
        }
        fail::point("in_keep");
        conn.commit().await?;
        self.kept =
            Some(Usable { tokens: Arc::new(newer), version, obtained_at: now, unproven, previous: false });
        Ok(Written::Done)
    }

    fn sealed(&self, newer: &Tokens, lifetime: Option<i64>, now: Millis) -> Result<Credential> {
        let Subject { workspace_id, connection, .. } = &self.subject;
        let mut credential = tokens::seal(&self.broker, workspace_id, &connection.id, newer, now)?;
        credential.version = self.seen + 1;
        credential.fence = self.fence();
        credential.parent_hash = self.token_hash.clone();
        credential.lifetime = lifetime;
        let before = &self.held.usable.tokens;
        let alive = self.held.credential.expires_at.is_none_or(|end| now < end);
        if alive && !before.access_token.is_empty() && !newer.access_token.is_empty() {
            let sealed = tokens::seal_previous(&self.broker, workspace_id, &connection.id, before)?;
            credential.previous = Some(sealed);
            credential.previous_until = Some(now.plus(PREVIOUS));
        }
        Ok(credential)
    }

    /// Writes over the version that was seen, or over what an earlier sending of the same token brought. Gives the version
    /// that it then has, and whether an earlier try had written it already; `None` where it is another's.
    async fn replace(&self, conn: &mut Conn, mut credential: Credential) -> Result<Option<(i64, bool)>> {
        let workspace = &self.subject.workspace_id;
        if conn.replace_credential(workspace, &credential, self.seen).await? {
            return Ok(Some((credential.version, false)));
        }
        let Some(there) = conn.credential(workspace, &credential.connection_id).await? else {
            return Ok(None);
        };
        if there.fence == credential.fence && there.parent_hash == credential.parent_hash {
            // An earlier try, whose commit only looked like a failure.
            return Ok(Some((there.version, true)));
        }
        let same = there.parent_hash.is_some() && there.parent_hash == credential.parent_hash;
        if there.version != self.seen + 1 || there.fence > credential.fence || !same {
            return Ok(None);
        }
        credential.version = there.version + 1;
        let wrote = conn.replace_credential(workspace, &credential, there.version).await?;
        Ok(wrote.then_some((credential.version, false)))
    }

    /// The connection was ended while it was refreshed: its new tokens are revoked as well.
    pub(super) async fn revoke_unkept(&mut self) {
        let Some(newer) = self.got.take() else { return };
        let Subject { connection, integration, .. } = &self.subject;
        end::revoke_unless_shared(&self.broker, integration, connection, &newer).await;
    }
}

/// The connection after a refresh. Scopes in another order are the same scopes.
fn refreshed(was: Connection, tokens: &Tokens, healed: bool, now: Millis) -> Connection {
    let mut is = Connection {
        refreshed_at: Some(now),
        expires_at: tokens.expires_at.map(Millis),
        updated_at: now,
        ..was
    };
    if healed {
        (is.status, is.status_reason) = (Status::Active, None);
    }
    is.inputs.extend(tokens.saved.clone());
    if let Some(told) = &tokens.scopes
        && BTreeSet::from_iter(told) != BTreeSet::from_iter(&is.scopes_granted)
    {
        is.scopes_granted = told.clone();
    }
    is
}
