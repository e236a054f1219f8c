use claviger_catalog::Provider;
use http::{HeaderMap, Request};

use super::*;
use crate::secret::Secret;

/// 2015-08-30T12:36:00Z
const NOW: i64 = 1_440_938_160_000;

fn sigv4(lines: &str) -> SigV4 {
    let file = format!(
        "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[sigv4]\nservice = \"service\"\n\
         region = \"us-east-1\"\n{lines}\n[api]\nbase_url = \"https://x.example\"\n"
    );
    Provider::parse("x.toml", &file).expect("a provider").sigv4().expect("the table").clone()
}

fn tokens(session: Option<&str>) -> Tokens {
    let typed = [
        ("access_key_id", Some("AKIDEXAMPLE")),
        ("secret_access_key", Some("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")),
        ("session_token", session),
    ];
    let typed = typed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Secret::new(value?))));
    Tokens { typed: typed.collect(), ..Tokens::of(Secret::new("-"), "AWS4") }
}

fn signed(
    table: &SigV4,
    held: &Tokens,
    url: &str,
    headers: &[(&str, &str)],
    payload: Payload<'_>,
) -> HeaderMap {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    call(table, held, &mut parts, payload, NOW).expect("signed");
    assert_eq!(parts.uri.to_string(), url, "what is sent stays");
    parts.headers
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-")
}

/// `get-vanilla` and `get-vanilla-with-session-token` of the published suite, whole.
#[test]
fn a_call_is_signed_as_published() {
    let url = "https://example.amazonaws.com/";
    let made = signed(&sigv4(""), &tokens(None), url, &[], Payload::Whole(b""));
    assert_eq!(
        text(&made, "authorization"),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    assert_eq!((text(&made, "x-amz-date"), made.len()), ("20150830T123600Z", 2));
    assert!(made["authorization"].is_sensitive());
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let made = signed(&sigv4(""), &tokens(Some(token)), url, &[], Payload::Whole(b""));
    assert!(text(&made, "authorization").ends_with(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, \
         Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    ));
    assert_eq!(text(&made, "x-amz-security-token"), token);
}

/// Whatever of a signature the caller brought goes; what says what is asked is signed, and nothing else.
#[test]
fn the_callers_own_signature_goes() {
    let own = [
        ("authorization", "AWS4-HMAC-SHA256 theirs"),
        ("x-amz-date", "19700101T000000Z"),
        ("x-amz-security-token", "theirs"),
        ("x-amz-content-sha256", "theirs"),
        ("x-amz-target", "Do.It"),
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("x-amzn-trace-id", "1"),
    ];
    let made = signed(&sigv4(""), &tokens(None), "https://x.example/", &own, Payload::Whole(b"{}"));
    assert!(
        text(&made, "authorization").contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,")
    );
    for gone in ["x-amz-security-token", "x-amz-content-sha256"] {
        assert_eq!(text(&made, gone), "-", "{gone}");
    }
    assert!(made.values().all(|value| !value.to_str().is_ok_and(|text| text.contains("theirs"))));
    assert_eq!(made.get_all("x-amz-date").iter().count(), 1);
    assert_eq!(text(&made, "accept"), "*/*");
}

/// Object storage wants the hash in a header; a body that is not signed says so there.
#[test]
fn the_bodys_hash_is_told_where_it_is_wanted() {
    let storage = sigv4("raw_paths = [\"service\"]");
    let made = signed(&storage, &tokens(None), "https://x.example/a//b", &[], Payload::Whole(b"x"));
    let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(text(&made, "x-amz-content-sha256"), hash);
    let open = signed(&storage, &tokens(None), "https://x.example/a//b", &[], Payload::Unsigned);
    assert_eq!(text(&open, "x-amz-content-sha256"), UNSIGNED);
    assert_ne!(text(&open, "authorization"), text(&made, "authorization"));
    let other = sigv4("services = { \"sts.x.example\" = \"sts\" }\nraw_paths = [\"service\"]");
    let made = signed(&other, &tokens(None), "https://sts.x.example/", &[], Payload::Whole(b""));
    assert!(text(&made, "authorization").contains("/us-east-1/sts/aws4_request,"));
    assert_eq!(text(&made, "x-amz-content-sha256"), "-");
}

#[test]
fn what_can_not_be_signed_is_told() {
    let fails = |table: &SigV4, held: &Tokens, url: &str| {
        let (mut parts, ()) = Request::get(url).body(()).expect("a request").into_parts();
        call(table, held, &mut parts, Payload::Whole(b""), NOW).expect_err("not signed").to_string()
    };
    let unknown = SigV4 { region: "{region}".to_owned(), ..sigv4("") };
    let wide = SigV4 { service: "a/b".to_owned(), ..sigv4("") };
    let empty = Tokens::of(Secret::new("x"), "AWS4");
    for (said, want) in [
        (fails(&unknown, &tokens(None), "https://x.example/"), "the region is missing"),
        (fails(&wide, &tokens(None), "https://x.example/"), "the service is missing"),
        (fails(&sigv4(""), &empty, "https://x.example/"), "the secret key is missing"),
        (fails(&sigv4(""), &tokens(None), "/path"), "the signed URL is not a usable URL"),
        (
            fails(&sigv4(""), &tokens(Some("a\nb")), "https://x.example/"),
            "the header `x-amz-security-token` can't be sent",
        ),
    ] {
        assert_eq!(said, want);
    }
}
