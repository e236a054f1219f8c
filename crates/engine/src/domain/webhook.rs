//! The webhook endpoint, a delivery to it, and each attempt of that delivery.

use serde::{Deserialize, Serialize};

use crate::{
    domain::event::{Event, EventKind},
    id::{AttemptId, ConnectionId, DeliveryId, EndpointId, EventId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// Where a workspace wants its events.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// What its owner calls it.
    pub name: String,
    /// Where deliveries are posted.
    pub url: String,
    /// Which events it wants.
    pub events: Vec<EventKind>,
    /// In what shape it is told of them.
    pub format: Format,
    /// The sealed signing secret.
    pub secret: Sealed,
    /// The secret before it, sealed, which signs too until `previous_secret_until`.
    pub previous_secret: Option<Sealed>,
    /// When the secret before it stops signing.
    pub previous_secret_until: Option<Millis>,
    /// Since when nothing is sent to it.
    pub disabled_at: Option<Millis>,
    /// Why nothing is sent to it.
    pub disabled_reason: Option<DisabledReason>,
    /// When a delivery was last tried.
    pub last_triggered_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// In what shape an endpoint is told of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As the BundleUp-style door has it.
    #[default]
    Bundleup,
    /// As the Membrane-style door has it.
    Membrane,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bundleup, Self::Membrane];

    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundleup => "bundleup",
            Self::Membrane => "membrane",
        }
    }

    /// Reads what [`Format::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }
}

/// Why nothing is sent to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// Its owner asked for it.
    Asked,
    /// It answered 410 Gone.
    Gone,
    /// It took nothing for days.
    Failing,
}

impl DisabledReason {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// Reads what [`DisabledReason::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Asked, Self::Gone, Self::Failing].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Which event.
    pub event_id: EventId,
    /// To which endpoint.
    pub endpoint_id: EndpointId,
    /// About which connection. What happened to one connection reaches one endpoint in order.
    pub connection_id: ConnectionId,
    /// Its place in that order, from 1; given when it is written.
    pub nth: i64,
    /// How many attempts were made, since it was last put in line.
    pub attempts: i64,
    /// When the next is due, or when the lease of whoever sends it right now ends; `None` when it arrived or was
    /// given up. One that waits behind an earlier one goes when that one is through, whatever stands here.
    pub next_at: Option<Millis>,
    /// When it arrived.
    pub delivered_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is on its way, or waits for its next attempt.
    Pending,
    /// It arrived.
    Delivered,
    /// It is given up.
    Failed,
}

impl Standing {
    /// How this one stands.
    pub fn of(delivery: &Delivery) -> Self {
        match (delivery.next_at, delivery.delivered_at) {
            (Some(_), _) => Self::Pending,
            (None, Some(_)) => Self::Delivered,
            (None, None) => Self::Failed,
        }
    }

    /// As doors and queries name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`Standing::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|s| s.as_str() == text)
    }
}

/// A delivery in a list, with what its event was.
#[derive(Debug, Clone)]
pub struct ListedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// What happened.
    pub kind: EventKind,
}

/// A delivery as whoever sends it needs it: with what is told, and to whom.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The delivery.
    pub delivery: Delivery,
    /// What is told.
    pub event: Event,
    /// To whom.
    pub endpoint: Endpoint,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// The how-manieth of that delivery, from 1; given when it is written.
    pub number: i64,
    /// The HTTP status of the answer; `None` when there was none.
    pub status: Option<i64>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The answer's first kilobyte, as text.
    pub answer: Option<String>,
    /// From its start until its end, in milliseconds.
    pub duration_ms: i64,
    /// When it began.
    pub at: Millis,
}
