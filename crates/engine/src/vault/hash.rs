//! What need never be opened again is hashed: random tokens with SHA-256, passwords with argon2id.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    secret::{Secret, random},
};

/// What an API key begins with.
const API_KEY_PREFIX: &str = "ck_";
/// What a user's token begins with.
const USER_TOKEN_PREFIX: &str = "ut_";
/// Random characters after it: 46 of base62 are 273 bits.
const RANDOM: usize = 46;
/// How many characters of a key or token are kept in the clear, to find it by and to show.
const SHOWN: usize = 11;

/// Hex SHA-256 of a random token (an API key, a state, a code, a browser id). Never of a password.
pub fn token(text: &str) -> String {
    let mut hex = [0; 64];
    // Each call comes by here: written in place, not letter by letter.
    let written = hex::encode_to_slice(digest(&SHA256, text.as_bytes()), &mut hex);
    written.ok().and_then(|()| std::str::from_utf8(&hex).ok()).unwrap_or_default().to_owned()
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub fn same(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

/// The argon2id hash of a password in PHC form, with a fresh salt. Takes tens of milliseconds of processor
/// time: call it where blocking is allowed.
pub fn password(plain: &Secret) -> Result<String> {
    let salt = random::<16>()?;
    let hash = Argon2::default().hash_password_with_salt(plain.expose().as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| Error::internal("hashing a password failed"))
}

/// Whether this is the password that was hashed; also `false` for a text that is no PHC hash.
pub fn password_matches(plain: &Secret, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(plain.expose().as_bytes(), &hash).is_ok())
}

/// The hash of a password that nobody has: to spend on a user who does not exist as much time as on one who does.
pub const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzLg$\
                           AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A keyed hash of several texts (HMAC-SHA-256), in hex; no two lists of texts are hashed alike.
pub fn keyed(key: &[u8; 32], texts: &[&str]) -> String {
    let mut hash = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for text in texts {
        hash.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex::encode(hash.sign())
}

/// A fresh API key: the key, its prefix, its hash. It contains no `.`.
pub fn new_api_key() -> Result<(Secret, String, String)> {
    fresh(API_KEY_PREFIX)
}

/// A fresh token of a user: the token, its prefix, its hash.
pub fn new_user_token() -> Result<(Secret, String, String)> {
    fresh(USER_TOKEN_PREFIX)
}

fn fresh(begin: &str) -> Result<(Secret, String, String)> {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut key = Zeroizing::new(String::with_capacity(begin.len() + RANDOM));
    key.push_str(begin);
    while key.len() < begin.len() + RANDOM {
        let bytes = Zeroizing::new(random::<64>()?);
        // 248 is the largest multiple of 62 in a byte: what is above is thrown away, so all letters are equally likely.
        let letters = bytes.iter().filter(|b| **b < 248).map(|b| char::from(BASE62[usize::from(b % 62)]));
        let missing = begin.len() + RANDOM - key.len();
        letters.take(missing).for_each(|letter| key.push(letter));
    }
    let prefix = key[..SHOWN].to_owned();
    let hash = token(&key);
    Ok((Secret::new(key.as_str()), prefix, hash))
}
