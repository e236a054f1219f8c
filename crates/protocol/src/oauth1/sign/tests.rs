use std::collections::BTreeMap;

use http::Request;

use super::*;

fn oauth1(lines: &str) -> OAuth1 {
    toml::from_str(lines).expect("a table")
}

fn tokens(token: &str, secret: &str) -> Tokens {
    Tokens { token_secret: Some(Secret::new(secret)), ..Tokens::of(Secret::new(token), "OAuth") }
}

fn pairs_of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn base(method: &str, uri: &str, form: Option<&str>, own: &[(&str, &str)]) -> String {
    let (method, uri) = (method.parse().expect("a method"), uri.parse().expect("a URL"));
    base_string(&method, &uri, form.map(str::as_bytes), &pairs_of(own)).expect("a base string")
}

const STAMP: Stamp<'static> = Stamp { nonce: "n-1", timestamp: 1_800_000_000 };

/// RFC 5849 §1.2: the three signed requests. They have no `oauth_version`, which is why their parameters are given here.
#[test]
fn the_rfcs_three_requests_have_the_rfcs_signatures() {
    let secret = Secret::new("kd94hf93k423kf44");
    let client = Client { key: "dpf43f3p2l4k3l03", secret: &secret };
    let (temporary, token) =
        (tokens("hh5s93j4hdidpola", "hdhd0244k9j7ao03"), tokens("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"));
    for (method, uri, held, timestamp, nonce, further, expected) in [
        (
            "POST",
            "https://photos.example.net/initiate",
            None,
            "137131200",
            "wIjqoS",
            &[("oauth_callback", "http://printer.example.com/ready")][..],
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
        ),
        (
            "POST",
            "https://photos.example.net/token",
            Some(&temporary),
            "137131201",
            "walatlh",
            &[("oauth_verifier", "hfdp7dh39dks9884")],
            "gKgrFCywp7rO0OXSjdot/IHF7IU=",
        ),
        (
            "GET",
            "http://photos.example.net/photos?file=vacation.jpg&size=original",
            Some(&token),
            "137131202",
            "chapoH",
            &[],
            "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
        ),
    ] {
        let mut own = vec![
            ("oauth_consumer_key", client.key),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", timestamp),
            ("oauth_nonce", nonce),
        ];
        own.extend(further);
        own.extend(held.map(|held| ("oauth_token", held.access_token.expose())));
        let oauth1 = oauth1("");
        let signer = Signer { oauth1: &oauth1, client: &client, tokens: held, stamp: STAMP };
        let made = signer.signature(&base(method, uri, Some(""), &own)).expect("a signature");
        assert_eq!(made, expected, "{uri}");
    }
}

const OWN: &[(&str, &str)] = &[
    ("oauth_consumer_key", "9djdj82h48djs9d2"),
    ("oauth_token", "kkk9d7dh3k39sjv7"),
    ("oauth_signature_method", "HMAC-SHA1"),
    ("oauth_timestamp", "137131201"),
    ("oauth_nonce", "7d8f3e4a"),
];
const BASE: &str = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26\
    c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26\
    oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";

/// RFC 5849 §3.1, §3.4.1.1 and §3.4.1.3.1: query, form body and protocol parameters, each decoded and encoded again,
/// sorted by name and value; §3.4.1.2: the host in lower case and without its scheme's port.
#[test]
fn the_base_string_is_the_rfcs() {
    let query = "b5=%3D%253D&a3=a&c%40=&a2=r%20b";
    for uri in
        ["http://example.com/request?", "http://EXAMPLE.COM:80/request?", "HTTP://example.com/request?&"]
    {
        assert_eq!(base("POST", &format!("{uri}{query}"), Some("c2&a3=2+q"), OWN), BASE, "{uri}");
    }
    for (uri, part) in [
        ("https://www.example.net:8080/?q=1", "GET&https%3A%2F%2Fwww.example.net%3A8080%2F&"),
        ("https://example.net:443", "GET&https%3A%2F%2Fexample.net%2F&"),
        ("http://example.net:443/", "GET&http%3A%2F%2Fexample.net%3A443%2F&"),
        ("https://[2001:DB8::1]/x", "GET&https%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%2Fx&"),
    ] {
        assert!(base("GET", uri, None, OWN).starts_with(part), "{uri}");
    }
    assert!(base_string(&Method::GET, &"/relative".parse().expect("a path"), None, &[]).is_err());
}

