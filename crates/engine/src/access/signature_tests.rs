use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;
use crate::{
    id::{JwtKeyId, WorkspaceId},
    time::Millis,
};

const TEXT: &str = "header.claims";

fn key(algorithm: Algorithm, public_key: &str) -> JwtKey {
    JwtKey {
        id: JwtKeyId::new(),
        workspace_id: WorkspaceId::new(),
        name: "k".to_owned(),
        algorithm,
        public_key: public_key.to_owned(),
        created_at: Millis(0),
    }
}

fn pem(der: &[u8]) -> String {
    format!("{BEGIN}\n{}\n{END}\n", BASE64_STANDARD.encode(der))
}

/// A public key and a signature by its private half, of each algorithm.
fn signed() -> Vec<(Algorithm, String, Vec<u8>)> {
    let random = SystemRandom::new();
    let mut all = Vec::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
    for (algorithm, how) in [
        (Algorithm::RS256, &signature::RSA_PKCS1_SHA256),
        (Algorithm::RS384, &signature::RSA_PKCS1_SHA384),
        (Algorithm::RS512, &signature::RSA_PKCS1_SHA512),
        (Algorithm::PS256, &signature::RSA_PSS_SHA256),
        (Algorithm::PS384, &signature::RSA_PSS_SHA384),
        (Algorithm::PS512, &signature::RSA_PSS_SHA512),
    ] {
        let mut out = vec![0; rsa.public_modulus_len()];
        rsa.sign(how, &random, TEXT.as_bytes(), &mut out).unwrap();
        all.push((algorithm, pem(der.as_ref()), out));
    }
    for (algorithm, how) in [
        (Algorithm::ES256, &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        (Algorithm::ES384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        (Algorithm::ES512, &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let pair = EcdsaKeyPair::generate(how).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let out = pair.sign(&random, TEXT.as_bytes()).unwrap();
        all.push((algorithm, pem(der.as_ref()), out.as_ref().to_vec()));
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    all.push((Algorithm::EdDSA, pem(der.as_ref()), pair.sign(TEXT.as_bytes()).as_ref().to_vec()));
    all
}

#[test]
fn a_key_verifies_by_its_own_algorithm_and_no_other() {
    let all = signed();
    assert_eq!(all.len(), Algorithm::ALL.len());
    for (algorithm, public, signature) in &all {
        assert!(by_key(&key(*algorithm, public), TEXT, signature), "{algorithm:?}");
        assert!(!by_key(&key(*algorithm, public), "header.other", signature), "{algorithm:?}");
        assert!(!by_key(&key(*algorithm, public), TEXT, &[]), "{algorithm:?}");
        let others = all.iter().filter(|(other, ..)| other != algorithm);
        for (other, theirs, _) in others {
            assert!(!by_key(&key(*other, public), TEXT, signature), "{algorithm:?} as {other:?}");
            let same_key = theirs == public;
            assert!(same_key || !by_key(&key(*algorithm, theirs), TEXT, signature), "the key of {other:?}");
        }
    }
}

#[test]
fn a_key_is_taken_for_what_it_can_do_only() {
    let all = signed();
    for (algorithm, public, _) in &all {
        let kept = public_key(*algorithm, &format!("\r\n{}\r\n\r\n", public.replace('\n', "\r\n"))).unwrap();
        assert_eq!(kept, *public, "it is kept as it was meant");
        for (other, theirs, _) in &all {
            assert_eq!(
                public_key(*algorithm, theirs).is_ok(),
                is_rsa(*algorithm) == is_rsa(*other) && (is_rsa(*other) || algorithm == other)
            );
        }
    }
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHh4\n-----END PRIVATE KEY-----";
    let small = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCoYaK6TjTcFsaHXjxQdf+zVMVD
1oZKFRxPeY90cT3oS7SL14cWjpPMK3iphj8BUSgXuSBcXJF0vkr3vK7PIbOYGVQO
Bf3t8weiTysVe2CuUYFlJsYqLPyxaO20tRs1p91APTWbvtG1XtKAIpl+rV/X5WgC
8Ra5dFSfXoTwFM5EhwIDAQAB
-----END PUBLIC KEY-----";
    for (wrong, why) in [
        ("", "PEM"),
        ("secret", "PEM"),
        ("-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----", "PEM"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a key for RS256"),
        (private, "another pair"),
        (small, "2048"),
    ] {
        let error = public_key(Algorithm::RS256, wrong).unwrap_err().to_string();
        assert!(error.starts_with("public_key: ") && error.contains(why), "{error}");
        assert!(!error.contains("MC4C"), "nothing of it is repeated");
        assert!(!by_key(&key(Algorithm::RS256, wrong), TEXT, b"x"));
    }
}

fn is_rsa(algorithm: Algorithm) -> bool {
    algorithm.as_str().starts_with(['R', 'P'])
}

/// RFC 8037, appendix A.4; and the token that jwt.io shows, by its secret.
#[test]
fn others_signatures_are_understood() {
    let split = |token: &'static str| {
        let (text, signature) = token.rsplit_once('.').unwrap();
        (text, BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
    };
    let x = BASE64_URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let der = [&hex::decode("302a300506032b6570032100").unwrap()[..], &x].concat();
    let (text, signature) = split(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhi\
         jcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    assert!(by_key(&key(Algorithm::EdDSA, &pem(&der)), text, &signature));

    let (text, signature) = split(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIy\
         fQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    );
    let secret = Secret::new("your-256-bit-secret");
    assert!(by_secret(Hmac::HS256, &secret, text, &signature));
    assert!(!by_secret(Hmac::HS512, &secret, text, &signature));
    assert!(!by_secret(Hmac::HS256, &Secret::new("your-256-bit-secreT"), text, &signature));
    assert!(!by_secret(Hmac::HS256, &secret, text, &signature[..16]), "not even a part of it");
}
