//! Fixed vectors, computed with Python's `hmac` and `openssl dgst -hmac`.

use super::*;

const BODY: &str = r#"{"id":"evt_1","data":{"external_id":"Zoë"}}"#;
const AT: Millis = Millis(1_767_323_045_678);

/// The key is the bytes 0 to 29.
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
const NEW_HEX: &str = "dbe90c6b62c4e1e9b8800cd3ced523e4f88d63bb97d3592251d1d62c68887c0d";
const NEW_STANDARD: &str = "v1,C2/0J6onokHWxucLJjZrATVdbrPv9V3XoYwt5TKMJPw=";

const OLD: &str = "an old secret that someone typed";
const OLD_HEX: &str = "7232d638df5a13a3b9e04ffc3e8888144cdc73f433ba476cffc8dde3236f24a9";
const OLD_STANDARD: &str = "v1,LaZU34IsmYm7A6wt+o04mUkWwtp77B1hkt0lr+sZ9tM=";

fn signed(current: &str, previous: Option<&str>) -> Vec<(String, String)> {
    let secrets = Secrets { current: Secret::new(current), previous: previous.map(Secret::new) };
    let id = EventId::from_row("evt_0123".to_owned());
    let headers = headers(&secrets, &id, AT, BODY.as_bytes()).unwrap();
    headers.into_iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let common = [
        ("content-type", "application/json"),
        ("webhook-id", "evt_0123"),
        ("webhook-timestamp", "1767323045"),
    ];
    common.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn one_secret_signs_both_ways() {
    for (secret, hex, standard) in [(NEW, NEW_HEX, NEW_STANDARD), (OLD, OLD_HEX, OLD_STANDARD)] {
        assert_eq!(
            signed(secret, None),
            with(&[("webhook-signature", standard), ("bundleup-signature", hex)])
        );
    }
}

#[test]
fn while_a_secret_is_replaced_both_sign() {
    assert_eq!(
        signed(NEW, Some(OLD)),
        with(&[
            ("webhook-signature", &format!("{NEW_STANDARD} {OLD_STANDARD}")),
            ("bundleup-signature", OLD_HEX),
            ("bundleup-signature-next", NEW_HEX),
        ])
    );
}

#[test]
fn a_secret_that_only_looks_standard_signs_as_text() {
    let secret = Secret::new("whsec_not*base64*at*all*but*long");
    assert_eq!(*key(&secret), secret.expose().as_bytes());
}
