//! Bad input, by class and by place: every answer is a clear refusal of the right shape, none is a 5xx of ours,
//! and nothing that came in goes out as markup.

mod api;

use bytes::Bytes;
use claviger_engine::domain::workspace::Completion;
use http::Method;
use serde_json::{Value, json};

pub use self::api::{ODD_PARAMETERS, ODD_PATHS, odd_bodies};
use crate::{
    management::{Place, ask, everywhere},
    openapi::{Operation, operations},
    support::{Answer, Browser, CB, Stub, TestApp, on_each, raw, value},
};

/// Ways in which one parameter of a query or form can be wrong, as `name=value` text.
fn wrong(name: &str, good: &str) -> Vec<(&'static str, String)> {
    vec![
        ("missing", String::new()),
        ("empty", format!("{name}=")),
        ("without a value", name.to_owned()),
        ("twice", format!("{name}={good}&{name}={good}")),
        ("twice, once encoded", format!("{name}={good}&%{:02x}{}={good}", name.as_bytes()[0], &name[1..])),
        ("twice, once empty", format!("{name}={good}&{name}=")),
        ("oversized", format!("{name}={}", "a".repeat(4097))),
        ("NUL", format!("{name}={good}%00")),
        ("NUL alone", format!("{name}=%00")),
        ("invalid UTF-8", format!("{name}=%ff")),
        ("truncated UTF-8", format!("{name}={good}%e2%9c")),
        ("overlong UTF-8", format!("{name}=%c0%af")),
        ("surrogate", format!("{name}=%ed%a0%80")),
        ("array", format!("{name}[]={good}")),
        ("other case", format!("{}={good}", name.to_uppercase())),
    ]
}

