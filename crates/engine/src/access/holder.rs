//! The holder: whoever calls with a token that a product made, and for whom the token speaks.

use std::fmt;

use crate::{
    domain::{audit::Actor, customer::Customer, workspace::Workspace},
    error::{Error, Result},
    id::JwtKeyId,
};

/// Who holds a product's token.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Of which workspace.
    pub workspace: Workspace,
    /// For whom the token speaks.
    pub who: Who,
    /// What it was signed with; `None` where a page of ours speaks for whom its token was good.
    pub by: Option<Signer>,
}

/// What a product's token was signed with.
#[derive(Clone, PartialEq, Eq)]
pub enum Signer {
    /// The workspace's secret, by its hash.
    Secret(String),
    /// The private half of this key.
    Key(JwtKeyId),
}

impl fmt::Debug for Signer {
    /// Without the hash: whoever made the secret may have made it short.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret"),
            Self::Key(id) => f.debug_tuple("Key").field(id).finish(),
        }
    }
}

/// For whom a product's token speaks.
#[derive(Debug, Clone)]
pub enum Who {
    /// One of its customers.
    Customer(Box<Customer>),
    /// The product itself, for all of its customers.
    Admin,
    /// The product, for none of them: what is the workspace's own to see.
    Workspace,
}

impl Holder {
    /// The customer that the token speaks for.
    ///
    /// # Errors
    /// `Denied` when it speaks for none.
    pub fn customer(&self) -> Result<&Customer> {
        match &self.who {
            Who::Customer(customer) => Ok(customer),
            Who::Admin | Who::Workspace => {
                Err(Error::Denied { message: "This needs a customer's token: one with an `id`".to_owned() })
            }
        }
    }

    /// Fails unless the token speaks for all of the workspace's customers.
    ///
    /// # Errors
    /// `Denied`
    pub fn admin(&self) -> Result<()> {
        match self.who {
            Who::Admin => Ok(()),
            Who::Customer(_) | Who::Workspace => Err(Error::Denied {
                message: "This needs an admin's token: one with `isAdmin` and without an `id`".to_owned(),
            }),
        }
    }

    /// Who signs what it changes.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Customer(customer) => Actor::Customer(customer.id.to_string()),
            Who::Admin | Who::Workspace => Actor::Product,
        }
    }
}
