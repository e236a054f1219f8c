use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::prelude::BASE64_STANDARD;

use super::*;

fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn pem(label: &str, der: &[u8]) -> Secret {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    Secret::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
}

fn read(pem: &Secret) -> SigningKey {
    SigningKey::read(pem).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(text: &str) -> KeyFault {
    SigningKey::read(&Secret::new(text)).map(drop).expect_err("no key")
}

const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";
const INPUT: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RSA with 1024 bits, made for this test.
const SMALL: &str = "-----BEGIN PRIVATE KEY-----\n\
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAKr/M0wrsCrxEeKA\n\
yQXgX6vrxls+a9VDT2jTkzqXRefWwsTSwwef9Zj19eU61VNaKWJLf2KHcHWo54vP\n\
FmMnTq9umWvxJ3qFYCOOdawUjOCVCfKLKEePdYKf/C5bXJfKuPrP75tUX9sKbA0T\n\
EypxtdZE9S80UrBE94udBvj+02tBAgMBAAECgYAXcNR/ZJ3JxTJGcpEcFR4IW1Hd\n\
wDjYC1ofbKGKLqKOnYoloR7LNMpeJZmHywDjZEC4ENFtmFN6TaUwLTtMbF8ExAi5\n\
TB6auUKkV2d5/03PpTP1ioGl6+DqyvZvcOBGx931yWNuZk2Ie1Ikzx3fyD/L/6fn\n\
g+0QruwnuldWFCzKAQJBAOECdnppMQmg1dmaxgQs+Se6oq0j7itOTG9QEBAsIow+\n\
j7DT6zOm1VuDFNtq+WH2fHrjfhjn1J+SUYuHZ1cV3FkCQQDCjFIbGxmdj4AHCkZM\n\
VXKgCth1olBX4FqNpTYFcPsNjzrP+JaL+vAArFQMuVHw/BhhUumIQI3MPSTpLQkB\n\
tAkpAkBEfqluTgM9eRZgLXtF3iLicy/+IMfpquYdpHOfWLATnR/Epl4c1RZxyw9Y\n\
U9IifhQanJHQJxJUmQf1v3w3yFHRAkAMgB2qdjRQJm9QhH193COwWuILtPE6pETN\n\
QydUdCz9cw2RXWS2+9m+AVSpOKMmO9yJLF2rDpLN48PiY61neZz5AkEAqLFNSeI2\n\
SmVQ+ISFnS0r0UZtQrgfQDW+4DyvZc5e6g/d9kEJihwFO4AmkybViuLwh3nwAcc1\n\
ld80ycWUH27vhA==\n\
-----END PRIVATE KEY-----";

/// The key of RFC 7515 §A.2.
fn rsa_key() -> rsa::KeyPair {
    rsa::KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(N), e: vec![1, 0, 1] },
        d: bytes(D),
        p: bytes(P),
        q: bytes(Q),
        dP: bytes(DP),
        dQ: bytes(DQ),
        qInv: bytes(QI),
    })
    .expect("the standard's key")
}

fn rsa_pem() -> Secret {
    let der: Pkcs8V1Der<'_> = rsa_key().as_der().expect("DER");
    pem("PRIVATE KEY", der.as_ref())
}

fn ec_pem(curve: &'static EcdsaSigningAlgorithm, [d, x, y]: [&str; 3]) -> Secret {
    let point = [vec![4], bytes(x), bytes(y)].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &bytes(d), &point).expect("a pair");
    pem("PRIVATE KEY", pair.to_pkcs8v1().expect("DER").as_ref())
}

