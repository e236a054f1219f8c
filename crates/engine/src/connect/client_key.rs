//! Our own keys towards an integration's provider: made when one is first needed, found when something is signed, and
//! published as a key set (RFC 7517 §5) that the provider reads.
//!
//! Each integration, and each of its auth options, has keys of its own, so that what is signed for one authorization
//! server is worth nothing at another. A private half leaves the vault only to sign. Rotation: [`crate::setup`].

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::{Alg, ClientAuth, Grant, Provider};
use claviger_protocol::assertion::{SigningKey, grant::Signer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        client_key::{self, ClientKey, Purpose},
        integration::Integration,
    },
    error::{Error, Result},
    id::{AuthOptionId, ClientKeyId},
    secret::Secret,
    store::Conn,
    time::Millis,
    vault::{Field, Vault},
};

/// The algorithms that an integration needs keys of ours for; none where it authenticates otherwise.
pub fn needed(provider: &Provider, integration: &Integration) -> Vec<Alg> {
    let Some(oauth2) = provider.oauth2() else { return Vec::new() };
    let mut out = Vec::new();
    if auth(provider, integration) == Some(ClientAuth::PrivateKeyJwt) {
        out.push(of_client(integration));
    }
    let assertion = oauth2.assertion.as_ref().filter(|_| oauth2.grant == Grant::JwtBearer);
    if let Some(own) = assertion.filter(|assertion| assertion.key.is_none()) {
        out.push(own.alg.unwrap_or_default());
    }
    out.dedup();
    out
}

/// How a client authenticates: as the integration says, or else as the provider's file does.
pub(super) fn auth(provider: &Provider, integration: &Integration) -> Option<ClientAuth> {
    match integration.config.client_auth.as_deref() {
        Some(text) => ClientAuth::parse(text),
        None => provider.oauth2().map(|oauth2| oauth2.client_auth),
    }
}

/// What signs the client assertions of an integration.
pub(super) fn of_client(integration: &Integration) -> Alg {
    integration.config.client_auth_alg.as_deref().and_then(Alg::parse).unwrap_or_default()
}

/// Where the provider of an integration, or of one of its auth options, finds our public keys, below the public URL.
pub fn url(origin: &str, of: &Integration) -> String {
    format!("{origin}/oauth2/jwks/{}", address(of))
}

/// Under what its keys are published: its id, and once it was pointed elsewhere what changes with that.
fn address(of: &Integration) -> String {
    let id = of.as_of.option.as_ref().map_or(of.id.as_str(), AuthOptionId::as_str);
    match &of.config.jwks {
        Some(moved) => format!("{id}-{moved}"),
        None => id.to_owned(),
    }
}

/// The same, where it needs any.
pub fn published(origin: &str, provider: &Provider, of: &Integration) -> Option<String> {
    (!needed(provider, of).is_empty()).then(|| url(origin, of))
}

/// The key of an integration that signs with this algorithm now; it is made where there is none.
///
/// # Errors
/// `Conflict` when one had to be made of an integration that is not in use, or was changed meanwhile.
pub(super) async fn signer(broker: &Broker, integration: &Integration, alg: Alg) -> Result<Signer> {
    let keys = ready(broker, integration, &[alg]).await?;
    let found = client_key::signing(&keys, alg, broker.clock.now());
    let found = found.ok_or_else(|| Error::internal("a key that was made is not there"))?;
    let aad = Field::ClientKey.of(&found.workspace_id, found.id.as_str());
    let pem = broker.vault.open(&aad, &found.secret)?;
    let key = SigningKey::read(&pem).map_err(|_| Error::internal(format!("{} can't be read", found.id)))?;
    Ok(Signer { kid: key.thumbprint(), key, alg })
}

/// The keys that are published at an address, an integration's or an auth option's, as a JWK set; `None` where there are
/// none, and none are needed. An address of before it was pointed elsewhere is nobody's: whoever reads the keys there
/// trusts them for what was there.
pub async fn key_set(broker: &Broker, at: &str) -> Result<Option<Value>> {
    let id = at.split_once('-').map_or(at, |(id, _)| id);
    let mut conn = broker.store.read().await?;
    let found = conn.any_integration_of_keys(id).await?.filter(|of| address(of) == at);
    let Some(integration) = found else { return Ok(None) };
    drop(conn);
    let provider = broker.catalog.get(&integration.provider);
    let needed = provider.map(|provider| needed(&provider, &integration)).unwrap_or_default();
    let usable = if integration.disabled_at.is_some() { &[][..] } else { &needed };
    let keys = ready(broker, &integration, usable).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    let keys: Vec<Value> = keys.iter().filter_map(|key| serde_json::from_str(&key.public).ok()).collect();
    Ok(Some(json!({ "keys": keys })))
}

