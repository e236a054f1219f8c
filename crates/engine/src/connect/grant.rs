//! What a callback brought, and how it is kept sealed until the product's server vouches for the owner.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    broker::Broker,
    domain::flow::Flow,
    error::{Error, Result},
    secret::Secret,
    vault::{Aad, Field, Sealed},
};

/// What a callback brought.
#[derive(serde::Deserialize)]
pub(super) struct Grant {
    /// The provider's code.
    pub code: Secret,
    /// Values that arrive only with it, as the provider's file names them.
    pub saved: BTreeMap<String, String>,
    /// The state, for providers that want it again with the code.
    pub state: Secret,
}

impl Grant {
    /// Seals it into the flow's row.
    pub(super) fn seal(&self, broker: &Broker, flow: &Flow) -> Result<Sealed> {
        let text = json!({ "code": self.code.expose(), "saved": self.saved, "state": self.state.expose() })
            .to_string();
        broker.vault.seal(&aad(flow), &Secret::new(text))
    }

    /// Opens what [`Grant::seal`] sealed.
    pub(super) fn open(broker: &Broker, flow: &Flow, sealed: &Sealed) -> Result<Self> {
        let text = broker.vault.open(&aad(flow), sealed)?;
        serde_json::from_str(text.expose()).map_err(|_| Error::internal("a kept code is unreadable"))
    }
}

fn aad(flow: &Flow) -> Aad<'_> {
    Field::ProviderCode.of(&flow.workspace_id, flow.id.as_str())
}
