//! The webhook endpoint, and a delivery to it.

use crate::{
    domain::event::EventKind,
    id::{DeliveryId, EndpointId, EventId, WorkspaceId},
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
    /// The sealed signing secret.
    pub secret: Sealed,
    /// Since when nothing is sent to it.
    pub disabled_at: Option<Millis>,
    /// When a delivery was last tried.
    pub last_triggered_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
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
    /// How many attempts were made.
    pub attempts: i64,
    /// When the next is due; `None` when there is none.
    pub next_at: Option<Millis>,
    /// When it arrived.
    pub delivered_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}
