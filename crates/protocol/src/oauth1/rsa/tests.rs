//! The keys were made for these tests. The signatures are oauthlib 4.0.1's (`sign_rsa_sha1_with_client`), made with them
//! over the base string of RFC 5849 §3.4.1.1.

use super::*;

const BASE: &str = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26\
    c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26\
    oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";

const SHORT: &str = include_str!("1024-pkcs1.pem");
const PKCS1: &str = include_str!("2048-pkcs1.pem");
const PKCS8: &str = include_str!("2048-pkcs8.pem");

#[test]
fn signatures_are_those_of_another_implementation() {
    let by_short = "WJvzFkvCAESTgV9P0OLKcxUM3Kbs67O8whxtEARKPE31tE23BcIpP2XvyadCljxbfrYvf9jzH37XAw7fwmPvFgGEaJfKhdOmO3r3cBWX4M3nAm1r8CzlnTtjTb5epQGSXLt+sJi588gr68zsfdwNb1TIELw25xbYvzEwhSH/b4s=";
    let by_long = "TLeMXL9vDOXa8t01fAXdwIZdVTm6fivmpqAhkqq698kIj+rL0f8Vexu0yWpLk36g/vh+jl5bs1HK8epeE3PAbkpDRyxU9cOGPU61Zrc09sLRw0tZglBWGRSJYMfSkqBQXeRiO/oyrNwJzYItBCkVLa5yyH66bA0g1OlV8SD2Fvn76DpSkFGdSCqD7q1hjsOTDdTIw07s89AXkc1uu2ct6+A+siyKTL1Tnz3NqjSB4+HNRf9U8n/sp+PxqktTw0oUBqZyE0dhRxmYKBUsl7Bax/Qn3cJPlR3KKYPT6YPNcMcDqv89jH2JVEmG7S0BvD39Ugi21OiNLlJ9JEgFRpW7sg==";
    for (pem, expected) in [(SHORT, by_short), (PKCS1, by_long), (PKCS8, by_long)] {
        let made = sign(&Secret::new(pem), BASE.as_bytes()).expect("a signature");
        assert_eq!(BASE64_STANDARD.encode(made), expected);
    }
    // A key that was pasted may have lost its line ends, or have Windows' own.
    for pem in [PKCS8.replace('\n', "\r\n"), PKCS8.replace('\n', " ")] {
        assert_eq!(sign(&Secret::new(pem), b"x").ok(), sign(&Secret::new(PKCS8), b"x").ok());
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    let body: String = PKCS8.lines().filter(|line| !line.starts_with('-')).collect();
    let with = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let der = BASE64_STANDARD.decode(&body).expect("base64");
    let cut = |at: usize| with("PRIVATE KEY", &BASE64_STANDARD.encode(&der[..at]));
    let mut other = der.clone();
    // Somewhere inside the modulus: its parts don't belong together any more.
    other[60] ^= 1;
    let mut dsa = der.clone();
    let oid = dsa.windows(RSA_ENCRYPTION.len()).position(|bytes| bytes == RSA_ENCRYPTION).expect("the OID");
    dsa[oid] ^= 1;
    for pem in [
        String::new(),
        "secret".to_owned(),
        body.clone(),
        with("PUBLIC KEY", &body),
        with("ENCRYPTED PRIVATE KEY", &body),
        with("PRIVATE KEY", "!"),
        with("PRIVATE KEY", ""),
        cut(10),
        cut(300),
        cut(der.len() - 1),
        with("PRIVATE KEY", &BASE64_STANDARD.encode(other)),
        with("PRIVATE KEY", &BASE64_STANDARD.encode(dsa)),
    ] {
        let error = sign(&Secret::new(pem.as_str()), b"x").expect_err(&pem);
        assert_eq!(error.to_string(), "the client's private key could not be read");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let _ = Key::read(&bytes);
        let pem = format!("-----BEGIN PRIVATE KEY-----{}-----END ", BASE64_STANDARD.encode(&bytes));
        let _ = sign(&Secret::new(pem), b"x");
    }
}