/// A query with one parameter said otherwise.
fn query(pairs: &[(&str, &str)], name: &str, text: &str) -> String {
    let rest =
        pairs.iter().filter(|(known, _)| *known != name).map(|(known, value)| format!("{known}={value}"));
    rest.chain([text.to_owned()]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn each_wrong_parameter_of_authorize_is_named_on_a_page() {
    on_each(async |app| {
        let integration = app.acme.integration.to_string();
        let required = [
            ("client_id", app.acme.client_id.as_str()),
            ("integration_id", integration.as_str()),
            ("redirect_uri", "https://app.test/cb"),
        ];
        let browser = Browser::new();
        for (name, good) in required {
            for (class, text) in wrong(name, good) {
                let answer =
                    browser.get(&format!("{}/authorize?{}", app.origin, query(&required, name, &text))).await;
                assert_eq!(answer.status, 400, "{name} {class}: {}", answer.text());
                answer.assert_page(400, name);
            }
        }
        // Optional ones are refused when wrong and left out when absent.
        for name in ["external_id", "state"] {
            for (class, text) in wrong(name, "u") {
                let url = format!("{}/authorize?{}", app.origin, query(&required, name, &text));
                let answer = browser.get(&url).await;
                let absent = ["missing", "empty", "without a value", "array", "other case"].contains(&class);
                // State goes back as the bytes it came in, whatever they decode to.
                let bytes = name == "state" && (class.contains("UTF-8") || class == "surrogate");
                if absent || bytes {
                    assert_eq!(answer.status, 302, "{name} {class}: {}", answer.text());
                } else {
                    answer.assert_page(400, name);
                }
            }
        }
        let long = "a".repeat(513);
        browser
            .get(&app.authorize_url(&app.acme, &[("external_id", &long)]))
            .await
            .assert_page(400, "external_id");
        let most = "a".repeat(512);
        assert_eq!(browser.get(&app.authorize_url(&app.acme, &[("external_id", &most)])).await.status, 302);
    })
    .await;
}

#[tokio::test]
async fn unknown_names_get_a_page_that_does_not_repeat_them() {
    on_each(async |app| {
        let browser = Browser::new();
        let markup = "\"><script>alert(1)</script>";
        for (name, value) in [
            ("client_id", "nosuch"),
            ("client_id", markup),
            ("integration_id", "nosuch"),
            ("integration_id", "int_00000000000000000000000000000000"),
            ("integration_id", "' or 1=1 --"),
            ("integration_id", markup),
        ] {
            let answer = browser.get(&app.authorize_url(&app.acme, &[(name, value)])).await;
            answer.assert_page(400, name);
            assert!(!answer.text().contains(value), "{name}={value} is not echoed");
        }
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

#[tokio::test]
async fn unknown_parameters_are_let_pass() {
    on_each(async |app| {
        let url = format!(
            "{}&utm_source=x&utm_source=y&scope=all&%ff=%00&a[]=1&&=&",
            app.authorize_url(&app.acme, &[])
        );
        let answer = Browser::new().get(&url).await;
        assert_eq!(answer.status, 302, "{}", answer.text());
        assert!(!answer.location().contains("utm_source") && answer.location().contains("scope=read"));
    })
    .await;
}

#[tokio::test]
async fn raw_bytes_in_a_request_line_never_break_us() {
    on_each(async |app| {
        let path = app.authorize_url(&app.acme, &[]).strip_prefix(&app.origin).unwrap().to_owned();
        let head = "HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        for bytes in [&b"\xc3\xa9"[..], b"\xff", b"\x80\x81", b"{}|^`\"", b"\x7f", b"\xe2\x80\xae"] {
            for name in ["state", "external_id", "integration_id", "redirect_uri"] {
                let mut request = format!("GET {path}&x=1&{name}=").into_bytes();
                request.extend_from_slice(bytes);
                request.extend_from_slice(format!(" {head}").as_bytes());
                let answer = raw(&app.origin, &request).await;
                let fine = answer.status == 302 || answer.status.is_client_error();
                assert!(fine, "{name} {bytes:?}: {}", answer.status);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_state_of_raw_bytes_comes_back_as_it_came() {
    on_each(async |app| {
        for state in [&b"caf\xc3\xa9"[..], b"\xe2\x9c\x93", b"{\"a\":\"b\"}"] {
            let path = app.authorize_url(&app.acme, &[]).strip_prefix(&app.origin).unwrap().to_owned();
            let mut request = format!("GET {path}&state=").into_bytes();
            request.extend_from_slice(state);
            request.extend_from_slice(b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
            let began = raw(&app.origin, &request).await;
            if began.status.is_client_error() {
                continue;
            }
            let cookie = began.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            let leg = crate::support::Leg::of(began.location());
            let back = Browser::new().consent(&leg, "alice", "allow").await;
            let request = http::Request::builder().uri(&back).header("cookie", cookie);
            let done = Browser::new().send(request, Bytes::new()).await;
            assert_eq!(done.status, 302, "{state:?}");
            let location = done.headers["location"].as_bytes();
            assert!(location.ends_with(&[b"&state=", state].concat()), "{location:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_wrong_body_of_the_exchange_is_an_error_of_the_right_shape() {
    on_each(async |app| {
        let key = &app.acme.key;
        let long = "a".repeat(4097);
        for (body, field) in [
            ("", "body"),
            (" ", "body"),
            ("{", "body"),
            ("null", "body"),
            ("true", "body"),
            ("1", "body"),
            ("\"code\"", "body"),
            ("[]", "body"),
            ("[{\"code\":\"c\"}]", "body"),
            ("{\"code\":\"c\"}trailing", "body"),
            ("{\"code\":'c'}", "body"),
            ("code=c&redirect_uri=https%3A%2F%2Fapp.test%2Fcb", "body"),
            ("\u{feff}{}", "body"),
            ("{}", "code"),
            ("{\"code\":null,\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":\"c\"}", "redirect_uri"),
            ("{\"code\":\"c\",\"redirect_uri\":null}", "redirect_uri"),
            ("{\"code\":1,\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":true,\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":{},\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":[\"c\"],\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":\"\",\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":\"a\\u0000b\",\"redirect_uri\":\"x\"}", "code"),
            ("{\"code\":\"c\",\"redirect_uri\":[\"x\"]}", "redirect_uri"),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"redirectUri\":\"x\"}", "redirect_uri"),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"external_id\":1}", "external_id"),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"external_id\":[\"u\"]}", "external_id"),
            (
                "{\"code\":\"c\",\"redirect_uri\":\"x\",\"external_id\":\"u\",\"externalId\":\"u\"}",
                "external_id",
            ),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"extra\":1}", "body"),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"<script>\":1}", "body"),
            ("{\"code\":\"c\",\"redirect_uri\":\"x\",\"client_id\":\"x\"}", "body"),
            ("{\"code\":\"nosuch\",\"redirect_uri\":\"x\"}", "code"),
        ] {
            let answer = app.exchange_bytes(key, Bytes::copy_from_slice(body.as_bytes())).await;
            assert_eq!(answer.header("content-type"), Some("application/json"), "{body}");
            assert_eq!(answer.status, 400, "{body}: {}", answer.text());
            let said = answer.json();
            let fields = said["errors"].as_object().unwrap_or_else(|| panic!("{body}: {said}"));
            assert_eq!(fields.keys().collect::<Vec<_>>(), [field], "{body}: {said}");
        }
        for name in ["code", "redirect_uri", "external_id"] {
            let mut body = json!({ "code": "c", "redirect_uri": CB });
            body[name] = json!(long);
            app.exchange(key, &body).await.assert_field(name);
        }
        for bytes in [&b"\xff\xfe"[..], b"{\"code\":\"\xff\",\"redirect_uri\":\"x\"}", b"\0"] {
            app.exchange_bytes(key, Bytes::copy_from_slice(bytes)).await.assert_field("body");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        app.exchange_bytes(key, deep.into()).await.assert_field("body");
        let huge = format!("{{\"code\":\"{}\"}}", "a".repeat(100_000));
        let answer = app.exchange_bytes(key, huge.into()).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
        answer.assert_problem(413, "payload_too_large");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_authorization_header_is_401() {
    on_each(async |app| {
        let key = &app.acme.key;
        let body = json!({ "code": "c", "redirect_uri": CB }).to_string();
        let scrambled: String = key.chars().rev().collect();
        for lines in [
            vec![],
            vec![String::new()],
            vec!["Bearer".to_owned()],
            vec!["Bearer ".to_owned()],
            vec![key.clone()],
            vec![format!("Basic {key}")],
            vec![format!("Token {key}")],
            vec![format!("Bearer {key}x")],
            vec![format!("Bearer {}", &key[..key.len() - 1])],
            vec![format!("Bearer {}", key.to_uppercase())],
            vec![format!("Bearer {scrambled}")],
            vec![format!("Bearer {key}.conn_00000000000000000000000000000000")],
            vec![format!("Bearer \"{key}\"")],
            vec![format!("Bearer {key},{key}")],
            vec![format!("Bearer {key}"), format!("Bearer {key}")],
            vec![format!("Bearer {}", "a".repeat(5000))],
            vec!["Bearer \u{e9}".to_owned()],
        ] {
            for (method, url) in [
                (Method::POST, format!("{}/connection", app.origin)),
                (Method::GET, format!("{}/v1/connections/", app.origin)),
                (Method::POST, format!("{}/v1/webhooks", app.origin)),
                (Method::GET, format!("{}/me", app.proxy)),
            ] {
                let mut request = http::Request::builder().method(method).uri(&url);
                request = request.header("content-type", "application/json");
                request = request.header("bu-connection-id", "conn_00000000000000000000000000000000");
                for line in &lines {
                    request = request
                        .header("authorization", http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
                }
                let answer = Browser::new().send(request, body.clone().into()).await;
                answer.assert_problem(401, "unauthorized");
                assert!(!answer.text().contains(key.as_str()), "the key is not echoed");
            }
        }
        let request = http::Request::builder().method(Method::POST).uri(format!("{}/connection", app.origin));
        let request = request.header("authorization", format!("bearer {key}"));
        Browser::new().send(request, body.into()).await.assert_field("code");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_header_of_a_proxied_call_is_refused_before_the_provider_hears_of_it() {
    on_each(async |app| {
        let done = Browser::new().connect(app, &app.acme, &[]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let other = id.replace("conn_", "int_");
        let cases: Vec<(Vec<String>, &str)> = vec![
            (vec![], "connection_missing"),
            (vec![String::new()], "connection_invalid"),
            (vec!["nosuch".to_owned()], "connection_invalid"),
            (vec!["conn_00000000000000000000000000000000".to_owned()], "connection_invalid"),
            (vec![id.to_uppercase()], "connection_invalid"),
            (vec![format!("{id}0")], "connection_invalid"),
            (vec![format!("{id},{id}")], "connection_invalid"),
            (vec![format!("{id}/../x")], "connection_invalid"),
            (vec![other], "connection_invalid"),
            (vec!["a".repeat(5000)], "connection_invalid"),
            (vec!["\u{e9}".to_owned()], "connection_invalid"),
            (vec!["' or 1=1 --".to_owned()], "connection_invalid"),
            (vec![id.clone(), id.clone()], "connection_invalid"),
            (vec![app.acme.key.clone()], "connection_invalid"),
        ];
        for (lines, code) in cases {
            let mut request = http::Request::builder().uri(format!("{}/me", app.proxy));
            request = request.header("authorization", format!("Bearer {}", app.acme.key));
            for line in &lines {
                request = request
                    .header("bu-connection-id", http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let answer = Browser::new().send(request, Bytes::new()).await;
            answer.assert_problem(400, code);
            assert!(answer.header("claviger-request-id").is_some());
            assert!(!answer.text().contains(&app.acme.key));
        }
        for retries in ["", "x", "-1", "1.5", "1 2", "99999999999999999999"] {
            let request = http::Request::builder().uri(format!("{}/me", app.proxy));
            let request = request.header("authorization", format!("Bearer {}", app.acme.key));
            let request = request.header("bu-connection-id", &id).header("bu-max-retries", retries);
            Browser::new().send(request, Bytes::new()).await.assert_problem(400, "invalid_request");
        }
        assert_eq!(app.sandbox.stats().await.api_calls, 0);
        assert_eq!(app.call(&app.acme.key, &format!("Bearer {id}"), "/me").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn each_wrong_form_of_the_connect_page_is_refused() {
    on_each(async |app| {
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
        let url = format!("{}{}", app.origin, began.location());
        let send = async |body: Bytes| {
            let request = browser.request(Method::POST, &url).header("sec-fetch-site", "same-origin");
            browser.send(request.header("content-type", "application/x-www-form-urlencoded"), body).await
        };
        for body in [
            &b"decision=cancel&decision=continue"[..],
            b"decision=continue&decision=continue",
            b"decision=%ff",
            b"decision=%00",
            b"x=%ff&decision=continue",
        ] {
            send(Bytes::from_static(body)).await.assert_page(400, "be connected");
        }
        let long = format!("decision={}", "a".repeat(5000));
        send(long.into()).await.assert_page(400, "be connected");
        for (bytes, status) in [(b"\xff\xfe".to_vec(), 400), (vec![b'a'; 300_000], 413)] {
            let answer = send(bytes.into()).await;
            answer.assert_page(status, "be connected");
        }
        let markup = "<script>=1&<script>=2";
        let answer = send(markup.into()).await;
        answer.assert_page(400, "be connected");
        assert!(!answer.text().contains("<script>"), "{}", answer.text());
        assert_eq!(send(Bytes::from_static(b"decision=continue")).await.status, 303, "none took the flow");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_flow_id_is_a_page() {
    on_each(async |app| {
        for path in [
            "flow_00000000000000000000000000000000",
            "flow_",
            "x",
            "%00",
            "%ff",
            "flow_%2e%2e",
            "..%2f..%2fetc%2fpasswd",
            "%3Cscript%3E",
            "{{7919*7919}}",
        ] {
            let browser = Browser::new();
            let url = format!("{}/connect/{path}", app.origin);
            let answer = browser.get(&url).await;
            answer.assert_page(400, "be used any more");
            assert!(!answer.text().contains("<script>") && !answer.text().contains("62710561"));
            browser.submit(&url, &[("decision", "continue")]).await.assert_page(400, "be used any more");
        }
    })
    .await;
}

#[tokio::test]
async fn each_wrong_callback_path_or_body_is_a_page() {
    on_each(async |app| {
        let browser = Browser::new();
        for path in ["x", "int_00000000000000000000000000000000", "%00", "%ff", "%2e%2e", "%3Cscript%3E"] {
            let url = format!("{}/oauth2/callback/{path}?code=c&state={}", app.origin, "A".repeat(43));
            let answer = browser.get(&url).await;
            answer.assert_page(400, "be connected");
            assert!(!answer.text().contains("<script>"));
        }
        let path = format!("{}/oauth2/callback/{}", app.origin, app.acme.integration);
        for body in [&b"\xff"[..], b"a b", b"a=b\r\nLocation: https://evil.test", b"a=\x00", b"code=\xc3\xa9"]
        {
            let request = browser.request(Method::POST, &path);
            browser.send(request, Bytes::from_static(body)).await.assert_page(400, "be connected");
        }
        let request = browser.request(Method::POST, &path);
        browser.send(request, vec![b'a'; 100_000].into()).await.assert_page(413, "be connected");
    })
    .await;
}

#[tokio::test]
async fn markup_in_what_a_page_shows_is_text() {
    on_each(async |app| {
        let markup = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}";
        let tenant = app.tenant(markup).await;
        let stub = Stub::start().await;
        let mut input =
            crate::support::app::new_integration("x", "oauth2", crate::support::app::at(&stub.origin));
        input.name = Some(markup.to_owned());
        app.integrate_as(&tenant, input).await;
        app.complete(&tenant, Completion::Confirm).await;
        let browser = Browser::new();
        let wish = [("integration_id", "x"), ("external_id", markup)];
        let began = browser.get(&app.authorize_url(&tenant, &wish)).await;
        let page = browser.get(&format!("{}{}", app.origin, began.location())).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text().matches("&lt;script&gt;").count() >= 3,
            "product, integration and owner: {}",
            page.text()
        );
        for raw in ["<script>", "<img src=x", "onerror=alert(1)>", "&gt;49"] {
            assert!(!page.text().contains(raw), "{raw}: {}", page.text());
        }
        let leg = browser.set_out(app, &tenant, &wish).await;
        let done = browser.get(&leg.back(&[("error", markup), ("error_description", markup)])).await;
        let location = done.location();
        assert!(!location.contains(['<', '>', '"', '\'', ' ', '{']), "{location}");
    })
    .await;
}
