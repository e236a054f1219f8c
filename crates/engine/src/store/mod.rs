//! The one place for state: nothing else says SQL.
//!
//! One SQL text serves SQLite and PostgreSQL (through `sqlx::Any`); the few fragments that differ are in
//! `open` and `migrate`. A [`Conn`] is the unit of work, its queries live in a file per noun. Each tenant
//! query takes the workspace first and filters by it; the few that can't are named `any_…`, and only jobs
//! and the first look at a caller use them. Administrative methods write their own audit row. A secret comes
//! in here sealed or hashed, never otherwise. Text loses its NUL bytes.

mod api_key;
mod archived_connection;
mod attempt;
mod audit;
mod auth_option;
mod backup;
mod board;
mod budget;
mod call_rollup;
mod certificate;
pub mod change;
mod chosen;
mod client_key;
mod conn;
mod connect_request;
mod connection;
mod connection_list;
mod credential;
mod customer;
mod customer_connection;
mod delivery;
mod device;
mod due;
mod event;
mod fault;
mod figures;
mod flow;
mod framed;
mod health;
mod icon;
mod integration;
mod integration_list;
mod integration_offered;
mod jwt_key;
mod line;
pub mod logo;
mod migrate;
mod oauth_app;
pub mod open;
mod operator;
mod operator_session;
mod plan;
mod process;
mod reach;
mod reconnect_link;
mod redelivery;
mod redirect_uri;
mod refresh_intent;
mod refresh_state;
mod request_log;
mod retention;
mod revocation;
mod scrub;
pub mod sealed;
mod seeded;
mod session;
mod share;
mod statement;
mod team;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub mod trial;
mod user;
mod user_token;
mod webhook;
mod workspace;
mod workspace_host;

pub use attempt::{After, Claim};
pub use audit::{AuditFilter, Mark};
pub use backup::Backup;
pub(crate) use board::Board;
pub use budget::Budget;
pub use call_rollup::Minutes;
pub use certificate::Certificate;
pub(crate) use change::Note;
pub use change::{Change, Topic};
pub use chosen::Choice;
pub use conn::{Conn, Page};
pub use connect_request::RequestEnd;
pub use connection::ConnectionFilter;
pub use connection_list::{ListedConnection, Viewer};
pub use customer_connection::{CustomerConnection, CustomerConnectionFilter};
pub use device::Given as DeviceGiven;
pub use due::{Due, DueBy, DueMark, Probed, Unverified};
pub use figures::{CallsAt, CallsOf};
pub use flow::FlowEnd;
pub use integration_list::{Among, IntegrationFilter, IntegrationOrder, Listed, OwnerName};
pub use migrate::Migrated;
pub use open::{Kind, Store};
pub use refresh_state::{Glance, Lease};
pub use retention::{Backlog, EventMark, EventPart, EventWindow, LogMark};
pub use sealed::SealedRow;
pub use seeded::SEEDED;
pub(crate) use user::fold;
pub use webhook::Tried;
