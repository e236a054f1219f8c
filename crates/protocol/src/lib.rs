//! How providers are talked to: it builds requests and reads answers, and does no I/O.

pub mod secret;
