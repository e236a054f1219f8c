//! Cutting: a call's work before the answer ends when its ticket is cut. What is behind the answer's head is cut by
//! whoever carries it, with [`Ended`].

use std::fmt;

use super::Ticket;
use crate::error::Result;

/// What the body of a call fails with that was cut.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was cut: what it stood on has ended")
    }
}

impl std::error::Error for Ended {}

/// Runs a call until its answer begins. Cut before that, the call fails with the reason.
pub(crate) async fn until_cut<T>(ticket: &Ticket, call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        why = ticket.cut() => Err(why),
        answer = call => answer,
    }
}
