//! The API, endpoint by endpoint as its document has them: odd parameters, paths and bodies.

use super::*;

/// Values that no parameter of ours takes as it is, percent-encoded.
pub const ODD_PARAMETERS: [&str; 23] = [
    "",
    "0",
    "-1",
    "+5",
    "%205",
    "101",
    "1.0",
    "1e3",
    "0x10",
    "ten",
    "true",
    "null",
    "[]",
    "{}",
    "%00",
    "%ff",
    "%e2%9c",
    "%ed%a0%80",
    "canary%3Cscript%3E",
    "'%20or%201=1%20--",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
];

/// What may stand in a path and names nothing.
pub const ODD_PATHS: [&str; 16] = [
    "x",
    "%00",
    "%ff",
    "%e2%9c",
    "%2e%2e",
    "%2F",
    "..%2f..%2fetc%2fpasswd",
    "%3Cscript%3E",
    "null",
    "0",
    "conn_",
    "wh_00000000000000000000000000000000",
    "conn_00000000000000000000000000000000",
    "dlv_00000000000000000000000000000000",
    "'%20or%201=1%20--",
    "{{7*7}}",
];

/// Bodies that are wrong whatever is asked for, and right ones with one of these fields made odd.
pub fn odd_bodies(good: &Value, fields: &[String]) -> Vec<Bytes> {
    let mut all: Vec<Bytes> =
        ["", " ", "{", "null", "true", "1", "\"x\"", "[]", "[{}]", "{}x", "{'a':1}", "a=b", "\0"]
            .map(|text| Bytes::from_static(text.as_bytes()))
            .to_vec();
    all.push(Bytes::from_static(b"\xff\xfe"));
    all.push(Bytes::from("[".repeat(10_000)));
    all.push(Bytes::from("{\"a\":".repeat(5_000)));
    all.push(Bytes::from(vec![b'a'; 100_000]));
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("\0"),
        json!("canary\u{2028}<script>"),
        json!("a".repeat(40_000)),
        json!([]),
        json!([[]]),
        json!([null]),
        json!({}),
        json!({ "": "" }),
        json!({ "a\0": { "b": [] } }),
    ];
    for field in fields {
        for value in &odd {
            let mut body = good.clone();
            body[field] = value.clone();
            all.push(body.to_string().into());
        }
    }
    all
}

/// A field's name in the other casing, where it has another.
fn other_casing(name: &str) -> String {
    let mut out = String::new();
    for (at, part) in name.split('_').enumerate() {
        let first = part.chars().next().map(|c| if at == 0 { c } else { c.to_ascii_uppercase() });
        out.extend(first.into_iter().chain(part.chars().skip(1)));
    }
    if out != name {
        return out;
    }
    name.chars()
        .flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]))
        .collect()
}

/// Asserts that an answer of the API is fine or a refusal in the door's shape.
fn assert_in_shape(answer: &Answer, at: &str) {
    assert!(!answer.status.is_server_error() && answer.status != 401, "{at}: {}", answer.status);
    assert!(!answer.status.is_redirection(), "{at}: {}", answer.status);
    if answer.status == 204 {
        return;
    }
    assert_eq!(answer.header("content-type"), Some("application/json"), "{at}");
    let said = answer.json();
    if answer.status.is_client_error() {
        let shape = said["errors"].is_object() || said["code"].is_string() && said["message"].is_string();
        assert!(shape, "{at}: {said}");
        // A URL that is refused is quoted, without what could be secret in it.
        let quoted = said["errors"]["url"].is_array();
        assert!(quoted || !answer.text().contains("canary"), "{at}: {said}");
    }
}

/// Every endpoint of the API as the document has it, with a request that is right; what ends something comes last.
async fn every_endpoint(app: &TestApp) -> Vec<(Operation, Place)> {
    let done = Browser::new().connect(app, &app.acme, &[]).await;
    let connection = value(&done.redirect().1, "connection_id").to_owned();
    let hook = json!({ "name": "h", "url": "https://h.test/", "events": ["connection.created"] });
    let made = ask(app, &app.acme.key, Method::POST, "/v1/webhooks", Some(&hook)).await.json();
    let hook = made["id"].as_str().unwrap();
    Browser::new().connect(app, &app.acme, &[]).await;
    let path = format!("/v1/webhooks/{hook}/deliveries");
    let listed = ask(app, &app.acme.key, Method::GET, &path, None).await.json();
    let mut places = everywhere(&connection, "sandbox", hook, listed[0]["id"].as_str().unwrap());
    let exchange = json!({ "code": "c", "redirect_uri": CB });
    let (method, path) = (Method::POST, "/connection".to_owned());
    places.push(Place { method, path, body: Some(exchange), writes: true });
    let mut all = Vec::new();
    // `/authorize` is a browser's, and answers with pages.
    for one in operations().into_iter().filter(|one| one.path != "/authorize") {
        let place = places.iter().position(|place| one.is(&place.method, &place.path));
        let place = place.unwrap_or_else(|| panic!("{} {} is tried nowhere", one.method, one.path));
        all.push((one, places.remove(place)));
    }
    all.sort_by_key(|(one, _)| (one.method == Method::DELETE, std::cmp::Reverse(one.path.len())));
    all
}

