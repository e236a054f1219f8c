//! What a page asks for, what somebody filled in, and what is wrong with it: the words between a flow and its page.
//!
//! What is wrong has a kind, not a sentence: pages speak several languages. A value that is a secret must never be in it.

use std::{collections::BTreeMap, fmt, time::Duration};

use claviger_catalog::{Input, KeyField};

use super::{
    device::Device,
    look::{Look, Symbol},
};
use crate::{error::Error, id::FlowId, secret::Secret};

/// What the page shows.
pub struct Ask {
    /// The flow, which the page's URL names.
    pub flow: FlowId,
    /// The product's name.
    pub product: String,
    /// In whose name the page speaks.
    pub look: Look,
    /// The integration's name.
    pub integration: String,
    /// Its picture.
    pub symbol: Symbol,
    /// For whom the connection will be, when the page is to confirm that.
    pub owner: Option<String>,
    /// Whether the page is there to confirm whose connection it will be.
    pub confirm: bool,
    /// Whether a signed-in user of the product began it, rather than a link of the product's.
    pub member: bool,
    /// Whether the connection is going to serve all users.
    pub shared: bool,
    /// The inputs still open.
    pub inputs: Vec<Input>,
    /// The fields of the credential, where it is typed in.
    pub keys: Vec<KeyField>,
    /// Whether the browser goes to the provider next.
    pub leaves: bool,
    /// How far the code is that is entered elsewhere, where one is.
    pub device: Option<Device>,
    /// Origins that may frame the page: the workspace's, and none where the page is to confirm.
    pub framed_by: Vec<String>,
}

/// What was filled in.
#[derive(Default)]
pub struct Given {
    /// The provider's inputs, by key.
    pub inputs: BTreeMap<String, String>,
    /// The credential's fields, by key.
    pub typed: BTreeMap<String, Secret>,
}

/// What is wrong with what was filled in, by key, or with the moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// The provider's inputs.
    pub inputs: BTreeMap<String, Fault>,
    /// The credential's fields.
    pub keys: BTreeMap<String, Fault>,
    /// What is no fault of any value.
    pub alert: Option<Alert>,
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is needed and was left empty.
    Missing,
    /// It is not what its pattern admits.
    Unlike {
        /// What would be.
        example: Option<String>,
    },
    /// It is none of those that there are to choose from.
    NotListed,
    /// What whoever checked it said, in English: of the credential's fields only. May hold a provider's words.
    Said(String),
}

/// In English, for programs that bring what a page would ask for.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("Is missing"),
            Self::Unlike { example: Some(example) } => {
                write!(f, "Does not look like one of this provider's, such as {example}")
            }
            Self::Unlike { example: None } => f.write_str("Does not look like one of this provider's"),
            Self::NotListed => f.write_str("Is none of those that there are to choose from"),
            Self::Said(message) => f.write_str(message),
        }
    }
}

/// Why a form did not get further that is well filled in. Nothing has happened yet, so it can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// The provider could not be reached, or did not answer as it should.
    Unreachable,
    /// Too many tries.
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
    /// Our own fault.
    Ours,
}

impl Wrong {
    /// One field of the credential is.
    pub(super) fn key(field: String, message: String) -> Self {
        Self { keys: BTreeMap::from([(field, Fault::Said(message))]), ..Self::default() }
    }

    /// None of the values is.
    pub(super) fn alert(alert: Alert) -> Self {
        Self { alert: Some(alert), ..Self::default() }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Alert {
    /// What an error is to somebody whose form is still there; `None` for one that ends the flow.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Provider { .. } | Error::TargetNotAllowed { .. } => Some(Self::Unreachable),
            Error::Limited { retry_after, .. } => Some(Self::Limited { retry_after: *retry_after }),
            Error::Internal(_) => Some(Self::Ours),
            Error::NotFound { .. }
            | Error::Invalid { .. }
            | Error::Conflict { .. }
            | Error::Unauthenticated { .. }
            | Error::Denied { .. }
            | Error::NeedsReauth { .. }
            | Error::NotSupported { .. } => None,
        }
    }
}
