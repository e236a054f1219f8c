//! Phase 5, at its end: the proof of possession, where the token needs one (RFC 9449 §7); and what a server's nonce does
//! to phase 7.
//!
//! Each attempt gets a proof of its own. A server that wants its nonce in the proof has not looked at the token yet, so
//! such a 401 says nothing of it: the call is made once more, and nothing is refreshed.

use claviger_protocol::{dpop::api_asks, oauth2::Tokens};
use http::{Response, Uri};

use super::prepare::Prepared;
use crate::{
    broker::Broker,
    connect::dpop::{self, Prover},
    error::Result,
    outbound::{Body, Failure},
};

/// What proves the attempts of one call.
pub(super) struct Proofs {
    prover: Option<Prover>,
    /// Whether the call was made once more for a nonce already.
    again: bool,
}

/// What an answer says of the attempt's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing: there was none, or it was good.
    Nothing,
    /// The server wants its nonce in it, and the call is to be made again.
    Again,
    /// The same, but the call can't be made again.
    Wanted,
}

impl Proofs {
    /// What proves calls with these tokens: nothing, where they are shown alone.
    pub(super) fn of(tokens: &Tokens) -> Result<Self> {
        Ok(Self { prover: Prover::of(tokens)?, again: false })
    }

    /// The same after a refresh.
    pub(super) fn renew(&mut self, tokens: &Tokens) -> Result<()> {
        self.prover = Prover::of(tokens)?;
        Ok(())
    }

    /// Puts a fresh proof into an attempt.
    pub(super) fn add(&self, broker: &Broker, tokens: &Tokens, prepared: &mut Prepared) -> Result<()> {
        let Some(prover) = &self.prover else { return Ok(()) };
        prover.prove(broker, &mut prepared.parts, Some(&tokens.access_token))
    }

    /// Remembers the nonce of an answer, and says what the answer means.
    pub(super) fn hear(
        &mut self,
        broker: &Broker,
        uri: &Uri,
        outcome: &std::result::Result<Response<Body>, Failure>,
        replayable: bool,
    ) -> Heard {
        let (Some(_), Ok(answer)) = (&self.prover, outcome) else { return Heard::Nothing };
        dpop::learn(broker, uri, answer.headers());
        if !api_asks(answer.status(), answer.headers()) {
            return Heard::Nothing;
        }
        if self.again || !replayable {
            return Heard::Wanted;
        }
        self.again = true;
        Heard::Again
    }
}