/// The key of RFC 7515 §A.3.
fn p256_pem() -> Secret {
    let parts = [
        "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ];
    ec_pem(&ECDSA_P256_SHA256_FIXED_SIGNING, parts)
}

/// What signing twice gives differs with most algorithms: the library says whether it is a signature.
fn verified(
    algorithm: &'static dyn VerificationAlgorithm,
    public: &[u8],
    key: &SigningKey,
    alg: Alg,
    known: (&str, &str),
) {
    let public = UnparsedPublicKey::new(algorithm, public);
    let (input, signature) = known;
    if !signature.is_empty() {
        public.verify(input.as_bytes(), &bytes(signature)).expect("the known signature");
    }
    let ours = key.sign(alg, input.as_bytes()).expect("a signature");
    public.verify(input.as_bytes(), &ours).expect("our signature");
}

/// RFC 7515 §A.2: this algorithm gives one signature only.
#[test]
fn rsa_signs_as_the_standard_shows() {
    let key = read(&rsa_pem());
    let input = format!("eyJhbGciOiJSUzI1NiJ9.{INPUT}");
    let known = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(base64(&key.sign(Alg::RS256, input.as_bytes()).expect("a signature")), known);
    let members = [("e", "AQAB"), ("kty", "RSA"), ("n", N)];
    assert_eq!(*key.public(), of(members), "sorted, with no zero before the number");
    let public = rsa_key();
    let public = public.public_key().as_ref();
    verified(&RSA_PKCS1_2048_8192_SHA256, public, &key, Alg::RS256, (&input, known));
    verified(&RSA_PSS_2048_8192_SHA256, public, &key, Alg::PS256, (&input, ""));
    for alg in [Alg::RS384, Alg::RS512, Alg::PS384, Alg::PS512] {
        assert_eq!(key.sign(alg, b"x").expect("a signature").len(), 256);
    }
}

/// RFC 7515 §A.3 and §A.4.
#[test]
fn curves_sign_as_the_standard_shows() {
    let input = format!("eyJhbGciOiJFUzI1NiJ9.{INPUT}");
    let known = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = read(&p256_pem());
    let (x, y) =
        ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    assert_eq!(*key.public(), of([("crv", "P-256"), ("kty", "EC"), ("x", x), ("y", y)]));
    let point = [vec![4], bytes(x), bytes(y)].concat();
    verified(&ECDSA_P256_SHA256_FIXED, &point, &key, Alg::ES256, (&input, known));

    let d = "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C";
    let x = "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk";
    let y = "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2";
    let key = read(&ec_pem(&ECDSA_P521_SHA512_FIXED_SIGNING, [d, x, y]));
    let point = [vec![4], bytes(x), bytes(y)].concat();
    let known = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let input = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    verified(&ECDSA_P521_SHA512_FIXED, &point, &key, Alg::ES512, (input, known));
    assert!(!key.fits(Alg::ES256) && key.sign(Alg::ES256, b"x").is_err(), "a curve has one algorithm");
}

/// RFC 8037 §A.3 and §A.4.
#[test]
fn ed25519_signs_as_the_standard_shows() {
    let pair = Ed25519KeyPair::from_seed_and_public_key(
        &bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
        &bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
    );
    let pair = pair.expect("a pair");
    let key = read(&pem("PRIVATE KEY", pair.to_pkcs8v1().expect("DER").as_ref()));
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let known = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(base64(&key.sign(Alg::EdDSA, input.as_bytes()).expect("a signature")), known);
    verified(&ED25519, pair.public_key().as_ref(), &key, Alg::EdDSA, (input, known));
}

/// RFC 7638 §3.1.
#[test]
fn a_thumbprint_is_the_known_one() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let public = of([("kty", "RSA"), ("n", n), ("e", "AQAB")]);
    assert_eq!(thumbprint(&public), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn a_published_key_says_what_it_is_for_and_nothing_private() {
    let key = read(&rsa_pem());
    let jwk = key.jwk(Alg::PS256);
    let names: Vec<&str> = jwk.keys().map(String::as_str).collect();
    assert_eq!(names, ["e", "kty", "n", "use", "alg", "kid"]);
    assert_eq!((&jwk["use"], &jwk["alg"]), (&Value::from("sig"), &Value::from("PS256")));
    assert_eq!(jwk["kid"], Value::from(key.thumbprint()));
}

#[test]
fn keys_are_read_in_each_shape_and_as_people_paste_them() {
    let rsa = rsa_pem();
    let text = rsa.expose();
    let same = |text: &str| assert_eq!(read(&Secret::new(text)).public()["n"], Value::from(N), "{text}");
    same(text);
    same(&text.replace('\n', "\r\n"));
    same(&text.replace('\n', "\\n"));
    same(&format!("  Bag Attributes\n{text}  "));
    same(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{text}"));
    // PKCS #1 is what PKCS #8 wraps; SEC 1 likewise.
    let inner = |pem: &Secret| {
        let (_, der) = pem::read(pem.expose()).expect("a PEM");
        let (inside, _) = tlv(&der, SEQUENCE).expect("a sequence");
        let (_, rest) = tlv(inside, INTEGER).expect("a version");
        let (_, rest) = tlv(rest, SEQUENCE).expect("an algorithm");
        tlv(rest, crate::der::OCTETS).expect("a key").0.to_vec()
    };
    same(pem("RSA PRIVATE KEY", &inner(&rsa)).expose());
    let sec1 = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &pem::read(p256_pem().expose()).expect("a PEM").1,
    );
    let sec1 = sec1.expect("a pair");
    let der: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> = sec1.private_key().as_der().expect("DER");
    assert!(read(&pem("EC PRIVATE KEY", der.as_ref())).fits(Alg::ES256));
}

#[test]
fn what_is_wrong_with_a_key_is_told_and_nothing_of_it() {
    let whole = rsa_pem();
    let whole = whole.expose();
    let labelled = |label: &str| whole.replace("PRIVATE KEY", label);
    for (text, fault) in [
        ("", KeyFault::NoPem),
        ("canary", KeyFault::NoPem),
        ("-----BEGIN canary", KeyFault::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\ncanary", KeyFault::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", KeyFault::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----", KeyFault::Unreadable),
        (&labelled("ENCRYPTED PRIVATE KEY"), KeyFault::Encrypted),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAAAA\n-----END RSA PRIVATE KEY-----",
            KeyFault::Encrypted,
        ),
        (&labelled("PUBLIC KEY"), KeyFault::Public),
        (&labelled("RSA PUBLIC KEY"), KeyFault::Public),
        (&labelled("CERTIFICATE"), KeyFault::Certificate),
        (&labelled("OPENSSH PRIVATE KEY"), KeyFault::Unsupported),
        (&labelled("RSA PRIVATE KEY"), KeyFault::Unreadable),
        (&whole[..whole.len() / 2], KeyFault::Unreadable),
        (&whole.replacen("MII", "MI", 1), KeyFault::Unreadable),
        (&"canary ".repeat(4000), KeyFault::TooLong),
        (SMALL, KeyFault::TooSmall),
    ] {
        let found = refused(text);
        assert_eq!(found, fault, "{}", &text[..text.len().min(60)]);
        assert!(!found.to_string().contains("canary"));
    }
    let fault = SigningKey::check(&p256_pem(), Alg::RS256).expect_err("another kind");
    assert_eq!(fault.to_string(), "Is not a key for RS256: that takes RSA");
    assert!(
        SigningKey::check(&p256_pem(), Alg::ES384).is_err()
            && SigningKey::check(&p256_pem(), Alg::ES256).is_ok()
    );
    assert!(
        SigningKey::check(&rsa_pem(), Alg::PS512).is_ok()
            && SigningKey::check(&rsa_pem(), Alg::EdDSA).is_err()
    );
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn nothing_panics(text in "(-----(BEGIN|END) (RSA |EC |ENCRYPTED )?(PRIVATE|PUBLIC) KEY-----|[A-Za-z0-9+/=\\\\\n]{0,40}){0,6}", at in 0_usize..1600, byte in 0_u8..=255) {
        let _ = SigningKey::read(&Secret::new(text));
        let (_, der) = pem::read(rsa_pem().expose()).expect("a PEM");
        let mut der = der.to_vec();
        let length = der.len();
        der[at % length] ^= byte;
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let _ = SigningKey::read(&pem(label, &der));
        }
    }
}
