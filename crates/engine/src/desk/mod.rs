//! The desk: what operators see and change at the dashboard. Each verb is asked from a [`Seat`](crate::access::Seat) and
//! asks what its role lets it do.

pub mod audit;
pub mod keys;
pub mod overview;
pub mod settings;
