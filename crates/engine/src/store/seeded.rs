//! Connections that were made up, to see how Claviger does with many: written a hundred to a statement.
//!
//! The change log hears of their integration once per unit of work, and the audit says once who did it: a row for each
//! would cost more than all the rest. Nobody can have asked for such a connection before it was there.

use std::sync::LazyLock;

use super::{
    Conn, Topic, connection, credential,
    statement::{Statement, sql},
};
use crate::{
    domain::{connection::Connection, credential::Credential},
    error::Result,
    id::{IntegrationId, WorkspaceId},
};

/// What the key of a made-up connection's owner begins with.
pub const SEEDED: &str = "seed-";

/// Rows of one statement.
const AT_ONCE: usize = 100;

static CONNECTION: LazyLock<String> = LazyLock::new(|| insert("connection", connection::columns!(), 1));
static CONNECTIONS: LazyLock<String> =
    LazyLock::new(|| insert("connection", connection::columns!(), AT_ONCE));
static CREDENTIAL: LazyLock<String> = LazyLock::new(|| insert("credential", credential::columns!(), 1));
static CREDENTIALS: LazyLock<String> =
    LazyLock::new(|| insert("credential", credential::columns!(), AT_ONCE));

/// The text that adds so many rows at once. Of numbers only, so that it is as constant as any statement.
pub(super) fn insert(table: &'static str, columns: &'static str, rows: usize) -> String {
    let width = columns.split(',').count();
    let row = |row: usize| {
        let values: Vec<_> = (row * width + 1..=(row + 1) * width).map(|at| format!("${at}")).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!("insert into {table} ({columns}) values {}", rows.join(", "))
}

impl Conn {
    /// Keeps made-up connections of one integration, each with its credential.
    pub async fn create_connections(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        made: &[(Connection, Credential)],
    ) -> Result<()> {
        for some in made.chunks(AT_ONCE) {
            if some.len() == AT_ONCE {
                self.seed(ws, some, &CONNECTIONS, &CREDENTIALS).await?;
                continue;
            }
            for one in some {
                self.seed(ws, std::slice::from_ref(one), &CONNECTION, &CREDENTIAL).await?;
            }
        }
        self.sign(Some(ws), Topic::Integration, "connection.seed", integration.as_str()).await
    }

    async fn seed(
        &mut self,
        ws: &WorkspaceId,
        made: &[(Connection, Credential)],
        connections: &'static str,
        credentials: &'static str,
    ) -> Result<()> {
        let insert = made.iter().try_fold(sql(connections), |insert: Statement, (connection, _)| {
            connection::values(insert, ws, connection)
        })?;
        self.execute(insert).await?;
        let insert = made
            .iter()
            .fold(sql(credentials), |insert, (_, credential)| credential::values(insert, ws, credential));
        self.execute(insert).await.map(drop)
    }

    /// Has the database look how many connections there are. PostgreSQL else goes on checking foreign keys by the plan that
    /// it made for empty tables: it reads all of them for each row.
    pub async fn any_measure_connections(&mut self) -> Result<()> {
        self.execute(sql("analyze connection")).await.map(drop)
    }

    /// Whether any workspace has a connection that was not made up.
    pub async fn any_real_connection(&mut self) -> Result<bool> {
        let query = sql("select id from connection where owner_kind <> 'external' \
                         or coalesce(substr(owner_key, 1, length($1)), '') <> $1 limit 1");
        Ok(self.row(query.text(SEEDED)).await?.is_some())
    }

    /// How many made-up connections there are, of all workspaces.
    pub async fn any_seeded_connections(&mut self) -> Result<i64> {
        let query = sql("select count(*) as n from connection where owner_kind = 'external' \
                         and substr(owner_key, 1, length($1)) = $1");
        self.row(query.text(SEEDED)).await?.map_or(Ok(0), |row| row.int("n"))
    }
}
