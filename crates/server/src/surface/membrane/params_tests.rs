//! Every way in which parameters come, and what is not taken for one.

use super::*;

fn read(query: &str, form: Option<&str>, json: Option<&str>) -> Result<Given> {
    let form = form.map(|text| (text.as_bytes(), false));
    Given::read(query, form.or(json.map(|text| (text.as_bytes(), true))))
}

fn encoded(payload: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
}

fn at<T>(result: &Result<T>) -> &'static str {
    match result {
        Err(Error::Invalid { field, .. }) => field,
        _ => panic!("it is not refused"),
    }
}

#[test]
fn each_transport_says_the_same() {
    let payload = r#"{"token":"t","integrationId":"i","connectionParameters":{"apiKey":"k"},"name":"N","redirectUri":"r"}"#;
    let quoted = serde_json::to_string(payload).expect("JSON");
    let query =
        "token=t&integrationId=i&connectionParameters=%7B%22apiKey%22%3A%22k%22%7D&name=N&redirectUri=r";
    let whole = format!(r#"{{"payload":{quoted}}}"#);
    let inside = format!(r#"{{"payload":{payload}}}"#);
    let form = encoded(payload);
    for (query, form, json) in [
        (query, None, None),
        (query, Some(""), None),
        ("", Some(query), None),
        ("", Some(form.as_str()), None),
        (form.as_str(), None, None),
        ("", None, Some(whole.as_str())),
        ("", None, Some(inside.as_str())),
        ("", None, Some(payload)),
        ("token=t&integrationId=x&name=other", Some(form.as_str()), None),
        ("unknown=1&unknown=2&name=other", None, Some(payload)),
    ] {
        let mut given = read(query, form, json).unwrap_or_else(|error| panic!("{query} {error}"));
        assert_eq!(given.token().unwrap().unwrap().expose(), "t");
        let back = given.back(None).unwrap();
        assert_eq!((back.redirect_uri.as_deref(), back.request), (Some("r"), None));
        let wish = given.wish().unwrap();
        assert_eq!((wish.integration.as_deref(), wish.name.as_deref()), (Some("i"), Some("N")));
        assert_eq!(wish.parameters["apiKey"].expose(), "k");
        assert_eq!((wish.connection, wish.option, wish.multiple), (None, None, false));
    }
}

#[test]
fn names_of_either_sdk_are_read() {
    let m = r#"{"input":{"a":"1"},"integrationKey":"k","connectionRequestId":"c","authOptionKey":"","allowMultipleConnections":true}"#;
    let mut given = read("", Some(&encoded(m)), None).unwrap();
    assert_eq!(given.back(Some("https://a.test".into())).unwrap().request.as_deref(), Some("c"));
    let wish = given.wish().unwrap();
    assert_eq!(
        (wish.integration.as_deref(), wish.option.as_deref(), wish.multiple),
        (Some("k"), Some(""), true)
    );
    assert_eq!(wish.parameters["a"].expose(), "1");
    let both = read("requestId=r&connectionRequestId=c", None, None).unwrap().back(None).unwrap();
    assert_eq!(both.request.as_deref(), Some("r"));
    for (text, flag) in
        [("true", true), ("1", true), ("yes", true), ("false", false), ("0", false), ("", false)]
    {
        let wish = read(&format!("allowMultipleConnections={text}"), None, None).unwrap().wish().unwrap();
        assert_eq!(wish.multiple, flag, "{text}");
    }
}

#[test]
fn what_can_not_be_read_is_refused_by_name_and_never_repeated() {
    for (query, form, json, field) in [
        ("token=a&token=a", None, None, "token"),
        ("redirectUri=a&redirectUr%69=b", None, None, "redirectUri"),
        ("name=%ff", None, None, "name"),
        ("name=%00", None, None, "name"),
        ("", Some("payload={}&payload={}"), None, "payload"),
        ("", Some("payload={"), None, "payload"),
        ("", Some("payload=[]"), None, "payload"),
        ("", Some("payload=%22x%22"), None, "payload"),
        ("", Some(r#"payload={"token":"a","token":"b"}"#), None, "payload"),
        ("", None, Some("{"), "payload"),
        ("", None, Some("[]"), "payload"),
        ("", None, Some(""), "payload"),
        ("", None, Some(r#"{"payload":7}"#), "payload"),
        ("", None, Some(r#"{"payload":"{"}"#), "payload"),
    ] {
        assert_eq!(at(&read(query, form, json)), field, "{query} {form:?} {json:?}");
    }
    let said = |text: &str| read("", None, Some(text)).unwrap();
    assert_eq!(at(&said(r#"{"token":7}"#).token()), "token");
    assert_eq!(at(&said(r#"{"redirectUri":["x"]}"#).back(None)), "redirectUri");
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(LONGEST + 1));
    for (text, field) in [
        (r#"{"integrationId":7}"#, "integrationId"),
        (r#"{"connectionId":{}}"#, "connectionId"),
        (r#"{"connectionParameters":"{"}"#, "connectionParameters"),
        (r#"{"connectionParameters":[]}"#, "connectionParameters"),
        (r#"{"connectionParameters":{"canary":7}}"#, "connectionParameters"),
        (r#"{"connectionParameters":{"canary":{"canary_value":1}}}"#, "connectionParameters"),
        (r#"{"connectorParameters":"canary_value"}"#, "connectorParameters"),
        (long.as_str(), "name"),
    ] {
        let refused = said(text).wish();
        let words = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(!words.contains("canary_value"), "{words}");
        assert_eq!(at(&refused), field, "{text}");
    }
    assert!(
        said(r#"{"name":null,"connectionParameters":null,"allowMultipleConnections":null}"#).wish().is_ok()
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(query in ".*", body in ".*", json: bool) {
        if let Ok(mut given) = Given::read(&query, Some((body.as_bytes(), json))) {
            let _ = given.token();
            let _ = given.back(None);
            let _ = given.wish();
        }
    }
}
