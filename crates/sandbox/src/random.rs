//! Unguessable text: codes, tokens, nonces.
//!
//! Must never fall back to something guessable. Look next at `grants.rs`, which hands the tokens out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `prefix` and 256 random bits in base64url.
#[expect(
    clippy::expect_used,
    reason = "the generator seeds itself from the kernel; a guessable token is no answer"
)]
pub(crate) fn text(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the random generator works");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}
