use std::time::Duration;

use claviger_catalog::{AskedOf, Holds, Label};
use claviger_engine::{
    connect::{Look, Symbol},
    id::FlowId,
};

use super::*;
use crate::hosted::{connect, page::Pages};

fn input(key: &str, order: i64) -> Input {
    Input {
        key: key.to_owned(),
        title: key.to_uppercase(),
        description: None,
        placeholder: None,
        pattern: "^[a-z-]+$".to_owned(),
        required: true,
        default: None,
        asked_of: AskedOf::User,
        help: Some("http://plain.test/".to_owned()),
        options: Vec::new(),
        order,
    }
}

fn key(key: &str, secret: bool, label: Label) -> KeyField {
    KeyField { key: key.to_owned(), label, secret, parts: Default::default(), holds: Holds::Text }
}

fn ask(inputs: Vec<Input>, keys: Vec<KeyField>) -> Ask {
    Ask {
        flow: FlowId::new(),
        product: "Acme".into(),
        look: Look::default(),
        integration: "Service".into(),
        symbol: Symbol::Provider("service".into()),
        owner: None,
        confirm: false,
        member: false,
        shared: false,
        inputs,
        keys,
        leaves: false,
        device: None,
        framed_by: Vec::new(),
    }
}

fn shown(form: &Value, n: usize, what: &str) -> Value {
    let fields = form.get_attr("fields").expect("fields");
    fields.get_item(&Value::from(n)).expect("a field").get_attr(what).expect("a value")
}

#[test]
fn fields_stand_in_order_and_say_what_they_are() {
    let choice = Choice { value: "eu".into(), title: None };
    let listed = Input { options: vec![choice], ..input("region", 0) };
    let pem = key("pem", true, Label { form: Form::Multiline, order: -1, ..Label::default() });
    let help = Some("https://docs.test/keys".to_owned());
    let pattern = Some("^.+$".to_owned());
    let json = key("doc", true, Label { form: Form::Json, help, pattern, order: 2, ..Label::default() });
    let form =
        context(&ask(vec![input("host", 1), listed], vec![json, pem]), &Given::default(), &Wrong::default());
    let names: Vec<String> = (0..4).map(|n| shown(&form, n, "name").to_string()).collect();
    assert_eq!(names, ["credential-pem", "region", "host", "credential-doc"]);
    let kinds: Vec<String> = (0..4).map(|n| shown(&form, n, "kind").to_string()).collect();
    assert_eq!(kinds, ["lines", "choice", "line", "json"]);
    assert_eq!(shown(&form, 2, "pattern").to_string(), "\\s*(?:[a-z\\-]+)\\s*");
    assert!(shown(&form, 3, "pattern").is_none(), "not surely the same in a browser");
    assert_eq!(shown(&form, 3, "help").to_string(), "https://docs.test/keys");
    assert!(shown(&form, 2, "help").is_none(), "nobody is led to plain http");
}

#[test]
fn what_was_given_stands_there_again_but_no_secret() {
    let keys = vec![key("user", false, Label::default()), key("pass", true, Label::default())];
    let mut given = Given::default();
    given.inputs.insert("host".into(), "typed-host".into());
    given.typed.insert("user".into(), Secret::new("typed-user"));
    given.typed.insert("pass".into(), Secret::new("typed-pass"));
    let form = context(&ask(vec![input("host", 0)], keys), &given, &Wrong::default());
    let values: Vec<String> = (0..3).map(|n| shown(&form, n, "value").to_string()).collect();
    assert_eq!(values, ["typed-host", "typed-user", ""]);
    assert!(!format!("{form:?}").contains("typed-pass"));
}

#[test]
fn a_status_says_whose_turn_it_is() {
    let mut wrong = Wrong::default();
    assert_eq!(status(&wrong), 200);
    wrong.inputs.insert("host".into(), Fault::Missing);
    assert_eq!(status(&wrong), 422);
    for (alert, code) in [
        (Alert::Unreachable, 503),
        (Alert::Limited { retry_after: Duration::from_secs(5) }, 429),
        (Alert::Ours, 500),
    ] {
        assert_eq!(status(&Wrong { alert: Some(alert), ..Wrong::default() }), code);
    }
}

#[tokio::test]
async fn an_alert_leaves_the_form_and_says_when_to_try_again() {
    let pages = Pages::load().expect("templates compile");
    let asked = ask(vec![input("host", 0)], vec![key("pass", true, Label::default())]);
    let mut given = Given::default();
    given.inputs.insert("host".into(), "typed-host".into());
    for (alert, code, words) in [
        (Alert::Limited { retry_after: Duration::from_millis(200) }, 429, "too many attempts"),
        (Alert::Ours, 500, "wrong on our side"),
        (Alert::Unreachable, 503, "could not be reached"),
    ] {
        let wrong = Wrong { alert: Some(alert), ..Wrong::default() };
        let page = connect::page(&pages, &asked, &given, &wrong);
        assert_eq!(page.status(), code);
        assert_eq!(page.headers().get("retry-after").is_some_and(|seconds| seconds == "1"), code == 429);
        let body = axum::body::to_bytes(page.into_body(), usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains(words) && text.contains("value=\"typed-host\""), "{text}");
        assert!(text.contains("name=\"credential-pass\"") && text.contains("except for secrets"), "{text}");
    }
}