async fn send(app: &TestApp, method: &Method, path: &str, body: Bytes) -> Answer {
    let request = http::Request::builder().method(method.clone()).uri(format!("{}{path}", app.origin));
    let request = request.header("authorization", format!("Bearer {}", app.acme.key));
    Browser::new().send(request, body).await
}

#[tokio::test]
async fn no_body_makes_the_api_fail() {
    on_each(async |app| {
        let all = every_endpoint(app).await;
        let asked: usize = all.iter().map(|(one, _)| one.fields.len()).sum();
        assert!(asked > 20, "the document names fields: {asked}");
        for (one, place) in all {
            let strange = ["nosuch", "", "id"].map(str::to_owned);
            let twins: Vec<_> = one.fields.iter().map(|field| other_casing(field)).collect();
            let fields: Vec<_> = one.fields.iter().cloned().chain(twins).chain(strange).collect();
            let good = place.body.clone().unwrap_or_else(|| json!({}));
            for body in odd_bodies(&good, &fields) {
                let answer = send(app, &one.method, &place.path, body.clone()).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                assert_in_shape(&answer, &format!("{} {} {shown}", one.method, place.path));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_parameter_makes_the_api_fail() {
    on_each(async |app| {
        let long = "a".repeat(5000);
        let mut refused = 0;
        for (one, place) in every_endpoint(app).await {
            let strange = ["nosuch", "", "%ff"].map(str::to_owned);
            for name in one.query.iter().chain(&strange) {
                for text in ODD_PARAMETERS.iter().copied().chain([long.as_str()]) {
                    // Where something is changed, parameters mean nothing: a few will do, and none where it ends.
                    let few = ["", "%00", "%ff"].contains(&text) && one.method != Method::DELETE;
                    if !one.method.is_safe() && !few {
                        continue;
                    }
                    let twice = format!("{name}={text}&{name}=1");
                    let means = one.query.contains(name);
                    for query in [format!("{name}={text}")].into_iter().chain(means.then_some(twice)) {
                        let at = format!("{} {}?{query}", one.method, place.path);
                        let body =
                            place.body.as_ref().map(|body| body.to_string().into()).unwrap_or_default();
                        let answer = send(app, &one.method, &format!("{}?{query}", place.path), body).await;
                        assert_in_shape(&answer, &at);
                        // Where it means something, it is refused by its name.
                        if answer.status == 400 && one.method == Method::GET {
                            refused += 1;
                            assert!(
                                answer.json()["errors"].get(name.as_str()).is_some(),
                                "{at}: {}",
                                answer.text()
                            );
                        }
                    }
                }
            }
        }
        assert!(refused > 200, "they are looked at: {refused}");
    })
    .await;
}

#[tokio::test]
async fn no_path_makes_the_api_fail() {
    on_each(async |app| {
        let long = "a".repeat(5000);
        for (one, place) in every_endpoint(app).await {
            let places: Vec<_> =
                one.path.split('/').enumerate().filter(|(_, part)| part.starts_with('{')).collect();
            for (nth, _) in places {
                for text in ODD_PATHS.iter().copied().chain([long.as_str()]) {
                    let mut parts: Vec<_> = place.path.split('/').collect();
                    parts[nth] = text;
                    let path = parts.join("/");
                    let body = place.body.as_ref().map(|body| body.to_string().into()).unwrap_or_default();
                    let answer = send(app, &one.method, &path, body).await;
                    assert_in_shape(&answer, &format!("{} {path}", one.method));
                    assert_eq!(answer.status, 404, "{} {path}", one.method);
                    assert!(!answer.text().contains("<script>"), "{}", answer.text());
                }
            }
        }
    })
    .await;
}
