//! The account: whether a connection that is authorized anew still is of the account that it was of.
//!
//! Whoever reconnects may be signed in at the provider as somebody else, by mistake or because somebody meant it. The
//! integration says what happens then: `account_check`. Compared is the provider's own id for the account, as its identity
//! call or a verified ID token told it. Must never name an account to whoever connects: it may be another's.

use crate::{
    domain::{connection::Connection, integration::AccountCheck},
    error::{Error, Result},
    store::Conn,
};

/// Another account was authorized where the integration wants the same.
const OTHER: &str =
    "another account was authorized than the one that is connected; sign in there with that one";
/// It can't be told, where the integration wants the same.
const UNKNOWN: &str = "the service did not say whose account it is, which must be known here; try again";

/// Compares the account of what was just authorized with the one of before. Gives what is to be noted of it.
///
/// # Errors
/// `Denied` where the integration wants the same account and it is not, or not surely.
pub(super) async fn compare(conn: &mut Conn, was: &Connection, made: &Connection) -> Result<Option<String>> {
    let option = made.auth_option.as_deref();
    let found = conn.integration_as(&made.workspace_id, &made.integration_id, option).await?;
    let check = found.and_then(|it| it.config.account_check).unwrap_or_default();
    decide(check, was, made)
}

fn decide(check: AccountCheck, was: &Connection, made: &Connection) -> Result<Option<String>> {
    let Some(before) = &was.account.id else { return Ok(None) };
    let denied = |message: &str| Err(Error::Denied { message: message.to_owned() });
    match (check, &made.account.id) {
        (AccountCheck::Off, _) => Ok(None),
        (_, Some(now)) if now == before => Ok(None),
        (AccountCheck::Require, Some(_)) => denied(OTHER),
        (AccountCheck::Require, None) => denied(UNKNOWN),
        (AccountCheck::Warn, now) => {
            let known = if now.is_some() { "another account" } else { "an account that is not known" };
            let at = made.authorized_at.rfc3339();
            let account = &was.account;
            let label = account.email.as_ref().or(account.name.as_ref()).unwrap_or(before);
            Ok(Some(format!("{known} was authorized at {at}; before it was {label}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            connection::{Account, Owner, OwnerKind, Status},
            integration::AccountCheck::{Off, Require, Warn},
        },
        id::{ConnectionId, IntegrationId, WorkspaceId},
        time::Millis,
    };

    fn of(account: Option<&str>) -> Connection {
        Connection {
            id: ConnectionId::new(),
            workspace_id: WorkspaceId::new(),
            integration_id: IntegrationId::new(),
            owner: Owner { kind: OwnerKind::External, key: None },
            status: Status::Active,
            status_reason: None,
            scopes_asked: Vec::new(),
            scopes_granted: Vec::new(),
            account: Account { id: account.map(str::to_owned), name: None, email: None },
            inputs: Default::default(),
            name: None,
            auth_option: None,
            frozen_at: None,
            refreshed_at: None,
            expires_at: None,
            authorized_at: Millis(0),
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    #[test]
    fn each_pair_of_accounts_has_its_answer() {
        let note = |known: &str| {
            Ok(Some(format!("{known} was authorized at 1970-01-01T00:00:00.000Z; before it was a")))
        };
        for (check, was, made, want) in [
            (Require, Some("a"), Some("a"), Ok(None)),
            (Require, Some("a"), Some("b"), Err(OTHER)),
            (Require, Some("a"), None, Err(UNKNOWN)),
            (Require, None, Some("b"), Ok(None)),
            (Require, None, None, Ok(None)),
            (Warn, Some("a"), Some("a"), Ok(None)),
            (Warn, Some("a"), Some("b"), note("another account")),
            (Warn, Some("a"), None, note("an account that is not known")),
            (Warn, None, Some("b"), Ok(None)),
            (Off, Some("a"), Some("b"), Ok(None)),
            (Off, Some("a"), None, Ok(None)),
        ] {
            let got = decide(check, &of(was), &of(made));
            let got = got.map_err(|error| match error {
                Error::Denied { message } => message,
                other => panic!("{other:?}"),
            });
            assert_eq!(got, want.map_err(str::to_owned), "{check:?} {was:?} {made:?}");
        }
    }
}
