//! Integrations, as a user's list shows them: those it sees, searched, in an order, each with what a list says besides.
//!
//! Who sees what is [`crate::access::rights`]'s rule once more, as a condition: its owner, whoever is in the team that
//! owns it, and whomever it is shared with, alone or with a team.

use super::{
    Conn, Page,
    integration::read,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::integration::Integration,
    error::Result,
    id::{IntegrationId, UserId, WorkspaceId},
};

/// An integration, and what a list says besides.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The integration.
    pub integration: Integration,
    /// Whether it is shared with anybody.
    pub shared: bool,
    /// The hash of its icon, if somebody uploaded one.
    pub icon: Option<String>,
    /// Whom it belongs to.
    pub owner: Option<OwnerName>,
}

/// A user or a team, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerName {
    /// A user's name, or `team:` and a team's slug.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Which integrations of a workspace; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct IntegrationFilter {
    /// Only those that this user sees.
    pub seen_by: Option<UserId>,
    /// Only those whose name, key or description holds these words, in this order.
    pub search: Option<String>,
    /// Only those of these providers, or only those of others.
    pub providers: Option<(Vec<String>, Among)>,
}

/// Which side of a list of providers is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// What is on it.
    These,
    /// What is not.
    Others,
}

/// By what a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrationOrder {
    /// By name, folded.
    Name,
    /// By when they were made.
    Created,
    /// By when they last changed.
    Updated,
    /// By provider, then by name.
    Provider,
}

/// Which integrations: `$2` is the user's principal and `$3` its id where only what it sees is meant, `$4` a pattern,
/// `$5` the providers' keys with a space around each and `$6` whether an integration's must be among them.
macro_rules! which {
    () => {
        "i.workspace_id = $1 and ($2 is null or i.owner = $2 \
         or i.owner in (select 'team:' || m.team_id from team_member m \
         where m.workspace_id = $1 and m.user_id = $3) \
         or exists (select 1 from integration_share s where s.workspace_id = i.workspace_id \
         and s.integration_id = i.id and (s.user_id = $3 or exists (select 1 from team_member m \
         where m.workspace_id = s.workspace_id and m.team_id = s.team_id and m.user_id = $3)))) \
         and ($4 is null or i.search like $4 escape '\\') \
         and ($5 is null or case when replace($5, ' ' || i.provider || ' ', '') <> $5 then 1 else 0 end = $6)"
    };
}

/// What is read of each. Both kinds of principal begin with five characters.
macro_rules! listed {
    ($which:expr) => {
        concat!(
            "select i.*, u.username as owner_username, coalesce(u.display_name, u.username) as owner_user, \
             t.id as owner_slug, t.name as owner_team, \
             (select c.hash from integration_icon c where c.workspace_id = i.workspace_id \
             and c.integration_id = i.id) as icon, \
             case when exists (select 1 from integration_share s where s.workspace_id = i.workspace_id \
             and s.integration_id = i.id) then 1 else 0 end as shared \
             from integration i \
             left join app_user u on substr(i.owner, 1, 5) = 'user:' and u.workspace_id = i.workspace_id \
             and u.id = substr(i.owner, 6) \
             left join team t on substr(i.owner, 1, 5) = 'team:' and t.workspace_id = i.workspace_id \
             and t.id = substr(i.owner, 6) where ",
            $which
        )
    };
}

macro_rules! page {
    ($order:literal) => {
        concat!(listed!(which!()), " order by ", $order, " limit $7 offset $8")
    };
}

/// The list by name.
pub(super) const BY_NAME: &str = page!("i.name_sort, i.id");

impl IntegrationOrder {
    fn statement(self, down: bool) -> &'static str {
        match (self, down) {
            (Self::Name, false) => BY_NAME,
            (Self::Name, true) => page!("i.name_sort desc, i.id desc"),
            (Self::Created, false) => page!("i.created_at, i.id"),
            (Self::Created, true) => page!("i.created_at desc, i.id desc"),
            (Self::Updated, false) => page!("i.updated_at, i.id"),
            (Self::Updated, true) => page!("i.updated_at desc, i.id desc"),
            (Self::Provider, false) => page!("i.provider, i.name_sort, i.id"),
            (Self::Provider, true) => page!("i.provider desc, i.name_sort desc, i.id desc"),
        }
    }
}

impl Conn {
    /// The workspace's integrations that pass the filter, in the order, which is turned round where `down` says so.
    pub async fn list_integrations(
        &mut self,
        ws: &WorkspaceId,
        filter: &IntegrationFilter,
        order: (IntegrationOrder, bool),
        page: &Page,
    ) -> Result<Vec<Listed>> {
        let (order, down) = order;
        let query = filter.bind(sql(order.statement(down)), ws).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(listed).collect()
    }

    /// How many of the workspace's integrations pass the filter.
    pub async fn count_integrations(&mut self, ws: &WorkspaceId, filter: &IntegrationFilter) -> Result<i64> {
        let query = sql(concat!("select count(*) as integrations from integration i where ", which!()));
        let row = self.row(filter.bind(query, ws)).await?;
        row.map_or(Ok(0), |row| row.int("integrations"))
    }

    /// One integration, as a list shows it.
    pub async fn listed_integration(
        &mut self,
        ws: &WorkspaceId,
        id: &IntegrationId,
    ) -> Result<Option<Listed>> {
        let query = sql(listed!("i.workspace_id = $1 and i.id = $2"));
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(listed).transpose()
    }
}

impl IntegrationFilter {
    fn bind(&self, query: Statement, ws: &WorkspaceId) -> Statement {
        let principal = self.seen_by.as_ref().map(|id| format!("user:{id}"));
        let query = query.text(ws.as_str()).maybe_key(principal.as_deref());
        let query = query.maybe_key(self.seen_by.as_ref().map(UserId::as_str));
        let query = query.maybe_key(self.search.as_deref().and_then(pattern).as_deref());
        let keys = self.providers.as_ref().map(|(keys, _)| format!(" {} ", keys.join("  ")));
        let among = self.providers.as_ref().is_none_or(|(_, side)| *side == Among::These);
        query.maybe_key(keys.as_deref()).int(among.into())
    }
}

/// What finds these words in this order, whatever stands between them. Nothing of them is a wildcard.
pub(super) fn pattern(words: &str) -> Option<String> {
    let escaped = words.to_lowercase().replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    let words: Vec<_> = escaped.split_whitespace().collect();
    (!words.is_empty()).then(|| format!("%{}%", words.join("%")))
}

fn listed(row: &Row) -> Result<Listed> {
    let user = row.maybe_text("owner_username")?.zip(row.maybe_text("owner_user")?);
    let team = row.maybe_text("owner_slug")?.zip(row.maybe_text("owner_team")?);
    let team = team.map(|(slug, name)| (format!("team:{slug}"), name));
    Ok(Listed {
        integration: read(row)?,
        shared: row.int("shared")? > 0,
        icon: row.maybe_text("icon")?,
        owner: user.or(team).map(|(id, name)| OwnerName { id, name }),
    })
}
