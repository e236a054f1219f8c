//! The broker, without HTTP surfaces: what connections are, where they are kept, how they are sealed, how
//! they come to be, stay alive, are used and are heard of.
//!
//! Words (`error`, `id`, `time`, `secret`) ← `domain` ← `store`, `vault`, `outbound`, `limit` ← `webhook` ←
//! `refresh`, `connect` ← `proxy`, `jobs`. Start reading at [`broker`], then [`connect`].

pub mod access;
pub mod broker;
pub mod connect;
pub mod customer;
pub mod desk;
pub mod domain;
pub mod error;
pub mod fail;
pub mod gauges;
pub mod id;
pub mod jobs;
pub mod limit;
pub mod management;
pub mod member;
mod memory;
pub mod metrics;
pub mod name;
pub mod outbound;
pub mod process;
pub mod proxy;
pub mod refresh;
pub mod retention;
pub mod rotate;
pub mod scrub;
pub mod secret;
pub mod setup;
pub mod store;
pub mod time;
pub mod vault;
pub mod watch;
pub mod webhook;
