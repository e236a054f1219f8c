//! The seat: an operator in one of its workspaces, and what its role there lets it do.

use super::SignedOperator;
use crate::{
    broker::Broker,
    domain::{right::Action, user::Role, workspace::Workspace},
    error::{Error, Result},
    store::Conn,
};

/// An operator in a workspace that it has a role in.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Who.
    pub by: SignedOperator,
    /// Where.
    pub workspace: Workspace,
    /// As what.
    pub role: Role,
}

impl Seat {
    /// Takes a seat in the workspace with this client id.
    ///
    /// # Errors
    /// `NotFound`, the same for a workspace that there is not and for one where the operator has no role.
    pub async fn take(broker: &Broker, by: SignedOperator, client_id: &str) -> Result<Self> {
        let missing = || Error::NotFound { what: "workspace" };
        let found = broker.store.read().await?.any_workspace_by_client_id(client_id).await?;
        let workspace = found.ok_or_else(missing)?;
        let role = by.operator.roles.iter().find(|(id, _)| *id == workspace.id).map(|(_, role)| *role);
        Ok(Self { role: role.ok_or_else(missing)?, by, workspace })
    }

    /// Whether its role lets it do this.
    pub fn may(&self, action: Action) -> bool {
        self.role.may(action)
    }

    /// Fails unless its role lets it do this, and its password was shown not long ago where that takes it.
    ///
    /// # Errors
    /// `Denied`, saying what is missing.
    pub fn require(&self, broker: &Broker, action: Action) -> Result<()> {
        if !self.may(action) {
            let message = format!("Your role here, {}, does not let you do this", self.role.as_str());
            return Err(Error::Denied { message });
        }
        if action.right().proof && !self.by.is_proven(broker.clock.now()) {
            return Err(Error::Denied { message: "This needs your password once more".to_owned() });
        }
        Ok(())
    }

    /// A unit of work in the operator's name, for what its role lets it do.
    ///
    /// # Errors
    /// As [`Seat::require`].
    pub async fn begin(&self, broker: &Broker, action: Action) -> Result<Conn> {
        self.require(broker, action)?;
        self.by.begin(broker).await
    }
}
