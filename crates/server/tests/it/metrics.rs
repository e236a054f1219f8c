//! What the metrics listener tells after a flow, a call and a refusal.

use axum::body::Body;
use claviger::{app::App, router};
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::support::{Browser, on_each, value};

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
