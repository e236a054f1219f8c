//! Reach: a pool with its first connection, or what stands in its way.
//!
//! A pool tries again and again, and says at last only that its time is over. Whoever starts a process wants to know what to
//! look at. Must never repeat the database's URL: it may hold a password.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{
    AnyConnection, AnyPool, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use super::{
    Kind,
    fault::fault,
    open::{LET_GO, PRAGMAS},
};
use crate::error::{Error, Result};

/// How long one connection more may take, to be told why there is none.
const LAST: Duration = Duration::from_secs(3);

/// Opens the pool's first connection.
///
/// # Errors
/// `Invalid` naming `database_url` where there was none within the pool's limit: in whose way what stands, and what to check.
pub(super) async fn reached(kind: Kind, pool: AnyPoolOptions, at: AnyConnectOptions) -> Result<AnyPool> {
    let limit = pool.get_acquire_timeout();
    let opened: BoxFuture<'_, _> = Box::pin(pool.connect_with(at.clone()));
    match opened.await {
        Err(sqlx::Error::PoolTimedOut) => Err(unreached(kind, limit, &obstacle(kind, &at).await)),
        opened => opened.map_err(fault),
    }
}

fn unreached(kind: Kind, limit: Duration, why: &str) -> Error {
    let (what, check) = match kind {
        Kind::Sqlite => (
            "the file could not be opened",
            "that its disk has room, and that this user may write the file and the folder that it is in",
        ),
        Kind::Postgres => (
            "PostgreSQL gave no connection",
            "that it runs and listens there, that nothing on the way refuses this machine, and that it has connections \
             left (max_connections)",
        ),
    };
    let limit = limit.as_secs_f32();
    Error::invalid("database_url", format!("{what} within {limit} seconds: {why}. Check {check}"))
}

/// What stands in the way of a connection.
async fn obstacle(kind: Kind, at: &AnyConnectOptions) -> String {
    let first = match kind {
        Kind::Sqlite => PRAGMAS,
        Kind::Postgres => LET_GO,
    };
    let tried: BoxFuture<'_, sqlx::Result<()>> = Box::pin(async move {
        let mut link = AnyConnection::connect_with(at).await?;
        sqlx::raw_sql(first).execute(&mut link).await?;
        link.close().await
    });
    match tokio::time::timeout(LAST, tried).await {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(())) => "it answers only now".to_owned(),
        Err(_) => "it does not answer".to_owned(),
    }
}
