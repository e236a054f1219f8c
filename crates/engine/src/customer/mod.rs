//! What the holder of a product's token sees and does: a customer what is its own, an admin what is the workspace's.
//!
//! Must never show a customer what is another's: whatever is not its own does not exist for it. Who calls is
//! `access`'s; how a connection comes to be, `connect`'s.

pub mod connect;
pub mod connection;
pub mod embed;
pub mod integration;
pub mod register;