/// By oauthlib 4.0.1 (`sign_hmac_sha1_with_client`, `sign_hmac_sha256_with_client`, `sign_plaintext_with_client`): over
/// the RFC's base string, and over one with all that needs encoding, in the keys too.
#[test]
fn signatures_are_those_of_another_implementation() {
    let hard = base(
        "GET",
        "https://api.example.com:8443/R%C3%A9sum%C3%A9/a%2Fb?q=caf%C3%A9+%26+%2B&z=%7E&empty&n=1&n=%20",
        None,
        &[
            ("oauth_consumer_key", "k&1"),
            ("oauth_token", "t/2"),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", "1800000000"),
            ("oauth_nonce", "n-1"),
            ("oauth_version", "1.0"),
        ],
    );
    let expected = "GET&https%3A%2F%2Fapi.example.com%3A8443%2FR%25C3%25A9sum%25C3%25A9%2Fa%252Fb&\
        empty%3D%26n%3D%2520%26n%3D1%26oauth_consumer_key%3Dk%25261%26oauth_nonce%3Dn-1%26\
        oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1800000000%26oauth_token%3Dt%252F2%26\
        oauth_version%3D1.0%26q%3Dcaf%25C3%25A9%2520%2526%2520%252B%26z%3D~";
    assert_eq!(hard, expected);
    let (plain, marks) = (("j49sk3j29djd", "dh893hdasih9"), ("s&\u{e9} ", "t+%"));
    for (method, base, (client, token), expected) in [
        ("HMAC-SHA1", BASE, plain, "r6/TJjbCOr97/+UU0NsvSne7s5g="),
        ("HMAC-SHA256", BASE, plain, "lIfydhbOitvsm4DvUwgM0NdR1Mzd08HnXI+q+EG0QKo="),
        ("PLAINTEXT", BASE, plain, "j49sk3j29djd&dh893hdasih9"),
        ("HMAC-SHA1", &hard, marks, "ujMUqcS/zcR9idFXhQZ73M7/Wkk="),
        ("HMAC-SHA256", &hard, marks, "Po7p+6F9vcK/oEn90H1QZwuK+tiHkIRaLRrZsobLD+Q="),
        ("PLAINTEXT", &hard, marks, "s%26%C3%A9%20&t%2B%25"),
    ] {
        let oauth1 = oauth1(&format!("signature = {method:?}"));
        let (secret, tokens) = (Secret::new(client), tokens("t", token));
        let client = Client { key: "k", secret: &secret };
        let signer = Signer { oauth1: &oauth1, client: &client, tokens: Some(&tokens), stamp: STAMP };
        assert_eq!(signer.signature(base).expect("a signature"), expected, "{method}");
    }
}

fn called(table: &str, uri: &str, form: Option<&str>, sent: &[(&str, &str)]) -> Parts {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let mut request = Request::builder().method("POST").uri(uri);
    for (name, value) in sent {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    let form = form.map(str::as_bytes);
    call(&oauth1(table), &client, &tokens("to/ken", "ts"), &mut parts, form, STAMP).expect("signed");
    parts
}

/// RFC 5849 §3.5.1: everything in the header, and the target as the caller wrote it.
#[test]
fn a_call_is_signed_in_its_header_and_keeps_its_target() {
    let uri = "https://a.example/x/%2e%2E/?a=%20+b&&c=~%7e&oauth_fake=1";
    let sent = [("authorization", "Bearer the caller's"), ("x-other", "stays")];
    let parts = called("realm = \"R 1\"\nsignature = \"PLAINTEXT\"", uri, None, &sent);
    assert_eq!(parts.uri.to_string(), uri);
    assert_eq!(parts.headers["x-other"], "stays");
    let found: Vec<_> = parts.headers.get_all("authorization").iter().collect();
    let expected = "OAuth realm=\"R 1\", oauth_consumer_key=\"ck\", oauth_signature_method=\"PLAINTEXT\", \
        oauth_timestamp=\"1800000000\", oauth_nonce=\"n-1\", oauth_version=\"1.0\", oauth_token=\"to%2Fken\", \
        oauth_signature=\"cs%26ts\"";
    assert_eq!(found, [expected]);
    assert!(found[0].is_sensitive());
    let signed = |realm: &str, form: Option<&str>| {
        let parts = called(realm, uri, form, &[]);
        let value = parts.headers["authorization"].to_str().expect("text").to_owned();
        value.split_once("oauth_signature=").expect("a signature").1.to_owned()
    };
    // The realm is no part of what is signed (RFC 5849 §3.4.1.3.1), a form is.
    assert_eq!(signed("", None), signed("realm = \"other\"", None));
    assert_ne!(signed("", None), signed("", Some("a=1")));
}

/// RFC 5849 §3.5.3: behind the caller's own query, which stays byte for byte.
#[test]
fn a_call_can_be_signed_in_its_query() {
    for place in ["query", "body"] {
        let table = format!("place = \"{place}\"\nsignature = \"PLAINTEXT\"");
        let own = "oauth_consumer_key=ck&oauth_signature_method=PLAINTEXT&oauth_timestamp=1800000000&\
                   oauth_nonce=n-1&oauth_version=1.0&oauth_token=to%2Fken&oauth_signature=cs%26ts";
        for (uri, expected) in [
            ("https://a.example/x?a=%20+b&&c", format!("https://a.example/x?a=%20+b&&c&{own}")),
            ("https://a.example/x", format!("https://a.example/x?{own}")),
            ("https://a.example/x?", format!("https://a.example/x?{own}")),
        ] {
            let parts = called(&table, uri, None, &[("authorization", "the caller's")]);
            assert_eq!(parts.uri.to_string(), expected);
            assert!(!parts.headers.contains_key("authorization"));
        }
    }
}

/// A request built whole signs its body where it is a form, and only there.
#[test]
fn a_forms_body_is_signed_and_no_other() {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let signed = |kind: &str, body: &'static str| {
        let made = Request::post("https://a.example/x").header("content-type", kind).body(Bytes::from(body));
        let made = request(&oauth1(""), &client, &tokens("t", "s"), made.expect("a request"), STAMP);
        let made = made.expect("signed");
        assert_eq!(made.body(), body);
        made.headers()["authorization"].to_str().expect("text").to_owned()
    };
    let form = "application/x-www-form-urlencoded";
    assert_ne!(signed(form, "a=1"), signed(form, "a=2"));
    assert_eq!(signed("Application/X-WWW-Form-Urlencoded ; charset=utf-8", "a=1"), signed(form, "a=1"));
    assert_eq!(signed("application/json", "a=1"), signed("application/json", "a=2"));
}

