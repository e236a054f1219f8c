//! A credential's life: what keeps it alive, and where things go wrong: processes that die in the middle, databases that
//! take no write.

mod abort;
mod child;
mod core;
mod expired;
mod health;
mod identity;
mod probe;
mod reconnect;
mod refusing;
mod spent;
mod sweep;
