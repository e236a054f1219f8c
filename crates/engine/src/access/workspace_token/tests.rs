use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn claims(claims: &Value) -> Option<Claims> {
    let text = format!("{}.{}.c2ln", encode(&json!({ "alg": "HS256" })), encode(claims));
    Token::split(&text)?.claims()
}

/// Whom claims speak for.
fn who(mut written: Value) -> String {
    written["iss"] = "ws".into();
    match claims(&written).map(|read| read.who) {
        None => "refused".to_owned(),
        Some(For::Admin) => "admin".to_owned(),
        Some(For::Workspace) => "workspace".to_owned(),
        Some(For::Customer(told)) => told.key,
    }
}

#[test]
fn both_generations_of_claims_are_read() {
    for (written, want) in [
        (json!({ "iss": "ws" }), Some("ws")),
        (json!({ "workspaceKey": "ws" }), Some("ws")),
        (json!({ "workspaceKey": "ws", "iss": "https://id.example" }), Some("ws")),
        (json!({ "workspaceKey": "ws", "iss": 7 }), Some("ws")),
        (json!({}), None),
        (json!({ "iss": 7 }), None),
        (json!({ "workspaceKey": 7 }), None),
        (json!([]), None),
    ] {
        assert_eq!(claims(&written).map(|read| read.workspace).as_deref(), want, "{written}");
    }
    assert_eq!(who(json!({ "id": "a" })), "a");
    assert_eq!(who(json!({ "tenantKey": "a" })), "a");
    assert_eq!(who(json!({ "id": "a", "tenantKey": "a" })), "a");
    assert_eq!(who(json!({ "id": null, "tenantKey": "a" })), "a");
    assert_eq!(who(json!({ "id": "a", "sub": "b" })), "a");
    assert_eq!(who(json!({ "id": 4711 })), "4711");
    assert_eq!(who(json!({ "id": "ü".repeat(512) })), "ü".repeat(512));
    for wrong in [
        json!({ "id": "a", "tenantKey": "b" }),
        json!({ "id": "" }),
        json!({ "sub": "a" }),
        json!({ "id": "", "isAdmin": true }),
        json!({ "id": "a\u{0}" }),
        json!({ "id": "a\nb" }),
        json!({ "id": "a".repeat(513) }),
        json!({ "id": 1.5 }),
        json!({ "id": true }),
        json!({ "id": ["a"] }),
        json!({ "id": {} }),
    ] {
        assert_eq!(who(wrong.clone()), "refused", "{wrong}");
    }
}

#[test]
fn an_admin_says_so_plainly_and_is_no_customer() {
    for yes in [json!(true), json!(1), json!("1"), json!("true")] {
        assert_eq!(who(json!({ "isAdmin": yes })), "admin", "{yes}");
        assert_eq!(who(json!({ "isAdmin": yes, "id": "a" })), "a", "{yes}");
        assert_eq!(who(json!({ "isAdmin": yes, "tenantKey": "a" })), "a", "{yes}");
    }
    for no in [
        json!(false),
        json!(0),
        json!(2),
        json!(1.0),
        json!("0"),
        json!("false"),
        json!("TRUE"),
        json!("yes"),
        json!(""),
        json!(null),
        json!([true]),
        json!({}),
    ] {
        assert_eq!(who(json!({ "isAdmin": no })), "workspace", "{no}");
    }
}

#[test]
fn what_is_told_of_a_customer_is_read_loosely() {
    let told = |written: Value| match claims(&written).map(|read| read.who) {
        Some(For::Customer(told)) => (told.name, told.fields.map(Value::Object)),
        _ => panic!("a customer: {written}"),
    };
    let with =
        |name: Value, fields: Value| told(json!({ "iss": "ws", "id": "a", "name": name, "fields": fields }));
    let fields = json!({ "plan": "pro", "seats": [1, 2] });
    assert_eq!(with(json!(" Ada\nL "), fields.clone()), (Some("AdaL".to_owned()), Some(fields)));
    assert_eq!(with(json!("x".repeat(600)), json!({})).0.map(|name| name.len()), Some(512));
    for (name, fields) in [(json!(""), json!("x")), (json!(7), json!([])), (json!(null), json!(null))] {
        assert_eq!(with(name, fields), (None, None));
    }
}