/// The signing keys of an integration, after those were made that are needed and not there.
async fn ready(broker: &Broker, integration: &Integration, needed: &[Alg]) -> Result<Vec<ClientKey>> {
    let mut conn = broker.store.read().await?;
    let there = keys(&mut conn, integration).await?;
    drop(conn);
    let lacking =
        |there: &[ClientKey]| needed.iter().copied().find(|alg| there.iter().all(|key| key.alg != *alg));
    if lacking(&there).is_none() {
        return Ok(there);
    }
    let now = broker.clock.now();
    let mut there = there;
    while let Some(alg) = lacking(&there) {
        let fresh = generate(alg).await?;
        let mut conn = broker.store.begin(Actor::System, now).await?;
        // Two who need one at once make one.
        if !conn.hold_integration(&integration.workspace_id, &integration.id, integration.version).await? {
            let message = "the integration was changed or disabled meanwhile; try again".to_owned();
            return Err(Error::Conflict { message });
        }
        there = keys(&mut conn, integration).await?;
        if there.iter().all(|key| key.alg != alg) {
            keep(&mut conn, &broker.vault, integration, &fresh, (now, now)).await?;
            there = keys(&mut conn, integration).await?;
            conn.commit().await?;
        }
    }
    Ok(there)
}

async fn keys(conn: &mut Conn, integration: &Integration) -> Result<Vec<ClientKey>> {
    let Integration { workspace_id, id, as_of, .. } = integration;
    conn.client_keys(workspace_id, id, as_of.option.as_ref(), Purpose::Signing).await
}

/// A private key that nobody has yet, in PEM.
pub struct Fresh {
    pem: Secret,
    alg: Alg,
}

/// Makes a private key.
///
/// # Errors
/// When the system gives no randomness.
pub async fn generate(alg: Alg) -> Result<Fresh> {
    let made = tokio::task::spawn_blocking(move || pkcs8(alg)).await;
    let der = made.ok().flatten().ok_or_else(|| Error::internal("no key could be made"))?;
    let body = Zeroizing::new(BASE64_STANDARD.encode(der.as_slice()));
    Ok(Fresh {
        pem: Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *body)),
        alg,
    })
}

fn pkcs8(alg: Alg) -> Option<Zeroizing<Vec<u8>>> {
    let of_curve = |curve| {
        let pair = EcdsaKeyPair::generate(curve).ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    };
    match alg {
        Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            Some(Zeroizing::new(der.as_ref().to_vec()))
        }
        Alg::ES256 => of_curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Alg::ES384 => of_curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Alg::ES512 => of_curve(&ECDSA_P521_SHA512_FIXED_SIGNING),
        Alg::EdDSA => {
            let pair = Ed25519KeyPair::generate().ok()?;
            Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
        }
    }
}

/// Keeps a key as one of an integration's, which signs from then on.
pub async fn keep(
    conn: &mut Conn,
    vault: &Vault,
    integration: &Integration,
    fresh: &Fresh,
    (now, signs_from): (Millis, Millis),
) -> Result<ClientKey> {
    let read = SigningKey::read(&fresh.pem).map_err(|_| Error::internal("a fresh key can't be read"))?;
    let (id, workspace) = (ClientKeyId::new(), &integration.workspace_id);
    let secret = vault.seal(&Field::ClientKey.of(workspace, id.as_str()), &fresh.pem)?;
    let key = ClientKey {
        id,
        workspace_id: workspace.clone(),
        integration_id: integration.id.clone(),
        option_id: integration.as_of.option.clone(),
        purpose: Purpose::Signing,
        alg: fresh.alg,
        public: Value::Object(read.jwk(fresh.alg)).to_string(),
        secret,
        signs_from,
        created_at: now,
    };
    conn.create_client_key(workspace, &key).await?;
    Ok(key)
}
