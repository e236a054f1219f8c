use super::*;

fn read(body: &str) -> Wanted {
    Wanted::read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn field(body: &str) -> &'static str {
    match Wanted::read(body.as_bytes()) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn the_least_is_a_url() {
    let wanted = read(r#"{"url":"/x"}"#);
    assert_eq!((wanted.method, wanted.url.as_str()), (Method::GET, "/x"));
    assert!(wanted.headers.is_empty() && wanted.data.is_empty());
    let wanted = read(r#" {"method":null,"url":"x","headers":null,"data":null,"params":null} "#);
    assert_eq!((wanted.method, wanted.url.as_str()), (Method::GET, "x"));
    assert!(wanted.headers.is_empty() && wanted.data.is_empty());
}

#[test]
fn methods_are_six_in_any_case() {
    for text in ["GET", "get", "Head", "post", "PUT", "pAtCh", "delete"] {
        let wanted = read(&format!(r#"{{"url":"x","method":"{text}"}}"#));
        assert_eq!(wanted.method.as_str(), text.to_ascii_uppercase());
    }
    for wrong in
        [r#""OPTIONS""#, r#""TRACE""#, r#""CONNECT""#, r#""""#, r#"" GET""#, r#""GET /x""#, "1", "{}"]
    {
        assert_eq!(field(&format!(r#"{{"url":"x","method":{wrong}}}"#)), "method", "{wrong}");
    }
}

#[test]
fn a_body_that_is_none_is_refused_by_name() {
    for (body, want) in [
        ("", "body"),
        ("[]", "body"),
        ("null", "body"),
        ("\"x\"", "body"),
        ("{", "body"),
        (r#"{"url":"x"} x"#, "body"),
        (r#"{"url":"x","uri":"y"}"#, "body"),
        (r#"{"url":"x","URL":"y"}"#, "body"),
        (r#"{"url":"x","url":"y"}"#, "body"),
        (r#"{"url":"x","data":nul}"#, "body"),
        ("{}", "url"),
        (r#"{"url":""}"#, "url"),
        (r#"{"url":null}"#, "url"),
        (r#"{"url":1}"#, "url"),
        (r#"{"url":["x"]}"#, "url"),
        (r#"{"url":"\ud800"}"#, "url"),
        (r#"{"url":"x","data":"\ud800"}"#, "data"),
        (r#"{"url":"x","headers":[]}"#, "headers"),
        (r#"{"url":"x","headers":"a: b"}"#, "headers"),
        (r#"{"url":"x","headers":{"a":["b"]}}"#, "headers"),
        (r#"{"url":"x","headers":{"a":{}}}"#, "headers"),
        (r#"{"url":"x","headers":{"":"b"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a b":"c"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a:b":"c"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a\r\nb":"c"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a":"b\r\nX-Admin: 1"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a":"b\nc"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a":"b\u0000"}}"#, "headers"),
        (r#"{"url":"x","headers":{"a":"b\u007f"}}"#, "headers"),
        (r#"{"url":"x","params":[]}"#, "params"),
        (r#"{"url":"x","params":"a=b"}"#, "params"),
        (r#"{"url":"x","params":{"a":{}}}"#, "params"),
        (r#"{"url":"x","params":{"a":{"b":1}}}"#, "params"),
        (r#"{"url":"x","params":{"a":[[1]]}}"#, "params"),
        (r#"{"url":"x","params":{"a":[{}]}}"#, "params"),
        (r#"{"url":"x","params":{"a":"\ud800"}}"#, "params"),
    ] {
        assert_eq!(field(body), want, "{body}");
    }
    assert!(Wanted::read(b"{\"url\":\"\xff\"}").is_err());
    let many: String = (0..=MOST_HEADERS).map(|n| format!(r#","x-{n}":1"#)).collect();
    assert_eq!(field(&format!(r#"{{"url":"x","headers":{{"x":1{many}}}}}"#)), "headers");
    let long = "x".repeat(MOST_HEADER_BYTES);
    assert_eq!(field(&format!(r#"{{"url":"x","headers":{{"x":"{long}"}}}}"#)), "headers");
}

#[test]
fn headers_are_texts_in_order() {
    let body = r#"{"url":"x","headers":{"X-A":"1","x-a":" 2","X-N":1e2,"X-T":true,"X-F":false,"X-0":null,"X-U":"\u00e9"}}"#;
    let wanted = read(body);
    let got: Vec<_> = wanted.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let want: [(&str, &[u8]); 6] = [
        ("x-a", b"1"),
        ("x-a", b" 2"),
        ("x-n", b"1e2"),
        ("x-t", b"true"),
        ("x-f", b"false"),
        ("x-u", "\u{e9}".as_bytes()),
    ];
    assert_eq!(got, want);
}

#[test]
fn data_goes_as_it_is_written() {
    let json = Some("application/json");
    for (data, body, kind) in [
        (r#"{"b": 1.50,"a":[ 1e2 ],"a":"\u00e9"}"#, r#"{"b": 1.50,"a":[ 1e2 ],"a":"\u00e9"}"#, json),
        ("[1, 2]", "[1, 2]", json),
        ("{}", "{}", json),
        ("12345678901234567890.10", "12345678901234567890.10", json),
        ("-0", "-0", json),
        ("true", "true", json),
        ("false", "false", json),
        (r#""a=b&c=\u00e9\n""#, "a=b&c=\u{e9}\n", None),
        (r#""""#, "", None),
        ("null", "", None),
    ] {
        let wanted = read(&format!(r#"{{"url":"x","data":  {data}  }}"#));
        assert_eq!(wanted.data, body.as_bytes(), "{data}");
        let found = wanted.headers.get(CONTENT_TYPE).map(|value| value.to_str().expect("text"));
        assert_eq!(found, kind, "{data}");
    }
    let wanted = read(r#"{"data":{},"url":"x","headers":{"content-type":"application/x.y+json"}}"#);
    assert_eq!(wanted.headers.get_all(CONTENT_TYPE).iter().collect::<Vec<_>>(), ["application/x.y+json"]);
    let wanted =
        read(r#"{"data":"a=b","url":"x","headers":{"Content-Type":"application/x-www-form-urlencoded"}}"#);
    assert_eq!(wanted.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
    let wanted = read(r#"{"data":[],"url":"x","headers":{"Content-Type":null}}"#);
    assert_eq!(wanted.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn parameters_join_the_query() {
    for (url, params, want) in [
        ("/x", r#"{"a":1,"b":"two words","c":true,"d":null,"e":""}"#, "/x?a=1&b=two%20words&c=true&e="),
        ("/x?q=%20+", r#"{"a":1.0}"#, "/x?q=%20+&a=1.0"),
        ("/x?", r#"{"a":1}"#, "/x?a=1"),
        ("/x?q&", r#"{"a":1}"#, "/x?q&a=1"),
        ("/x", r#"{"id":[1,"b",null,false],"none":[]}"#, "/x?id[]=1&id[]=b&id[]=false"),
        ("/x", r#"{"f":"id,name:$(a)!*'"}"#, "/x?f=id,name:$(a)!*'"),
        ("/x", r#"{"a&b=c":"d&e=f#g?h/i\\j%k+l"}"#, "/x?a%26b%3Dc=d%26e%3Df%23g%3Fh%2Fi%5Cj%25k%2Bl"),
        ("/x", r#"{"\r\nHost":"\r\nevil\u0000\u00e9"}"#, "/x?%0D%0AHost=%0D%0Aevil%00%C3%A9"),
        ("/x", "{}", "/x"),
    ] {
        assert_eq!(read(&format!(r#"{{"url":"{url}","params":{params}}}"#)).url, want, "{params}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _either_way = Wanted::read(text.as_bytes());
        let _either_way = Wanted::read(format!(r#"{{"url":{text}}}"#).as_bytes());
    }

    /// Whatever a parameter holds, it is one parameter.
    #[test]
    fn a_parameter_stays_one(name in ".*", value in ".*") {
        let body = serde_json::json!({ "url": "/x", "params": { name.clone(): value.clone() } });
        let url = Wanted::read(body.to_string().as_bytes()).expect("it is read").url;
        let (path, query) = url.split_once('?').expect("a query");
        proptest::prop_assert_eq!(path, "/x");
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        proptest::prop_assert_eq!(pairs, vec![(name, value)]);
    }
}
