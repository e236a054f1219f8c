//! What a flow keeps of the codes that its provider gave, and what its page shows of that.

use claviger_catalog::{Kind, Provider};
use claviger_protocol::oauth2::device;
use serde_json::json;

use crate::{
    broker::Broker,
    domain::flow::Flow,
    error::{Error, Result},
    secret::Secret,
    time::Millis,
    vault::{Aad, Field, Sealed},
};

/// How many codes one flow can get, one after the other.
const MOST_CODES: u32 = 5;

/// How far a flow is in which a code is entered elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A click gets the code.
    Asked,
    /// It is there, and somebody has to enter it.
    Given {
        /// What is entered.
        user_code: String,
        /// Where: an https URL.
        verification_uri: String,
        /// The same with the code filled in, where the provider has that.
        verification_uri_complete: Option<String>,
        /// Until when it is good.
        expires_at: Millis,
    },
    /// It was not entered in time.
    Expired {
        /// Whether a click gets another one.
        again: bool,
    },
}

/// The codes, as they are kept.
#[derive(Clone, serde::Deserialize)]
pub(super) struct Held {
    pub device_code: Secret,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    /// Seconds between two polls.
    pub interval: u64,
    /// Until when they are good.
    pub expires_at: i64,
    /// How many the flow has had, these among them.
    pub codes: u32,
}

impl Held {
    pub(super) fn of(given: device::Device, codes: u32, now: Millis) -> Self {
        let life = std::time::Duration::from_secs(given.expires_in);
        Self {
            device_code: given.device_code,
            user_code: given.user_code,
            verification_uri: given.verification_uri,
            verification_uri_complete: given.verification_uri_complete,
            interval: given.interval,
            expires_at: now.plus(life).0,
            codes,
        }
    }

    pub(super) fn interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.interval)
    }

    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.expires_at <= now.0
    }

    pub(super) fn seal(&self, broker: &Broker, flow: &Flow) -> Result<Sealed> {
        let Self { device_code, user_code, verification_uri, verification_uri_complete, .. } = self;
        let text = json!({
            "device_code": device_code.expose(),
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": verification_uri_complete,
            "interval": self.interval,
            "expires_at": self.expires_at,
            "codes": self.codes,
        });
        broker.vault.seal(&aad(flow), &Secret::new(text.to_string()))
    }

    /// What the flow keeps, where its provider has given something.
    pub(super) fn open(broker: &Broker, flow: &Flow) -> Result<Option<Self>> {
        let Some(sealed) = &flow.device else { return Ok(None) };
        let text = broker.vault.open(&aad(flow), sealed)?;
        // What is wrong is not said: it could repeat a piece of the text.
        let held = serde_json::from_str(text.expose()).ok();
        held.map(Some).ok_or_else(|| Error::internal("the codes that a flow kept are unreadable"))
    }

    pub(super) fn shown(self, now: Millis) -> Device {
        if self.is_over(now) {
            return Device::Expired { again: self.codes < MOST_CODES };
        }
        Device::Given {
            user_code: self.user_code,
            verification_uri: self.verification_uri,
            verification_uri_complete: self.verification_uri_complete,
            expires_at: Millis(self.expires_at),
        }
    }
}

/// What a flow's page shows of codes; `None` where none are entered.
pub(in crate::connect) fn shown(broker: &Broker, flow: &Flow, provider: &Provider) -> Result<Option<Device>> {
    if provider.kind() != Kind::DeviceCode {
        return Ok(None);
    }
    let held = Held::open(broker, flow)?;
    Ok(Some(held.map_or(Device::Asked, |held| held.shown(broker.clock.now()))))
}

fn aad(flow: &Flow) -> Aad<'_> {
    Field::Device.of(&flow.workspace_id, flow.id.as_str())
}
