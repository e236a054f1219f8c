//! The server: Claviger's surfaces, hosted pages, proxy listener, command line and settings.
//!
//! Everything that decides lives in the engine; what is here reads a wire format, makes one engine call and
//! writes a wire format. `router` is the map of every URL; `cli` is the map of every command.

pub mod app;
pub mod cli;
pub mod config;
pub mod cores;
pub mod dashboard;
pub mod health;
pub mod held;
pub mod hosted;
pub mod http;
pub mod listen;
pub mod out;
pub mod router;
pub mod surface;
pub mod telemetry;
