//! How a connection comes to be, and how it ends.
//!
//! [`begin`] → (the hosted page, [`open`] and [`submit`]) → the provider → [`finish`] → (completion `server`:
//! [`redeem`]) … [`end`]. Read the files in that order. Nothing here knows which door a flow came through:
//! the door chose a [`Handoff`](crate::domain::flow::Handoff) at the start, and the callback performs it.

mod account;
mod ask;
mod assertion;
pub(crate) mod at_once;
pub(crate) mod begin;
pub(crate) mod bound;
mod bring;
mod brought;
pub mod bulk;
mod call;
pub(crate) mod certificate;
pub mod client_key;
pub mod device;
mod discovery;
pub(crate) mod dpop;
pub(crate) mod end;
pub(crate) mod endpoints;
pub(crate) mod exchange;
mod finish;
mod grant;
mod grown;
pub(crate) mod handoff;
mod id_token;
mod import;
pub(crate) mod introspect;
mod issue;
mod issuer_keys;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod look;
pub(crate) mod oauth1;
pub(crate) mod outside;
mod page;
mod parameters;
mod party;
pub(crate) mod persist;
pub(crate) mod popup;
mod post;
mod prove;
pub mod reconnect;
mod record;
mod redeem;
pub(crate) mod renew;
mod revoke;
mod start;
mod steps;
mod target;
pub mod tokens;
mod typed;
pub(crate) mod verify;
mod who;

pub use ask::{Alert, Ask, Fault, Given, Wrong};
pub use begin::{Begin, Next, begin};
pub use bring::{Bring, bring};
pub use discovery::Discovery;
pub use dpop::Nonces;
pub use end::{archive, end};
pub use finish::{Callback, finish};
pub(crate) use finish::{outcome, tell};
pub use handoff::{Ended, Failure, Landing, Message, Outcome};
pub use import::{Import, Imported, LONGEST_LIFE, Place, import, import_as};
pub(crate) use listen::ended as ended_request;
pub use listen::{Bounds, Heard, Listener, Listeners, listen};
pub use look::{Look, Service, Symbol, icon, logo, look, look_of, service_of};
pub(crate) use page::{Bearer, Opened, decline, load, submit_as, used};
pub use page::{Form, Visitor, cancel, landed, open, submit};
pub use parameters::connector_parameters;
pub use popup::{Told, adopt, told};
pub use redeem::{Redeem, Redeemed, redeem};
pub use typed::Tries;

use std::time::Duration;

/// What scopes are called among the parameters that a product's page may say.
pub const SCOPES: &str = "scopes";
/// How long a page of ours waits for whoever is to fill it in.
pub const PAGE_LIFE: Duration = Duration::from_secs(3600);
/// How long a flow is good for that is on its way over a provider, from when the browser leaves.
pub const FLOW_LIFE: Duration = Duration::from_secs(600);
/// How long the product has to exchange its one-time code.
pub const CODE_LIFE: Duration = Duration::from_secs(300);
/// How long a repeated callback gets the same outcome again.
pub const REPEAT_LIFE: Duration = Duration::from_secs(60);
/// How many flows of one workspace may be pending at once.
pub const PENDING_FLOWS: i64 = 10_000;
/// The most bytes read of a token, discovery or identity answer.
pub const ANSWER_CAP: usize = 256 * 1024;
