//! Proven: a token that a refresh just made is known to work, so that the one before it is erased.
//!
//! Noted off the caller's path, by the task that writes the request log; of many calls at once one is noted.

use std::collections::BTreeMap;

use http::Response;

use crate::{
    error::Result,
    id::{ConnectionId, WorkspaceId},
    outbound::{Body, Failure},
    refresh::{self, Subject, Usable},
    store::Store,
    time::Millis,
};

/// A version of a credential that works.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Proven {
    workspace: WorkspaceId,
    connection: ConnectionId,
    version: i64,
}

/// What an answer proves of the token that a call carried. `refused` says whether it is one of an expired token; a
/// provider that is in trouble may not have looked at it.
pub(super) fn by(
    subject: &Subject,
    usable: &Usable,
    outcome: &std::result::Result<Response<Body>, Failure>,
    refused: bool,
) -> Option<Proven> {
    let answered = matches!(outcome, Ok(answer) if !answer.status().is_server_error());
    if !usable.unproven || usable.previous || refused || !answered {
        return None;
    }
    Some(Proven {
        workspace: subject.workspace_id.clone(),
        connection: subject.connection.id.clone(),
        version: usable.version,
    })
}

/// Writes what was proven.
pub(super) async fn note(store: &Store, proven: Vec<(Proven, Millis)>) -> Result<()> {
    for (one, at) in BTreeMap::from_iter(proven) {
        refresh::worked(store, &one.workspace, &one.connection, one.version, at).await?;
    }
    Ok(())
}
