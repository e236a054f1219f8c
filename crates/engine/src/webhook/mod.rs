//! Webhooks: how a product hears of what became true.
//!
//! [`emit()`] writes an event and its deliveries in the caller's transaction, so that what is committed will be
//! told and what is rolled back never was. [`deliver`] sends them, signed, until they arrived. Nothing else here
//! sends anything. At least once, and in order per endpoint and connection: read [`deliver`] for how.

mod again;
pub mod deliver;
mod emit;
mod payload;
mod schedule;
mod secrets;
mod sign;

pub use again::again;
pub use emit::{emit, emit_authorized, emit_deleted, emit_disabled, emit_expiring};
pub use secrets::{previous_secret_aad, secret_aad};
pub use sign::SECRET_PREFIX;
