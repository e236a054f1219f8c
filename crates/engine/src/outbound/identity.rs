//! Identities: client certificates with their keys (RFC 8705 §2), and the pools of connections that are made with them.
//!
//! Each has a pool and a memory of TLS sessions of its own: a connection that was made with one certificate
//! is never used for another's request, nor for one without. Must never show a key, nor repeat what it was given.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use claviger_protocol::x509::{self, Facts};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::pool::Pool;
use crate::{error::Error, secret::Secret, time::Millis};

/// The longest certificate with its chain, and the longest key, in bytes.
pub const LONGEST_PEM: usize = 64 * 1024;
/// The most certificates that are shown together.
const LONGEST_CHAIN: usize = 10;
/// How many identities have a client at a time; beyond it the one used longest ago closes its connections.
const MOST: usize = 64;

/// A certificate and its private key, as somebody gave them. Holds a secret: no `Debug`.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// The certificate in PEM, with those between it and a root behind it (RFC 8446 §4.4.2).
    pub certificate: &'a str,
    /// Its key in PEM: PKCS #8, PKCS #1 or SEC 1.
    pub key: &'a Secret,
}

/// What is wrong with a certificate or its key. Never holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// One of them is too long.
    TooLong,
    /// No certificate in PEM, or one that can't be read.
    NoCertificate,
    /// No private key in PEM, or one that can't be used.
    NoKey,
    /// The key is encrypted with a pass phrase.
    Encrypted,
    /// The key is another certificate's.
    Mismatch,
    /// A certificate of the chain did not issue the one before it.
    Order,
    /// It is good from then on only.
    NotYet(Millis),
    /// It was good until then.
    Expired(Millis),
}

impl Problem {
    /// Whether it is the key's rather than the certificate's.
    pub fn is_of_key(self) -> bool {
        matches!(self, Self::NoKey | Self::Encrypted | Self::Mismatch)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "is longer than {LONGEST_PEM} bytes"),
            Self::NoCertificate => f.write_str("is not a certificate in PEM"),
            Self::NoKey => f.write_str("is not a private key in PEM"),
            Self::Encrypted => {
                f.write_str("is encrypted with a pass phrase: give the key without one, it is sealed here")
            }
            Self::Mismatch => f.write_str("does not belong to the certificate"),
            Self::Order => f.write_str(
                "has a chain in another order: each certificate must be followed by the one that issued it",
            ),
            Self::NotYet(at) => write!(f, "is not valid before {}", at.rfc3339()),
            Self::Expired(at) => write!(f, "expired at {}", at.rfc3339()),
        }
    }
}

/// A certificate and its key that belong together.
pub struct Identity {
    certified: Arc<CertifiedKey>,
    leaf: Facts,
}

impl Identity {
    /// Reads a certificate and its key, and checks that they belong together. Whether it is good now is
    /// [`Identity::check`]'s.
    ///
    /// # Errors
    /// [`Problem`]
    pub fn read(pair: &Pair<'_>) -> Result<Self, Problem> {
        let chain = read_chain(pair.certificate)?;
        let facts: Vec<Facts> =
            chain.iter().map(|one| x509::read(one)).collect::<Option<_>>().ok_or(Problem::NoCertificate)?;
        if facts.windows(2).any(|pair| matches!(pair, [one, next] if one.issuer != next.subject)) {
            return Err(Problem::Order);
        }
        let leaf = facts.into_iter().next().ok_or(Problem::NoCertificate)?;
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&read_key(pair.key.expose())?);
        let certified = CertifiedKey::new(chain, key.map_err(|_| Problem::NoKey)?);
        match certified.keys_match() {
            Ok(()) => Ok(Self { certified: Arc::new(certified), leaf }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(Problem::Mismatch),
            Err(_) => Err(Problem::NoCertificate),
        }
    }

    /// Whether it is good at this time.
    ///
    /// # Errors
    /// [`Problem::NotYet`], [`Problem::Expired`]
    pub fn check(&self, now: Millis) -> Result<(), Problem> {
        let (from, until) = (Millis(self.leaf.not_before), Millis(self.leaf.not_after));
        match now {
            now if now < from => Err(Problem::NotYet(from)),
            now if now > until => Err(Problem::Expired(until)),
            _ => Ok(()),
        }
    }

    /// Until when it is good.
    pub fn expires_at(&self) -> Millis {
        Millis(self.leaf.not_after)
    }

    /// What TLS shows.
    pub(super) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.certified)))
    }
}

/// Until when a certificate in PEM is good, the first of its chain; `None` when it can't be read.
pub fn expires_at(certificate: &str) -> Option<Millis> {
    let chain = read_chain(certificate).ok()?;
    chain.first().and_then(|one| x509::read(one)).map(|facts| Millis(facts.not_after))
}

fn read_chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    if pem.len() > LONGEST_PEM {
        return Err(Problem::TooLong);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if (1..=LONGEST_CHAIN).contains(&chain.len()) => Ok(chain),
        _ => Err(Problem::NoCertificate),
    }
}

fn read_key(pem: &str) -> Result<PrivateKeyDer<'static>, Problem> {
    if pem.len() > LONGEST_PEM {
        return Err(Problem::TooLong);
    }
    // RFC 5958 §3, and the headers of RFC 1421 §4.6 that older tools write.
    if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Problem::Encrypted);
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| Problem::NoKey)
}

/// By what a pair is known: nothing of it can be told from this.
#[derive(Clone, PartialEq, Eq)]
struct Print([u8; 32]);

fn print(pair: &Pair<'_>) -> Print {
    let mut context = digest::Context::new(&digest::SHA256);
    // The length keeps apart where the one ends and the other begins.
    context.update(&u64::try_from(pair.certificate.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(pair.certificate.as_bytes());
    context.update(pair.key.expose().as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    Print(out)
}

type Known = (Print, Arc<Identity>, Pool);

/// The pools of those identities that were used last.
#[derive(Default)]
pub(super) struct Identities(Mutex<VecDeque<Known>>);

impl Identities {
    /// The client of an identity that is good at this time: the one that there is, or a new one.
    pub(super) fn pool(
        &self,
        pair: &Pair<'_>,
        now: Millis,
        build: impl FnOnce(&Identity) -> Result<Pool, Error>,
    ) -> Result<Pool, Error> {
        let print = print(pair);
        if let Some((identity, pool)) = self.known(&print) {
            identity.check(now).map_err(unusable)?;
            return Ok(pool);
        }
        let identity = Identity::read(pair).map_err(unusable)?;
        identity.check(now).map_err(unusable)?;
        let pool = build(&identity)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(other, ..)| *other != print);
        known.push_front((print, Arc::new(identity), pool.clone()));
        known.truncate(MOST);
        Ok(pool)
    }

    fn known(&self, print: &Print) -> Option<(Arc<Identity>, Pool)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(other, ..)| other == print)?;
        let found = known.remove(at)?;
        let out = (Arc::clone(&found.1), found.2.clone());
        known.push_front(found);
        Some(out)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A certificate that was taken once, and can't be shown now.
fn unusable(problem: Problem) -> Error {
    let what = if problem.is_of_key() { "client certificate's key" } else { "client certificate" };
    Error::Conflict { message: format!("The {what} {problem}") }
}
