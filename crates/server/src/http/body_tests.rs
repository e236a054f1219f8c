use serde_json::json;

use super::*;

fn fields(value: &Value) -> Fields {
    Fields::read(value.to_string().as_bytes(), Casing::Both).expect("an object")
}

/// Where a reader found fault, and what it said.
fn fault<T>(read: Result<T>) -> (&'static str, String) {
    match read {
        Err(Error::Invalid { field, message }) => (field, message),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing is wrong"),
    }
}

#[test]
fn only_an_object_is_a_body() {
    for body in ["", " ", "null", "[]", "[{}]", "\"x\"", "1", "{", "{}x", "\u{feff}{}"] {
        assert_eq!(fault(Fields::read(body.as_bytes(), Casing::Both)).0, "body", "{body}");
    }
    assert_eq!(fault(Fields::read(b"\xff", Casing::Both)).0, "body");
    for twice in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":3}"#] {
        assert_eq!(fault(Fields::read(twice.as_bytes(), Casing::Exact)).0, "body", "{twice}");
    }
    assert!(Fields::maybe(b"", Casing::Both).is_ok() && Fields::maybe(b"{}", Casing::Exact).is_ok());
    assert_eq!(fault(Fields::maybe(b" ", Casing::Both)).0, "body");
}

#[test]
fn a_field_has_two_casings_and_comes_once() {
    for name in ["a_b", "aB"] {
        assert_eq!(fields(&json!({ name: "x" })).text("a_b").expect("a text"), Some("x".to_owned()));
        assert_eq!(fields(&json!({ name: null })).text("a_b").expect("nothing"), None);
    }
    assert_eq!(fault(fields(&json!({ "a_b": "x", "aB": "x" })).text("a_b")).0, "a_b");
    assert_eq!(fault(fields(&json!({ "a_b": null, "aB": null })).text("a_b")).0, "a_b");
    let mut tokens = fields(&json!({ "accessToken": "x", "authToken": "y" }));
    assert_eq!(fault(tokens.secret("auth_token", &["auth_token", "access_token"])).0, "auth_token");
}

#[test]
fn an_exact_name_has_one_spelling() {
    let exact = |value: &Value| Fields::read(value.to_string().as_bytes(), Casing::Exact).expect("an object");
    assert_eq!(exact(&json!({ "clientId": "x" })).text("clientId").expect("a text"), Some("x".to_owned()));
    for other in ["client_id", "clientid", "ClientId"] {
        let mut body = exact(&json!({ other: "x" }));
        body.ignore(&["clientId"]);
        assert_eq!(body.text("clientId").expect("nothing"), None);
        assert_eq!(fault(body.done()).0, "body", "{other}");
    }
}

#[test]
fn what_is_left_out_is_not_what_is_null() {
    let change = |value: Value| fields(&value).change("a_b", Fields::text).expect("a change");
    assert_eq!(change(json!({})), None);
    assert_eq!(change(json!({ "aB": null })), Some(None));
    assert_eq!(change(json!({ "a_b": "x" })), Some(Some("x".to_owned())));
    assert_eq!(fault(fields(&json!({ "a_b": 1 })).change("a_b", Fields::text)).0, "a_b");
}

#[test]
fn an_object_inside_a_body_is_read_like_one() {
    let mut body = fields(&json!({ "key": { "in": "header", "odd": 1 }, "no": null, "list": [] }));
    let mut key = body.within("key").expect("an object").expect("it is there");
    assert_eq!(key.need("in").expect("a text"), "header");
    assert_eq!(fault(key.done_at("key")), ("key", "Unknown field \"odd\"".to_owned()));
    assert!(
        body.within("no").expect("nothing").is_none() && body.within("absent").expect("nothing").is_none()
    );
    assert_eq!(fault(body.within("list")).0, "list");
}

#[test]
fn each_type_is_asked_for() {
    let odd =
        [json!(1), json!(true), json!("x"), json!([]), json!({}), json!(-1), json!([1]), json!({ "x": 1 })];
    for value in odd {
        let body = json!({ "f": value });
        let read = || fields(&body);
        assert_eq!(read().text("f").is_ok(), value.is_string(), "{value}");
        assert_eq!(read().flag("f").is_ok(), value.is_boolean(), "{value}");
        assert_eq!(read().seconds("f", Duration::from_secs(10)).is_ok(), value == json!(1), "{value}");
        assert_eq!(read().texts("f").is_ok(), value == json!([]), "{value}");
        assert_eq!(read().pairs("f").is_ok(), value == json!({}), "{value}");
    }
    let most = u64::from(u32::MAX);
    for (value, want) in [(json!(0), 0), (json!(3600.9), 3600), (json!(most), most), (json!(1e3), 1000)] {
        let got = fields(&json!({ "f": value }))
            .seconds("f", Duration::from_secs(u32::MAX.into()))
            .expect("a number");
        assert_eq!(got, Some(Duration::from_secs(want)), "{value}");
    }
    for value in [json!(-0.5), json!(most + 1), json!(1e300), json!(-1e300), json!(u64::MAX), json!("60")] {
        assert_eq!(
            fault(fields(&json!({ "f": value })).seconds("f", Duration::from_secs(u32::MAX.into()))).0,
            "f",
            "{value}"
        );
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let long = "a".repeat(LONGEST + 1);
    for value in [json!(long), json!("a\0b")] {
        assert_eq!(fault(fields(&json!({ "f": value })).text("f")).0, "f");
        assert_eq!(fault(fields(&json!({ "f": [value] })).texts("f")).0, "f");
        assert_eq!(fault(fields(&json!({ "f": { "x": value } })).pairs("f")).0, "f");
    }
    assert_eq!(fault(fields(&json!({ "f": { "a\0b": "x" } })).pairs("f")).0, "f");
    assert_eq!(fault(fields(&json!({ "f": vec!["x"; MOST + 1] })).texts("f")).0, "f");
    let many: BTreeMap<_, _> = (0..=MOST).map(|n| (n.to_string(), "x")).collect();
    assert_eq!(fault(fields(&json!({ "f": many })).pairs("f")).0, "f");
    let token = "a".repeat(LONGEST_SECRET);
    assert!(fields(&json!({ "f": token })).secret("f", &["f"]).is_ok());
    assert_eq!(fault(fields(&json!({ "f": format!("{token}a") })).secret("f", &["f"])).0, "f");
    assert_eq!(fault(fields(&json!({ "f": "" })).secret("f", &["f"])).0, "f");
}

#[test]
fn a_field_that_nobody_takes_is_named_and_its_value_is_not() {
    let mut body = fields(&json!({ "f": "x", "strange": "canary", "createdAt": 1, "created_at": 2 }));
    body.text("f").expect("a text");
    body.ignore(&["created_at"]);
    let (field, message) = fault(body.done());
    assert_eq!((field, message.as_str()), ("body", "Unknown field \"strange\""));
    let (_, message) = fault(fields(&json!({ "x".repeat(500): 1 })).done());
    assert!(message.len() < 100, "{message}");
    assert!(fields(&json!({})).done().is_ok());
}
