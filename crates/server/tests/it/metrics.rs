//! What the metrics listener tells: what was done, how things stand, and nothing that a caller wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::Path,
};

use axum::body::Body;
use claviger::{app::App, router};
use claviger_engine::{
    domain::event::EventKind,
    gauges,
    limit::at_once::AtOnce,
    metrics::Metrics,
    proxy::Bounds,
    setup::{self, NewWebhook},
};
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::support::{Browser, Options, TestApp, on_each, on_each_with, value};

#[tokio::test]
async fn what_was_done_is_counted() {
    on_each(async |app| {
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
        app.call(&app.acme.key, &id, "/../x").await.assert_problem(400, "target_not_allowed");
        app.broker.logs.flush().await;

        let metrics = router::metrics(App::new(app.broker.clone(), &[], None).unwrap());
        let answer =
            metrics.clone().oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text")
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        for line in [
            "claviger_flows_total{outcome=\"begun\"} 1",
            "claviger_flows_total{outcome=\"connected\"} 1",
            "claviger_proxied_calls_total{status=\"2xx\",from=\"provider\"} 1",
            "claviger_proxied_calls_total{status=\"4xx\",from=\"claviger\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains(&id) && !text.contains(app.acme.workspace.as_str()), "no ids in labels");
        let other = metrics.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(other.status(), 404);
    })
    .await;
}

fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
}

/// Every series, without its value.
fn series(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| Some(l.rsplit_once(' ')?.0)).collect()
}

async fn some_of_everything(app: &TestApp, canary: &str) {
    let browser = Browser::new();
    for path in [
        format!("/authorize?client_id={canary}"),
        format!("/connect/{canary}"),
        format!("/oauth2/callback/{canary}?state={canary}"),
        format!("/v1/connections/{canary}"),
        format!("/{canary}"),
        "/healthz".to_owned(),
    ] {
        browser.get(&format!("{}{path}", app.origin)).await;
    }
    let odd = Request::builder().method(canary).uri(format!("{}/connection", app.origin));
    browser.send(odd.header("user-agent", canary), bytes::Bytes::new()).await;
    app.call(canary, canary, &format!("/{canary}")).await;
    app.broker.logs.flush().await;
}

#[tokio::test]
async fn no_caller_makes_a_new_series() {
    on_each(async |app| {
        let before = app.broker.metrics.text().unwrap();
        some_of_everything(app, "CANARY").await;
        let after = app.broker.metrics.text().unwrap();
        assert_eq!(series(&before), series(&after), "every series is there from the start");
        assert!(!after.to_uppercase().contains("CANARY"), "{after}");
        for (resource, status) in [
            ("authorize", "4xx"),
            ("hosted", "4xx"),
            ("callback", "4xx"),
            ("other", "4xx"),
            ("health", "2xx"),
            ("connection", "4xx"),
        ] {
            let line =
                format!("claviger_api_requests_total{{resource=\"{resource}\",status=\"{status}\"}} 1");
            assert_line(&after, &line);
        }
    })
    .await;
}

#[tokio::test]
async fn how_things_stand_is_looked_up_now_and_then() {
    on_each(async |app| {
        let new = NewWebhook {
            name: "main".to_owned(),
            url: "https://hooks.test/".to_owned(),
            events: EventKind::ALL.to_vec(),
            format: Default::default(),
            secret: None,
        };
        app.change(async |to| setup::webhook(to, &app.acme.workspace, new).await).await;
        Browser::new().connect(app, &app.acme, &[]).await.redirect();
        app.pass(std::time::Duration::from_secs(90));
        assert_line(&app.broker.metrics.text().unwrap(), "claviger_webhook_pending 0");
        gauges::look(&app.broker).await.unwrap();
        let text = app.broker.metrics.text().unwrap();
        assert_line(&text, "claviger_webhook_pending 1");
        assert_line(&text, "claviger_webhook_oldest_pending_seconds 90");
        assert_line(&text, "claviger_connections{status=\"active\"} 1");
    })
    .await;
}

#[tokio::test]
async fn what_is_held_is_counted_at_each_look() {
    let one = || Options {
        bounds: Bounds {
            connection: AtOnce::new(NonZeroU32::new(9)),
            provider: AtOnce::new(NonZeroU32::new(9)),
            body: None,
        },
        ..Options::default()
    };
    on_each_with(one, async |app| {
        let metrics = router::metrics(App::new(app.broker.clone(), &[], None).unwrap());
        let look = async || {
            let asked = Request::get("/metrics").body(Body::empty()).unwrap();
            let body = metrics.clone().oneshot(asked).await.unwrap().into_body().collect().await.unwrap();
            String::from_utf8(body.to_bytes().to_vec()).unwrap()
        };
        let bounds = &app.broker.bounds;
        let name = claviger_engine::name::Name::of;
        let places = (
            bounds.connection.enter(name("a")),
            bounds.connection.enter(name("b")),
            bounds.provider.enter(name("c")),
        );
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let work = app.broker.tasks.spawn(ended);
        let text = look().await;
        assert_line(&text, "claviger_places_taken{limit=\"proxy_connection_calls\"} 2");
        assert_line(&text, "claviger_places_taken{limit=\"proxy_provider_calls\"} 1");
        assert_line(&text, "claviger_work_under_way 1");
        drop(places);
        end.send(()).unwrap();
        work.await.unwrap().unwrap();
        let text = look().await;
        assert_line(&text, "claviger_places_taken{limit=\"proxy_connection_calls\"} 0");
        assert_line(&text, "claviger_places_taken{limit=\"proxy_provider_calls\"} 0");
        assert_line(&text, "claviger_work_under_way 0");
    })
    .await;
}

/// Every metric that is told, by the name of its samples, with its labels.
fn told(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|l| l.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let sampled = match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        };
        let labels = text.lines().filter_map(|l| l.strip_prefix(&format!("{sampled}{{"))).flat_map(|rest| {
            let (labels, _) = rest.split_once('}').unwrap();
            labels.split(',').map(|pair| pair.split('=').next().unwrap().to_owned()).collect::<Vec<_>>()
        });
        found.insert(sampled.clone(), labels.collect());
    }
    found
}

#[test]
fn the_operations_page_lists_exactly_the_metrics_that_exist() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("<!-- metrics -->").nth(1).expect("the page has a metrics block");
    let listed: BTreeMap<_, BTreeSet<_>> = block
        .lines()
        .filter_map(|l| l.strip_prefix("| `")?.split('`').next())
        .map(|name| {
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let labels = labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty());
            (name.to_owned(), labels.map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(listed, told(&Metrics::default().text().unwrap()));
    // What the alerts ask for exists.
    let named = |c: char| !(c.is_alphanumeric() || c == '_');
    for word in page.split(named).filter(|w| w.starts_with("claviger_")) {
        let base = word.trim_end_matches("_bucket").trim_end_matches("_count");
        assert!(listed.contains_key(base), "{word} is no metric");
    }
}
