use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256,
    },
};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://op.test";
const CLIENT: &str = "client-1";
const NOW: i64 = 1_767_323_045;

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

struct Signer {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Signer {
    fn new() -> Self {
        let ec =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref()).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "oct", "kid": "r", "k": encoded("secret") },
            { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "r", "use": "sig", "n": encoded(self.n()), "e": "AQAB" },
            { "kty": "EC", "kid": "e", "crv": "P-256", "alg": "ES256", "x": encoded(&point[1..33]),
                "y": encoded(&point[33..]) },
            { "kty": "OKP", "kid": "d", "crv": "Ed25519", "x": encoded(self.ed.public_key().as_ref()) },
        ] })
    }

    fn n(&self) -> Vec<u8> {
        // RFC 8017 §A.1.1: a sequence of two numbers, of 2048 bits and 65537.
        let der = self.rsa.public_key().as_ref();
        assert_eq!((der.len(), &der[265..]), (270, [2, 3, 1, 0, 1].as_slice()));
        der[9..265].to_vec()
    }

    fn keys(&self) -> Keys {
        Keys::read(self.jwks().to_string().as_bytes()).unwrap()
    }

    fn signature(&self, alg: &str, input: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        let rsa = |with| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(with, &rng, input, &mut signature).unwrap();
            signature
        };
        match alg {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "ES256" => self.ec.sign(&rng, input).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(input).as_ref().to_vec(),
            // Whoever knows the public key makes it the secret of an HMAC.
            "HS256" => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.n()), input).as_ref().to_vec(),
            _ => Vec::new(),
        }
    }

    fn sign(&self, head: &Value, claims: &Value) -> Secret {
        let input = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
        let signature = self.signature(head["alg"].as_str().unwrap_or_default(), input.as_bytes());
        Secret::new(format!("{input}.{}", encoded(signature)))
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": CLIENT, "sub": "user-1", "exp": NOW + 300, "iat": NOW, "nonce": "n-1" })
}

fn with(change: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn algorithms() -> Vec<String> {
    ["RS256", "PS256", "ES256", "EdDSA", "HS256", "none"].map(str::to_owned).to_vec()
}

fn nonce_hash() -> String {
    hex(digest(&SHA256, b"n-1").as_ref())
}

fn verified(signer: &Signer, token: &Secret) -> Result<Value, IdTokenError> {
    let (algorithms, hash) = (algorithms(), nonce_hash());
    let expected = Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        nonce_hash: Some(&hash),
        algorithms: Some(&algorithms),
        now: NOW * 1000,
    };
    verify(token, &signer.keys(), &expected)
}

#[test]
fn what_the_issuer_signed_for_us_holds() {
    let signer = Signer::new();
    for (alg, kid) in [("RS256", "r"), ("PS256", "r"), ("ES256", "e"), ("EdDSA", "d")] {
        let token = signer.sign(&json!({ "alg": alg, "kid": kid }), &claims());
        assert_eq!(verified(&signer, &token).unwrap()["sub"], "user-1", "{alg}");
        let unnamed = signer.sign(&json!({ "alg": alg }), &claims());
        assert!(verified(&signer, &unnamed).is_ok(), "{alg} without a key's name");
    }
    for change in [
        json!({ "aud": [CLIENT] }),
        json!({ "aud": [CLIENT, "other"], "azp": CLIENT }),
        json!({ "azp": CLIENT }),
        json!({ "iss": "op.test" }),
        json!({ "exp": NOW - SKEW + 1 }),
        json!({ "exp": (NOW + 1) as f64 + 0.5 }),
        json!({ "iat": NOW + 3600 }),
        json!({ "nbf": NOW + SKEW }),
        json!({ "iat": null }),
    ] {
        let token = signer.sign(&json!({ "alg": "RS256", "kid": "r" }), &with(&change));
        assert!(verified(&signer, &token).is_ok(), "{change}");
    }
}

#[test]
fn hostile_claims_do_not_hold() {
    let signer = Signer::new();
    for (change, want) in [
        (json!({ "iss": "https://evil.test" }), IdTokenError::Issuer),
        (json!({ "iss": "https://op.test/" }), IdTokenError::Issuer),
        (json!({ "iss": null }), IdTokenError::Issuer),
        (json!({ "aud": "other" }), IdTokenError::Audience),
        (json!({ "aud": [] }), IdTokenError::Audience),
        (json!({ "aud": null }), IdTokenError::Audience),
        (json!({ "aud": [CLIENT, "other"] }), IdTokenError::Audience),
        (json!({ "aud": [CLIENT, "other"], "azp": "other" }), IdTokenError::Audience),
        (json!({ "azp": "other" }), IdTokenError::Audience),
        (json!({ "azp": 7 }), IdTokenError::Audience),
        (json!({ "exp": NOW - SKEW }), IdTokenError::Expired),
        (json!({ "exp": null }), IdTokenError::Expired),
        (json!({ "exp": "soon" }), IdTokenError::Expired),
        (json!({ "nbf": NOW + SKEW + 1 }), IdTokenError::NotYet),
        (json!({ "nonce": "n-2" }), IdTokenError::Nonce),
        (json!({ "nonce": null }), IdTokenError::Nonce),
        (json!({ "sub": "" }), IdTokenError::Subject),
        (json!({ "sub": 7 }), IdTokenError::Subject),
        (json!({ "sub": "a\u{0}b" }), IdTokenError::Subject),
    ] {
        let token = signer.sign(&json!({ "alg": "RS256", "kid": "r" }), &with(&change));
        assert_eq!(verified(&signer, &token).err(), Some(want), "{change}");
    }
}

