//! What came at the end of a flow, and how it is kept sealed until the product's server vouches for the owner.

use std::collections::BTreeMap;

use claviger_protocol::oauth2::Tokens;
use serde_json::{Value, json};

use super::keys::Accepted;
use crate::{
    broker::Broker,
    domain::{connection::Account, flow::Flow},
    error::{Error, Result},
    secret::Secret,
    vault::{Aad, Field, Sealed},
};

/// What a callback brought.
#[derive(serde::Deserialize)]
pub(crate) struct Grant {
    /// The provider's code; of OAuth 1 the verifier.
    pub code: Secret,
    /// Values that arrive only with it, as the provider's file names them.
    pub saved: BTreeMap<String, String>,
    /// The state, for providers that want it again with the code.
    pub state: Secret,
}

/// What a flow keeps until its owner is vouched for.
pub(super) enum Kept {
    /// A code that is still to be redeemed.
    Code(Grant),
    /// A credential that was typed in, and that the provider takes.
    Keys(Box<Accepted>),
}

/// A typed credential as it is sealed; the token set is in its own words.
#[derive(serde::Deserialize)]
struct KeptKeys {
    tokens: Secret,
    account: Account,
    inputs: BTreeMap<String, String>,
}

impl Kept {
    /// Seals it into the flow's row.
    pub(super) fn seal(&self, broker: &Broker, flow: &Flow) -> Result<Sealed> {
        let value = match self {
            Self::Code(Grant { code, saved, state }) => {
                json!({ "code": code.expose(), "saved": saved, "state": state.expose() })
            }
            Self::Keys(accepted) => {
                let Accepted { tokens, account, inputs } = accepted.as_ref();
                json!({ "tokens": tokens.to_json().expose(), "account": account, "inputs": inputs })
            }
        };
        broker.vault.seal(&aad(flow), &Secret::new(value.to_string()))
    }

    /// Opens what [`Kept::seal`] sealed.
    pub(super) fn open(broker: &Broker, flow: &Flow, sealed: &Sealed) -> Result<Self> {
        let text = broker.vault.open(&aad(flow), sealed)?;
        // What is wrong is not said: it could repeat a piece of the text.
        Self::read(text.expose()).ok_or_else(|| Error::internal("what a flow kept is unreadable"))
    }

    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if value.get("tokens").is_none() {
            return serde_json::from_value(value).ok().map(Self::Code);
        }
        let KeptKeys { tokens, account, inputs } = serde_json::from_value(value).ok()?;
        let tokens = Tokens::from_json(&tokens).ok()?;
        Some(Self::Keys(Box::new(Accepted { tokens, account, inputs })))
    }
}

fn aad(flow: &Flow) -> Aad<'_> {
    Field::ProviderCode.of(&flow.workspace_id, flow.id.as_str())
}
