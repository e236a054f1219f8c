//! Integrations: listed and shown.

use std::time::Duration;

use serde_json::json;

use super::{get, ids};
use crate::support::on_each;

#[tokio::test]
async fn an_integration_is_this_object() {
    on_each(async |app| {
        let want = json!({
            "id": app.acme.integration.as_str(),
            "identifier": "sandbox",
            "name": "Sandbox",
            "category": "testing",
            "provider": "sandbox",
            "auth_type": "oauth2",
            "status": "active",
            "created_at": "2026-09-21T14:13:20.000Z",
            "updated_at": "2026-09-21T14:13:20.000Z",
            "authType": "oauth2",
            "createdAt": "2026-09-21T14:13:20.000Z",
            "updatedAt": "2026-09-21T14:13:20.000Z",
        });
        assert_eq!(get(app, "/v1/integrations").await.json(), json!([want]));
        for name in [app.acme.integration.as_str(), "sandbox"] {
            assert_eq!(get(app, &format!("/v1/integrations/{name}")).await.json(), want);
        }
    })
    .await;
}

#[tokio::test]
async fn status_and_category_narrow_and_pages_are_taken_of_what_is_left() {
    on_each(async |app| {
        let mut made = vec![app.acme.integration.to_string()];
        for n in 0..11 {
            app.pass(Duration::from_secs(1));
            made.push(app.integrate(&app.acme, &format!("more-{n}"), &app.sandbox.origin).await.to_string());
        }
        let mut off = app.integration(&app.acme, &app.acme.integration).await;
        off.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &off).await).await;
        for (query, want) in [
            ("", &made[..10]),
            ("limit=100", &made[..]),
            ("status=inactive", &made[..1]),
            ("status=active&limit=2&offset=1", &made[2..4]),
            ("status=active&offset=10", &made[11..]),
            ("status=beta", &[]),
            ("category=testing", &made[..1]),
            ("category=nosuch", &[]),
            ("category=testing&status=active", &[]),
        ] {
            assert_eq!(ids(&get(app, &format!("/v1/integrations?{query}")).await), want, "{query}");
        }
        let object = get(app, "/v1/integrations/sandbox").await.json();
        assert_eq!(object["status"], "inactive");
        for wrong in ["status=Active", "status=", "status=active&status=active", "status=all"] {
            get(app, &format!("/v1/integrations/?{wrong}")).await.assert_field("status");
        }
        get(app, "/v1/integrations?category=").await.assert_field("category");
    })
    .await;
}