proptest::proptest! {
    /// RFC 5849 §3.4.1.3.2: whatever is sent, in whatever order, the base string's parameters are the same set, sorted by
    /// encoded name and then value, with nothing in them but unreserved characters and escapes.
    #[test]
    fn parameters_are_sorted_and_encoded(
        pairs in proptest::collection::vec((".{0,8}", ".{0,8}"), 0..8),
        turn in 0_usize..8,
    ) {
        let written = |pairs: &[(String, String)]| super::pairs(pairs);
        let uri: Uri = format!("https://a.example/x?{}", written(&pairs)).parse().expect("a URL");
        let made = base_string(&Method::GET, &uri, None, &[]).expect("a base string");
        let mut turned = pairs.clone();
        turned.rotate_left(turn.min(pairs.len()));
        let form = written(&turned);
        let bare: Uri = "https://a.example/x".parse().expect("a URL");
        let by_form = base_string(&Method::GET, &bare, Some(form.as_bytes()), &[]).expect("a base string");
        proptest::prop_assert_eq!(&made, &by_form);
        let last = made.rsplit('&').next().unwrap_or_default();
        let normalized = percent_encoding::percent_decode_str(last).decode_utf8().expect("ASCII").into_owned();
        let halves: Vec<(String, String)> = normalized.split('&').filter(|pair| !pair.is_empty())
            .filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        proptest::prop_assert_eq!(halves.len(), pairs.len());
        proptest::prop_assert!(halves.is_sorted());
        let sound = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
        proptest::prop_assert!(halves.iter().all(|(n, v)| n.chars().chain(v.chars()).all(sound)));
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("text").into_owned();
        let mut found: Vec<(String, String)> = halves.iter().map(|(n, v)| (decode(n), decode(v))).collect();
        let mut sent = pairs;
        found.sort();
        sent.sort();
        proptest::prop_assert_eq!(found, sent);
    }

    #[test]
    fn no_query_panics_and_targets_stay(query in "[!-~]{0,60}") {
        let uri = format!("https://a.example/x?{}", query.replace(['#', '<', '>', '"', '\\', '^', '`', '{', '|', '}'], ""));
        if uri.parse::<Uri>().is_ok() {
            proptest::prop_assert_eq!(called("", &uri, Some(&query), &[]).uri.to_string(), uri);
        }
    }
}

/// Nothing that is signed twice is the same twice, unless its stamp is.
#[test]
fn a_stamp_makes_another_signature() {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let made = |nonce: &str, timestamp: i64| {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.uri = "https://a.example/".parse().expect("a URL");
        let stamp = Stamp { nonce, timestamp };
        call(&oauth1(""), &client, &tokens("t", "s"), &mut parts, None, stamp).expect("signed");
        parts.headers["authorization"].clone()
    };
    let all: BTreeMap<_, _> = [("a", 1), ("b", 1), ("a", 2)]
        .into_iter()
        .map(|(nonce, at)| (made(nonce, at).as_bytes().to_vec(), ()))
        .collect();
    assert_eq!(all.len(), 3);
    assert_eq!(made("a", 1), made("a", 1));
}