fn encrypted(head: &Value) -> Secret {
    Secret::new(format!("{}.key.iv.text.tag", encoded(head.to_string())))
}

#[test]
fn hostile_signatures_do_not_hold() {
    let (signer, other) = (Signer::new(), Signer::new());
    let rs = json!({ "alg": "RS256", "kid": "r" });
    let good = signer.sign(&rs, &claims());
    let (body, _) = good.expose().rsplit_once('.').unwrap();
    let forged =
        format!("{}.{}.", encoded(json!({ "alg": "none" }).to_string()), encoded(claims().to_string()));
    for (name, token, want) in [
        ("none", Secret::new(forged), IdTokenError::Algorithm),
        ("None", signer.sign(&json!({ "alg": "None" }), &claims()), IdTokenError::Algorithm),
        ("hmac", signer.sign(&json!({ "alg": "HS256", "kid": "r" }), &claims()), IdTokenError::Unchecked),
        ("hmac unasked", signer.sign(&json!({ "alg": "HS512" }), &claims()), IdTokenError::Algorithm),
        ("encrypted", encrypted(&json!({ "alg": "RSA-OAEP", "enc": "A256GCM" })), IdTokenError::Unchecked),
        ("encrypted with nothing", encrypted(&json!({ "alg": "none" })), IdTokenError::Unreadable),
        (
            "not advertised",
            signer.sign(&json!({ "alg": "RS512", "kid": "r" }), &claims()),
            IdTokenError::Algorithm,
        ),
        ("crit", signer.sign(&json!({ "alg": "RS256", "crit": ["x"] }), &claims()), IdTokenError::Algorithm),
        (
            "unknown",
            signer.sign(&json!({ "alg": "RS256", "kid": "new" }), &claims()),
            IdTokenError::UnknownKey,
        ),
        (
            "for encryption",
            signer.sign(&json!({ "alg": "RS256", "kid": "enc" }), &claims()),
            IdTokenError::UnknownKey,
        ),
        (
            "a key of another kind",
            signer.sign(&json!({ "alg": "RS256", "kid": "e" }), &claims()),
            IdTokenError::UnknownKey,
        ),
        (
            "a key for another way",
            signer.sign(&json!({ "alg": "ES256", "kid": "d" }), &claims()),
            IdTokenError::UnknownKey,
        ),
        ("another issuer's key", other.sign(&rs, &claims()), IdTokenError::Signature),
        (
            "another issuer's curve",
            other.sign(&json!({ "alg": "ES256" }), &claims()),
            IdTokenError::Signature,
        ),
        ("cut off", Secret::new(format!("{body}.")), IdTokenError::Signature),
        ("no signature", Secret::new(body), IdTokenError::Unreadable),
        ("five parts", Secret::new(format!("{body}.a.b.c")), IdTokenError::Unreadable),
        ("no json", Secret::new("a.b.c"), IdTokenError::Unreadable),
        ("empty", Secret::new(""), IdTokenError::Unreadable),
        ("too long", Secret::new(format!("{}{}", good.expose(), "A".repeat(MAX))), IdTokenError::Unreadable),
    ] {
        assert_eq!(verified(&signer, &token).err(), Some(want), "{name}");
    }
    let changed = with(&json!({ "sub": "user-2" })).to_string();
    let mut parts = good.expose().split('.');
    let (head, _, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let swapped = Secret::new(format!("{head}.{}.{signature}", encoded(changed)));
    assert_eq!(verified(&signer, &swapped).err(), Some(IdTokenError::Signature));
}

#[test]
fn an_issuer_that_advertises_nothing_signs_with_rs256() {
    let signer = Signer::new();
    let expected =
        Expected { issuer: ISSUER, client_id: CLIENT, nonce_hash: None, algorithms: None, now: NOW * 1000 };
    let checked =
        |alg: &str| verify(&signer.sign(&json!({ "alg": alg }), &claims()), &signer.keys(), &expected);
    assert!(checked("RS256").is_ok(), "without a nonce that was sent, any will do");
    assert_eq!(checked("ES256").err(), Some(IdTokenError::Algorithm));
}

#[test]
fn a_set_of_keys_is_bounded_and_its_other_keys_are_left_out() {
    assert_eq!(Signer::new().keys().0.len(), 3);
    for text in ["", "[]", "{}", "{\"keys\":{}}"] {
        assert_eq!(Keys::read(text.as_bytes()), None, "{text}");
    }
    let many = json!({ "keys": vec![json!({ "kty": "RSA" }); 200] }).to_string();
    assert_eq!(Keys::read(many.as_bytes()).unwrap().0.len(), MOST_KEYS);
    assert_eq!(Keys::read(&vec![b' '; MAX_KEYS_BODY + 1]), None);
}
