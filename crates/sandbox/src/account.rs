//! The two people who have an account at the sandbox.
//!
//! Fixed data; nothing here may ever look like a real person. Look next at `authorize.rs`, where one is chosen.

/// One account.
pub(crate) struct Account {
    /// What the consent form sends: `alice`.
    pub key: &'static str,
    pub id: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

pub(crate) static ACCOUNTS: [Account; 2] = [
    Account { key: "alice", id: "acct_alice", name: "Alice Example", email: "alice@sandbox.example" },
    Account { key: "bob", id: "acct_bob", name: "Bob Example", email: "bob@sandbox.example" },
];

/// The account a form or a `login_hint` names, by key or email.
pub(crate) fn find(hint: &str) -> Option<&'static Account> {
    ACCOUNTS.iter().find(|account| account.key == hint || account.email == hint)
}
