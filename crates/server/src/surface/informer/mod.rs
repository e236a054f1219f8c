//! The Informer-style door: `/api/…`, where a workspace's own users sign in, connect their accounts, and make requests
//! by integration.
//!
//! What a caller reads here is that contract's; every rule is the engine's.

mod asked;
mod caller;
pub mod error;
mod hal;
pub mod openapi;