#[test]
fn a_token_is_three_parts_and_wants_nothing_understood() {
    let header = |value: &Value| {
        let text = format!("{}.{}.c2ln", encode(value), encode(&json!({})));
        Token::split(&text).and_then(|token| token.header()).map(|header| header.alg)
    };
    assert_eq!(
        header(&json!({ "alg": "none", "typ": "JWT", "jku": "https://x.test" })).as_deref(),
        Some("none")
    );
    for wrong in [
        json!({}),
        json!({ "alg": 1 }),
        json!([]),
        json!({ "alg": "HS256", "crit": ["b64"] }),
        json!({ "alg": "HS256", "crit": [] }),
        json!({ "alg": "HS256", "kid": 1 }),
    ] {
        assert_eq!(header(&wrong), None, "{wrong}");
    }
    let good = format!("{}.{}.c2ln", encode(&json!({ "alg": "HS256" })), encode(&json!({ "iss": "ws" })));
    assert!(Token::split(&good).is_some());
    for wrong in ["", ".", "..", "a.b", "a.b.c.d", "a..c", "ä.b.c"] {
        let read = Token::split(wrong).and_then(|token| token.header());
        assert!(read.is_none(), "{wrong}");
    }
    assert!(Token::split(&format!("{good}=")).is_none(), "no padding");
    assert!(Token::split(&format!(" {good}")).is_none());
    let twice = BASE64_URL_SAFE_NO_PAD.encode(r#"{"iss":"a","iss":"b"}"#);
    let twice = format!("{}.{twice}.c2ln", encode(&json!({ "alg": "HS256" })));
    assert!(Token::split(&twice).unwrap().claims().is_none(), "a claim that comes twice");
}

#[test]
fn a_token_is_good_from_a_minute_before_its_time_to_a_minute_after() {
    let at = |written: Value, rules: &Jwt| {
        let mut written = written;
        written["iss"] = "ws".into();
        claims(&written).map_or("unread", |read| match time(&read, rules, Millis(1_000_000_500)) {
            Time::Good => "good",
            Time::Over => "over",
            Time::Wrong => "wrong",
        })
    };
    let strict = Jwt::default();
    let lax = Jwt { allow_without_exp: true, ..strict };
    // It is 1,000,000.5.
    for (written, want) in [
        (json!({ "exp": 1_000_000 }), "good"),
        (json!({ "exp": 999_941 }), "good"),
        (json!({ "exp": 999_940 }), "over"),
        (json!({ "exp": 999_940.75 }), "good"),
        (json!({ "exp": 0 }), "over"),
        (json!({ "exp": -5 }), "over"),
        (json!({ "exp": 1e300 }), "good"),
        (json!({ "exp": "1000000" }), "unread"),
        (json!({ "exp": true }), "unread"),
        (json!({ "exp": 2_000_000, "nbf": 1_000_060 }), "good"),
        (json!({ "exp": 2_000_000, "nbf": 1_000_061 }), "wrong"),
        (json!({ "exp": 2_000_000, "iat": 1_000_061 }), "wrong"),
        (json!({ "exp": 5, "nbf": 1_000_061 }), "wrong"),
        (json!({ "exp": 2_000_000, "iat": 5, "nbf": 5 }), "good"),
        (json!({}), "wrong"),
        (json!({ "exp": null }), "wrong"),
    ] {
        assert_eq!(at(written.clone(), &strict), want, "{written}");
    }
    assert_eq!(at(json!({}), &lax), "good");
    assert_eq!(at(json!({ "exp": 5 }), &lax), "over");
}
