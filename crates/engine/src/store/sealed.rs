//! The columns that hold sealed texts, as data, and what rotating a root key asks of each.
//!
//! A [`Field`] has its column here; the match that finds it keeps the list complete. Ids of root keys are compared
//! with `substr`, never `like`: an id may hold `_`.

use std::collections::BTreeMap;

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{
    error::Result,
    id::WorkspaceId,
    vault::{Field, Sealed},
};

/// What base64url is made of, and ids of root keys.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One sealed text and where it is.
#[derive(Debug, Clone)]
pub struct SealedRow {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The id of the row.
    pub record: String,
    /// The text.
    pub sealed: Sealed,
}

/// A column that holds sealed texts, with its statements.
struct Column {
    name: &'static str,
    by_root: &'static str,
    not_under: &'static str,
    replace: &'static str,
}

macro_rules! column {
    ($table:literal, $id:literal, $workspace:literal, $column:literal) => {
        Column {
            name: concat!($table, ".", $column),
            // `v1.<id>.` and a piece of what follows, which has no dot within 36 letters; then without that piece.
            by_root: concat!(
                "select head, count(*) as n from (select rtrim(substr(",
                $column,
                ", 1, 36), $1) as head from ",
                $table,
                " where ",
                $column,
                " is not null) heads group by head"
            ),
            not_under: concat!(
                "select ",
                $id,
                " as record, ",
                $workspace,
                " as workspace, ",
                $column,
                " as sealed from ",
                $table,
                " where ",
                $column,
                " is not null and substr(",
                $column,
                ", 1, length($1)) <> $1 and ",
                $id,
                " > $2 order by ",
                $id,
                " limit $3"
            ),
            replace: concat!(
                "update ", $table, " set ", $column, " = $3 where ", $id, " = $1 and ", $column, " = $2"
            ),
        }
    };
}

fn column(field: Field) -> Column {
    match field {
        Field::JwtSecret => column!("workspace", "id", "id", "jwt_secret"),
        Field::ClientSecret => column!("integration", "id", "workspace_id", "client_secret"),
        Field::OptionSecret => column!("auth_option", "id", "workspace_id", "client_secret"),
        Field::AppSecret => column!("oauth_app", "id", "workspace_id", "client_secret"),
        Field::CustomerCredentials => column!("customer", "id", "workspace_id", "credentials"),
        Field::Tokens => column!("credential", "connection_id", "workspace_id", "sealed"),
        Field::PreviousTokens => column!("credential", "connection_id", "workspace_id", "previous"),
        Field::Verifier => column!("flow", "id", "workspace_id", "verifier"),
        Field::Outcome => column!("flow", "id", "workspace_id", "outcome"),
        Field::ProviderCode => column!("flow", "id", "workspace_id", "provider_code"),
        Field::Device => column!("flow", "id", "workspace_id", "device"),
        Field::ClientKey => column!("client_key", "id", "workspace_id", "secret"),
        Field::WebhookSecret => column!("webhook_endpoint", "id", "workspace_id", "secret"),
        Field::PreviousWebhookSecret => column!("webhook_endpoint", "id", "workspace_id", "previous_secret"),
    }
}

/// Table and column of a field: `credential.sealed`.
pub fn column_name(field: Field) -> &'static str {
    column(field).name
}

impl Conn {
    /// How many texts of a field each root key wraps, by its id; under the empty id what is no sealed text.
    pub async fn any_sealed_by_root(&mut self, field: Field) -> Result<BTreeMap<String, i64>> {
        let mut counts = BTreeMap::new();
        for row in self.rows(sql(column(field).by_root).text(LETTERS)).await? {
            let head = Sealed::from_row(format!("{}-.-", row.text("head")?));
            *counts.entry(head.root_key_id().unwrap_or_default().to_owned()).or_insert(0) += row.int("n")?;
        }
        Ok(counts)
    }

    /// Texts of a field that another root key than `root` wraps, by id after `after`, at most `limit`.
    pub async fn any_sealed_not_under(
        &mut self,
        field: Field,
        root: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedRow>> {
        let query = sql(column(field).not_under).text(format!("v1.{root}.")).text(after).int(limit);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Puts a text in the place of another; `false` when something else is there by now, or the row is gone.
    /// No version moves: the text is another, what it says is not.
    pub async fn any_replace_sealed(&mut self, field: Field, was: &SealedRow, anew: &Sealed) -> Result<bool> {
        let update = sql(column(field).replace);
        let update = update.text(&was.record).text(was.sealed.as_str()).text(anew.as_str());
        Ok(self.execute(update).await? > 0)
    }
}

fn read(row: &Row) -> Result<SealedRow> {
    Ok(SealedRow {
        workspace_id: row.id("workspace", WorkspaceId::from_row)?,
        record: row.text("record")?,
        sealed: row.sealed("sealed")?,
    })
}
