//! Integrations, as a key sees them. They are set up by operators; here they are only read.

use std::sync::Arc;

use crate::{
    access,
    broker::Broker,
    domain::{api_key::ApiKey, integration::Integration},
    error::{Error, Result},
    store::Page,
};

/// An integration, and what its provider is.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The integration.
    pub integration: Integration,
    /// What kind of service its provider is, as the catalog says.
    pub category: Option<String>,
}

/// Which integrations are wanted; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only these.
    pub standing: Option<Standing>,
    /// Only of this category.
    pub category: Option<String>,
}

/// Whether new connections can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They can.
    Active,
    /// They can't.
    Inactive,
    /// On trial. The contract knows it; no integration here is ever that.
    Beta,
}

impl Standing {
    /// Of an integration.
    pub fn of(integration: &Integration) -> Self {
        if integration.disabled_at.is_none() { Self::Active } else { Self::Inactive }
    }

    /// As the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Beta => "beta",
        }
    }

    /// Reads what [`Standing::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Beta].into_iter().find(|s| s.as_str() == text)
    }
}

/// The integrations that a key sees, oldest first. A workspace has as many as its operators made, so they are read
/// whole: the category is the catalog's, not the database's.
///
/// # Errors
/// `Denied` for a key that may not read.
pub async fn list(broker: &Arc<Broker>, key: &ApiKey, wanted: &Wanted, page: &Page) -> Result<Vec<Seen>> {
    access::require_read(key)?;
    let mut conn = broker.store.read().await?;
    let all = conn.integrations(&key.workspace_id, &Page { offset: 0, limit: i64::MAX }).await?;
    let seen = all.into_iter().filter(|it| access::reaches(key, &it.id)).map(|it| seen(broker, it));
    let wanted = seen.filter(|it| {
        wanted.standing.is_none_or(|standing| standing == Standing::of(&it.integration))
            && (wanted.category.is_none() || wanted.category == it.category)
    });
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    Ok(wanted.skip(skip).take(usize::try_from(page.limit).unwrap_or(0)).collect())
}

/// One integration, by id or key.
///
/// # Errors
/// `Denied` for a key that may not read, `NotFound` for whatever the key does not see.
pub async fn show(broker: &Arc<Broker>, key: &ApiKey, selector: &str) -> Result<Seen> {
    access::require_read(key)?;
    let mut conn = broker.store.read().await?;
    let found = conn.integration_by_selector(&key.workspace_id, selector).await?;
    let found = found.filter(|it| access::reaches(key, &it.id));
    found.map(|it| seen(broker, it)).ok_or(Error::NotFound { what: "integration" })
}

fn seen(broker: &Broker, integration: Integration) -> Seen {
    let category = broker.catalog.get(&integration.provider).and_then(|provider| provider.category.clone());
    Seen { integration, category }
}
