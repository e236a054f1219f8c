//! Operators of the installation and their roles. They belong to no workspace, so these are `any_…`.

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, sql},
    user::fold,
};
use crate::{
    domain::user::{Operator, Role},
    error::Result,
    id::{OperatorId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Keeps a new operator with its roles. [`crate::error::Error::Conflict`] when the name is taken.
    pub async fn create_operator(&mut self, operator: &Operator) -> Result<()> {
        let insert = sql("insert into operator (id, username, username_folded, password_hash, disabled_at, \
                          created_at) values ($1, $2, $3, $4, $5, $6)");
        let insert =
            insert.text(operator.id.as_str()).text(&operator.username).text(fold(&operator.username));
        let insert = insert.maybe_text(operator.password_hash.as_deref()).maybe_at(operator.disabled_at);
        self.execute(insert.at(operator.created_at)).await?;
        self.sign(None, Topic::Operator, "operator.create", operator.id.as_str()).await?;
        for (ws, role) in &operator.roles {
            self.set_operator_role(ws, &operator.id, Some(*role)).await?;
        }
        Ok(())
    }

    /// An operator by id.
    pub async fn any_operator(&mut self, id: &OperatorId) -> Result<Option<Operator>> {
        let row = self.row(sql("select * from operator where id = $1").text(id.as_str())).await?;
        self.with_roles(row).await
    }

    /// An operator by id; nobody else changes it until this unit of work ends.
    pub async fn any_hold_operator(&mut self, id: &OperatorId) -> Result<Option<Operator>> {
        let hold = sql("update operator set created_at = created_at where id = $1").text(id.as_str());
        self.execute(hold).await?;
        self.any_operator(id).await
    }

    /// An operator by name, compared folded.
    pub async fn any_operator_by_name(&mut self, username: &str) -> Result<Option<Operator>> {
        let query = sql("select * from operator where username_folded = $1").key(fold(username));
        let row = self.row(query).await?;
        self.with_roles(row).await
    }

    /// Every operator, oldest first.
    pub async fn any_operators(&mut self, page: &Page) -> Result<Vec<Operator>> {
        let query = sql("select * from operator order by created_at, id limit $1 offset $2");
        let mut found = Vec::new();
        for row in self.rows(query.int(page.limit).int(page.offset)).await? {
            found.extend(self.with_roles(Some(row)).await?);
        }
        Ok(found)
    }

    /// Sets an operator's password hash. Its sessions end.
    pub async fn any_set_operator_password(&mut self, id: &OperatorId, hash: &str) -> Result<()> {
        let update = sql("update operator set password_hash = $2 where id = $1").text(id.as_str()).text(hash);
        found(self.execute(update).await?, "operator")?;
        self.forget_operator_sessions(id).await?;
        self.sign(None, Topic::Operator, "operator.password", id.as_str()).await
    }

    /// Shuts an operator out since `at`, or lets it in again with `None`. Its sessions end.
    pub async fn any_disable_operator(&mut self, id: &OperatorId, at: Option<Millis>) -> Result<()> {
        let update = sql("update operator set disabled_at = $2 where id = $1").text(id.as_str()).maybe_at(at);
        found(self.execute(update).await?, "operator")?;
        self.forget_operator_sessions(id).await?;
        let verb = if at.is_some() { "operator.disable" } else { "operator.enable" };
        self.sign(None, Topic::Operator, verb, id.as_str()).await
    }

    /// Gives an operator this role in a workspace, or none.
    pub async fn set_operator_role(
        &mut self,
        ws: &WorkspaceId,
        id: &OperatorId,
        role: Option<Role>,
    ) -> Result<()> {
        let change = match role {
            Some(role) => {
                sql("insert into operator_role (workspace_id, operator_id, role) values ($1, $2, $3) \
                               on conflict (operator_id, workspace_id) do update set role = excluded.role")
                .text(ws.as_str())
                .text(id.as_str())
                .text(role.as_str())
            }
            None => sql("delete from operator_role where workspace_id = $1 and operator_id = $2")
                .text(ws.as_str())
                .text(id.as_str()),
        };
        self.execute(change).await?;
        self.sign(Some(ws), Topic::Operator, "operator.role", id.as_str()).await
    }

    async fn with_roles(&mut self, row: Option<Row>) -> Result<Option<Operator>> {
        let Some(row) = row else { return Ok(None) };
        let id = row.id("id", OperatorId::from_row)?;
        let query =
            sql("select workspace_id, role from operator_role where operator_id = $1 order by workspace_id");
        let roles = self.rows(query.text(id.as_str())).await?;
        let roles = roles
            .iter()
            .map(|row| Ok((row.id("workspace_id", WorkspaceId::from_row)?, row.word("role", Role::parse)?)));
        Ok(Some(Operator {
            id,
            username: row.text("username")?,
            password_hash: row.maybe_text("password_hash")?,
            roles: roles.collect::<Result<_>>()?,
            disabled_at: row.maybe_at("disabled_at")?,
            created_at: row.at("created_at")?,
        }))
    }
}
