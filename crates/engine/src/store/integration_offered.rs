//! Integrations, as a product's customers are offered them: those that operators made. What belongs to a user or a team is
//! theirs, and nobody vouches for it to customers.

use super::{Conn, Page, integration::read, integration_list::pattern, statement::sql};
use crate::{domain::integration::Integration, error::Result, id::WorkspaceId};

const OFFERED: &str = "select * from integration where workspace_id = $1 and owner is null \
     and ($2 is null or search like $2 escape '\\') order by created_at, id limit $3 offset $4";

impl Conn {
    /// The integrations that a workspace offers to its product's customers, oldest first; only those with these words in
    /// name, key or description, in this order, where there are any.
    pub async fn offered_integrations(
        &mut self,
        ws: &WorkspaceId,
        search: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Integration>> {
        let query = sql(OFFERED).text(ws.as_str()).maybe_key(search.and_then(pattern).as_deref());
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }

    /// One of them, by id or key.
    pub async fn offered_integration(
        &mut self,
        ws: &WorkspaceId,
        selector: &str,
    ) -> Result<Option<Integration>> {
        let found = self.integration_by_selector(ws, selector).await?;
        Ok(found.filter(|integration| integration.owner.is_none()))
    }
}
