//! The client key: what we prove with, towards a provider, that we are the client: a key that signs assertions
//! (RFC 7523), or the key of a client certificate (RFC 8705).

use claviger_catalog::Alg;

use crate::{
    id::{AuthOptionId, ClientKeyId, IntegrationId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// A key of ours.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Its id.
    pub id: ClientKeyId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Towards which integration's provider.
    pub integration_id: IntegrationId,
    /// Of which of its auth options; `None` for its own way.
    pub option_id: Option<AuthOptionId>,
    /// What it is for.
    pub purpose: Purpose,
    /// What it signs with.
    pub alg: Alg,
    /// Its public half: a JWK as JSON (RFC 7517), or a chain of certificates in PEM.
    pub public: String,
    /// Its private half: PKCS #8 in PEM, sealed.
    pub secret: Sealed,
    /// From when on it is used: servers that keep our key set for a while must have seen it before.
    pub signs_from: Millis,
    /// When it was made, or given.
    pub created_at: Millis,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing assertions.
    Signing,
    /// A client certificate.
    Certificate,
}

impl Purpose {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Certificate => "certificate",
        }
    }

    /// Reads what [`Purpose::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Signing, Self::Certificate].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// The key that signs with an algorithm now: the latest whose time has come; where none's has, the first to come, for
/// somebody took away the one before it.
pub fn signing(keys: &[ClientKey], alg: Alg, now: Millis) -> Option<&ClientKey> {
    let fitting = || keys.iter().filter(|key| key.purpose == Purpose::Signing && key.alg == alg);
    let order = |key: &&ClientKey| (key.signs_from, key.created_at, key.id.clone());
    let ready = fitting().filter(|key| key.signs_from <= now).max_by_key(order);
    ready.or_else(|| fitting().min_by_key(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(signs_from: i64, alg: Alg) -> ClientKey {
        ClientKey {
            id: ClientKeyId::new(),
            workspace_id: WorkspaceId::new(),
            integration_id: IntegrationId::new(),
            option_id: None,
            purpose: Purpose::Signing,
            alg,
            public: String::new(),
            secret: Sealed::from_row(String::new()),
            signs_from: Millis(signs_from),
            created_at: Millis(0),
        }
    }

    #[test]
    fn a_key_signs_once_its_time_has_come() {
        let keys = [key(10, Alg::RS256), key(20, Alg::RS256), key(15, Alg::ES256)];
        let at = |keys: &[ClientKey], now| signing(keys, Alg::RS256, Millis(now)).map(|key| key.signs_from.0);
        assert_eq!((at(&keys, 10), at(&keys, 19), at(&keys, 20)), (Some(10), Some(10), Some(20)));
        assert_eq!(at(&keys, 9), Some(10), "somebody has to sign");
        assert_eq!(at(&keys[1..], 12), Some(20));
        assert_eq!(at(&keys[2..], 99), None, "a key has one algorithm");
        let other = ClientKey { purpose: Purpose::Certificate, ..key(1, Alg::RS256) };
        assert_eq!(at(&[other], 99), None);
    }
}
