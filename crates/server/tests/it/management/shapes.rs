//! What all of it has in common: both forms of each path, both shapes of each list, paging, and errors.

use http::Method;
use serde_json::json;

use super::{ask, connect, delete, everywhere, get, ids, send, webhook};
use crate::support::{Browser, on_each};

#[tokio::test]
async fn a_list_is_an_array_without_a_slash_and_an_object_with_one() {
    on_each(async |app| {
        let hook = webhook(app).await;
        connect(app, &app.acme, &[]).await;
        let deliveries = format!("/v1/webhooks/{hook}/deliveries");
        for path in ["/v1/connections", "/v1/integrations", "/v1/webhooks", &deliveries] {
            for query in ["", "?limit=5", "?active=True&status_code=/&x=1&x=2&%ff=%00"] {
                let bare = get(app, &format!("{path}{query}")).await;
                let wrapped = get(app, &format!("{path}/{query}")).await;
                assert_eq!(ids(&bare).len(), 1, "{path}");
                assert_eq!(wrapped.status, 200, "{path}");
                assert_eq!(wrapped.json(), json!({ "data": bare.json() }), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_path_answers_with_a_slash_at_its_end_and_none_redirects() {
    on_each(async |app| {
        let connection = connect(app, &app.acme, &[]).await;
        let hook = webhook(app).await;
        let made = super::connections::ended(app).await;
        let delivery = ids(&get(app, &format!("/v1/webhooks/{hook}/deliveries")).await).remove(0);
        assert!(made.starts_with("conn_"));
        for place in everywhere(&connection, app.acme.integration.as_str(), &hook, &delivery) {
            let again = place.method == Method::DELETE;
            for path in [place.path.clone(), format!("{}/", place.path)] {
                let answer = ask(app, &app.acme.key, place.method.clone(), &path, place.body.as_ref()).await;
                let fine = answer.status.is_success() || again && answer.status == 404;
                assert!(fine, "{} {path}: {} {}", place.method, answer.status, answer.text());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_stretch_of_a_list_is_refused_by_name() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let deliveries = format!("/v1/webhooks/{hook}/deliveries");
        for path in ["/v1/connections", "/v1/integrations", "/v1/webhooks", &deliveries] {
            for slash in ["", "/"] {
                for wrong in
                    ["0", "101", "-1", "", "x", "1.5", "1e1", "%2B1", "%00", "%ff", "99999999999999999999"]
                {
                    get(app, &format!("{path}{slash}?limit={wrong}")).await.assert_field("limit");
                    if !["0", "101"].contains(&wrong) {
                        get(app, &format!("{path}{slash}?offset={wrong}")).await.assert_field("offset");
                    }
                }
                get(app, &format!("{path}{slash}?limit=1&limit=1")).await.assert_field("limit");
                get(app, &format!("{path}{slash}?offset=1&%6fffset=1")).await.assert_field("offset");
                let far = get(app, &format!("{path}?limit=100&offset=9223372036854775807")).await;
                assert_eq!(ids(&far).len(), 0, "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn another_method_is_405_in_the_doors_shape() {
    on_each(async |app| {
        for (path, allowed) in [
            ("/v1/connections", "GET,HEAD,POST"),
            ("/v1/connections/x", "GET,HEAD,DELETE"),
            ("/v1/integrations", "GET,HEAD"),
            ("/v1/integrations/x", "GET,HEAD"),
            ("/v1/webhooks", "GET,HEAD,POST"),
            ("/v1/webhooks/x", "GET,HEAD,PUT,PATCH,DELETE"),
            ("/v1/webhooks/x/secret", "POST"),
            ("/v1/webhooks/x/redeliver", "POST"),
            ("/v1/webhooks/x/deliveries", "GET,HEAD"),
            ("/v1/webhooks/x/deliveries/x", "GET,HEAD"),
            ("/v1/webhooks/x/deliveries/x/redeliver", "POST"),
        ] {
            for slash in ["", "/"] {
                for method in
                    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
                {
                    if allowed.split(',').any(|name| name == method.as_str()) {
                        continue;
                    }
                    let answer =
                        ask(app, &app.acme.key, method.clone(), &format!("{path}{slash}"), None).await;
                    answer.assert_problem(405, "method_not_allowed");
                    assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
                }
            }
        }
        for path in
            ["/v1", "/v1/", "/v1/nosuch", "/v1/connections/x/y", "/v1/webhooks/x/y", "/v1/integrations/x/y/"]
        {
            get(app, path).await.assert_problem(404, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_none_answers_like_one_that_nothing_has() {
    on_each(async |app| {
        let hook = webhook(app).await;
        for id in [
            "x",
            "conn_",
            "%00",
            "%ff",
            "%2e%2e",
            "a%2Fb",
            "%20",
            "' or 1=1 --",
            "conn_%00",
            "💥",
            "{id}",
            "conn_00000000000000000000000000000000",
            "int_00000000000000000000000000000000",
            "wh_00000000000000000000000000000000",
            "dlv_00000000000000000000000000000000",
        ] {
            let id =
                id.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D").replace('💥', "%F0%9F%92%A5");
            let mut places = everywhere(&id, &id, &id, &id);
            places.extend(
                everywhere(&id, &id, &hook, &id).into_iter().filter(|p| p.path.contains("deliveries/")),
            );
            for place in places.into_iter().filter(|place| place.path.contains(&id)) {
                let answer =
                    ask(app, &app.acme.key, place.method.clone(), &place.path, place.body.as_ref()).await;
                answer.assert_problem(404, "not_found");
                assert!(!answer.text().contains(&id), "{}", answer.text());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_answer_is_for_keeping() {
    on_each(async |app| {
        let request = http::Request::builder().uri(format!("{}/v1/connections", app.origin));
        let refused = Browser::new().send(request, bytes::Bytes::new()).await;
        refused.assert_problem(401, "unauthorized");
        let answer = get(app, "/v1/connections").await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        delete(app, "/v1/connections/x").await.assert_problem(404, "not_found");
        let body = json!({ "name": "h", "url": "https://h.test/", "events": ["connection.created"] });
        let made = send(app, Method::POST, "/v1/webhooks", &body).await;
        assert_eq!(made.header("cache-control"), Some("no-store"), "it holds a secret");
    })
    .await;
}

#[test]
fn every_endpoint_is_in_the_document() {
    let document = claviger::surface::bundleup::openapi::document().unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    for place in everywhere("{id}", "{id}", "{id}", "{delivery}") {
        let operation = &document["paths"][&place.path][place.method.as_str().to_lowercase()];
        assert!(operation["responses"].is_object(), "{} {}", place.method, place.path);
    }
}
