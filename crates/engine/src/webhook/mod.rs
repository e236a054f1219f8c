//! Webhooks: how a product hears of what became true.
//!
//! [`emit()`] writes an event and its deliveries in the caller's transaction, so that what is committed will be
//! told and what is rolled back never was. Nothing here sends anything.

pub mod deliver;
mod emit;

pub use emit::{emit, emit_deleted};
