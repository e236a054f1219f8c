//! The connection: the link between an owner and an integration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        customer::Customer,
        integration::{Integration, Mode},
    },
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// Whom a connection belongs to. A door reads and matches only its own kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Which door's notion of an owner this is.
    pub kind: OwnerKind,
    /// The owner's key in that notion; BundleUp's `external_id` may be absent.
    pub key: Option<String>,
}

impl Owner {
    /// The owner of what a user connects at an integration of this mode: the user, or for a shared one everybody, by
    /// the hand of that user.
    pub fn member(mode: Mode, username: &str) -> Self {
        let kind = match mode {
            Mode::PerUser => OwnerKind::User,
            Mode::Shared => OwnerKind::Shared,
        };
        Self { kind, key: Some(username.to_owned()) }
    }

    /// The owner of what a customer connects.
    pub fn customer(customer: &Customer) -> Self {
        Self { kind: OwnerKind::Customer, key: Some(customer.key.clone()) }
    }
}

/// Which connection a credential that was just obtained is to be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onto {
    /// A new one.
    New,
    /// The owner's at that integration, where it has one (the newest of several); else a new one.
    Only,
    /// This one, and no other.
    This(ConnectionId),
}

impl Onto {
    /// As it is kept.
    pub fn to_text(&self) -> String {
        match self {
            Self::New => "new".to_owned(),
            Self::Only => "only".to_owned(),
            Self::This(id) => id.to_string(),
        }
    }

    /// Reads what [`Onto::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "new" => Some(Self::New),
            "only" => Some(Self::Only),
            id => ConnectionId::parse(id).map(Self::This),
        }
    }
}

/// Whose notion of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// BundleUp's `external_id`.
    External,
    /// Informer's username.
    User,
    /// Membrane's customer id.
    Customer,
    /// The one connection of a shared integration; the key is the username of who connected it.
    Shared,
}

impl OwnerKind {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::User => "user",
            Self::Customer => "customer",
            Self::Shared => "shared",
        }
    }

    /// Reads what [`OwnerKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::External, Self::User, Self::Customer, Self::Shared].into_iter().find(|k| k.as_str() == text)
    }
}

/// A connection. Its credential is a separate, sealed row.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its id, which proxied calls name.
    pub id: ConnectionId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Through which integration.
    pub integration_id: IntegrationId,
    /// For whom.
    pub owner: Owner,
    /// Whether it can be used.
    pub status: Status,
    /// Why it can't, in the provider's words.
    pub status_reason: Option<String>,
    /// Scopes that were asked for.
    pub scopes_asked: Vec<String>,
    /// Scopes that the provider says it granted.
    pub scopes_granted: Vec<String>,
    /// Who the account is at the provider.
    pub account: Account,
    /// The provider inputs it was made with (subdomain, region) and values from the token answer
    /// (`instance_url`); URL templates are filled from these.
    pub inputs: BTreeMap<String, String>,
    /// What its owner calls it, where that was told.
    pub name: Option<String>,
    /// By which of its integration's auth options it was made, by key; `None` for the integration's own way.
    pub auth_option: Option<String>,
    /// When it was frozen by an operator.
    pub frozen_at: Option<Millis>,
    /// When its credential was last refreshed.
    pub refreshed_at: Option<Millis>,
    /// When its access token expires, as last told or inferred.
    pub expires_at: Option<Millis>,
    /// When its owner last authorized it: when it was made, or made anew over an older credential.
    pub authorized_at: Millis,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

impl Connection {
    /// One through an integration that nothing is known of yet but that there are tokens for it.
    pub fn unborn(integration: &Integration, now: Millis) -> Self {
        Self {
            id: ConnectionId::new(),
            workspace_id: integration.workspace_id.clone(),
            integration_id: integration.id.clone(),
            owner: Owner { kind: OwnerKind::External, key: None },
            status: Status::Active,
            status_reason: None,
            scopes_asked: Vec::new(),
            scopes_granted: Vec::new(),
            account: Account::default(),
            inputs: BTreeMap::new(),
            name: None,
            auth_option: None,
            frozen_at: None,
            refreshed_at: None,
            expires_at: None,
            authorized_at: now,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether calls go to the same place as those of another reading of this connection, as far as connections say it:
    /// only then the tokens of one may be sent where the other says.
    pub fn calls_as(&self, other: &Self) -> bool {
        (&self.inputs, &self.auth_option) == (&other.inputs, &other.auth_option)
    }
}

/// Who the connected account is, as the provider's identity call said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// The provider's stable id for the account.
    pub id: Option<String>,
    /// A name to show.
    pub name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
}

/// Why a connection needs its owner after its integration was pointed elsewhere. Its tokens are of the places before:
/// the new ones are never shown them.
pub const MOVED: &str = "the integration's endpoints changed";

/// Whether a connection can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Active,
    /// Its owner must authorize again.
    NeedsReauth,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Active, Self::NeedsReauth];

    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NeedsReauth => "needs_reauth",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// How a connection stands, in one word: frozen comes before whatever else it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be used.
    Active,
    /// Its owner must authorize again.
    NeedsReauth,
    /// An operator stopped it.
    Frozen,
}

impl Standing {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Active, Self::NeedsReauth, Self::Frozen];

    /// How a connection in this status stands.
    pub fn of(status: Status, frozen: bool) -> Self {
        match (frozen, status) {
            (true, _) => Self::Frozen,
            (false, Status::Active) => Self::Active,
            (false, Status::NeedsReauth) => Self::NeedsReauth,
        }
    }

    /// As queries name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NeedsReauth => "needs_reauth",
            Self::Frozen => "frozen",
        }
    }

    /// Reads what [`Standing::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}
