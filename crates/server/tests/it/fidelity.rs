//! Byte for byte: what a caller writes and what a provider on bare TCP reads, and the other way round.

mod bodies;
mod ends;
mod framing;
mod heads;
mod http2;
mod resets;
mod upgrades;
mod versions;
