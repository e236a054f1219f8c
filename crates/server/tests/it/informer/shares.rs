//! Shares and owners.

use claviger_engine::{
    domain::{share::Principal, user::Permission},
    setup,
};
use http::Method;
use serde_json::json;

use super::{ask, assert_problem, someone};
use crate::support::{TestApp, on_each};

async fn owned_by(app: &TestApp, owner: &Principal) {
    let (ws, id) = (&app.acme.workspace, &app.acme.integration);
    app.change(async |to| to.conn.set_integration_owner(ws, id, Some(owner)).await).await;
}

async fn team(app: &TestApp, slug: &str, members: &[&str]) {
    let ws = &app.acme.workspace;
    app.change(async |to| setup::team(to, ws, slug, "Analytics").await).await;
    for member in members {
        assert!(app.change(async |to| setup::join_team(to, ws, slug, member).await).await);
    }
}

#[tokio::test]
async fn a_share_is_this_object_and_the_list_is_hal() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &Permission::ALL).await;
        someone(app, &app.acme, "bob", &[]).await;
        team(app, "analytics", &["bob"]).await;
        owned_by(app, &Principal::User(alice.user.id.clone())).await;
        let id = &app.acme.integration;
        let shares = format!("/api/integrations/{id}/shares");
        let put = |path: String, body: serde_json::Value| {
            let token = alice.token.clone();
            async move { ask(app, &token, Method::PUT, &path, Some(&body)).await }
        };
        let when = "2026-09-21T14:13:20.000Z";
        let want = json!({
            "_links": { "self": { "href": format!("{shares}/team%3Aanalytics") } },
            "integrationId": id.as_str(),
            "principalId": "team:analytics",
            "accessLevel": 1,
            "principal": { "id": "team:analytics", "name": "Analytics", "type": "team" },
            "createdAt": when,
            "updatedAt": when,
        });
        for path in ["/api/integrations/sandbox/shares/team:analytics", &format!("{shares}/team%3Aanalytics")]
        {
            let made = put(path.to_owned(), json!({})).await;
            assert_eq!((made.status.as_u16(), made.json()), (200, want.clone()), "{path}");
            assert_eq!(made.header("cache-control"), Some("no-store"));
        }
        // A bare name is a user's first.
        app.pass(std::time::Duration::from_secs(60));
        let bob = put(format!("{shares}/Bob"), json!({ "accessLevel": 3 })).await.json();
        assert_eq!((&bob["principalId"], &bob["principal"]["type"]), (&json!("bob"), &json!("user")));
        let again = put(format!("{shares}/user:bob"), json!({ "accessLevel": 2 })).await.json();
        assert_eq!((&again["accessLevel"], &again["createdAt"]), (&json!(2), &bob["createdAt"]));
        let bare = ask(app, &alice.token, Method::GET, &format!("{shares}/analytics"), None).await;
        assert_eq!(bare.json(), want);

        let list = ask(app, &alice.token, Method::GET, &shares, None).await.json();
        assert_eq!(list["_links"]["self"]["href"], shares.as_str());
        assert_eq!(list["_embedded"]["inf:integration-share"], json!([want, again]));
        assert_eq!((&list["start"], &list["count"], &list["total"]), (&json!(0), &json!(2), &json!(2)));
        let next =
            ask(app, &alice.token, Method::GET, &format!("{shares}?start=1&limit=1"), None).await.json();
        assert_eq!(next["_embedded"]["inf:integration-share"], json!([again]));
        assert_eq!((&next["count"], &next["total"]), (&json!(1), &json!(2)));

        let gone = ask(app, &alice.token, Method::DELETE, &format!("{shares}/bob"), None).await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
        for method in [Method::GET, Method::DELETE] {
            let missing = ask(app, &alice.token, method, &format!("{shares}/bob"), None).await;
            assert_problem(&missing, 404, "share not found");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_shared_wrongly_is_refused_by_name_and_shares_nothing() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &Permission::ALL).await;
        someone(app, &app.acme, "bob", &[]).await;
        owned_by(app, &Principal::User(alice.user.id.clone())).await;
        let shares = "/api/integrations/sandbox/shares";
        for wrong in [json!(0), json!(4), json!(-1), json!(1.5), json!("1"), json!(true), json!([1])] {
            let body = json!({ "accessLevel": wrong });
            let answer = ask(app, &alice.token, Method::PUT, &format!("{shares}/bob"), Some(&body)).await;
            assert_problem(&answer, 400, "accessLevel");
        }
        for body in [json!([]), json!({ "level": 1 }), json!("x")] {
            let answer = ask(app, &alice.token, Method::PUT, &format!("{shares}/bob"), Some(&body)).await;
            assert_problem(&answer, 400, "body");
        }
        for nobody in ["nobody", "team:bob", "user:analytics", "group:bob", "%20", "bob%00", "%ff"] {
            let answer = ask(app, &alice.token, Method::PUT, &format!("{shares}/{nobody}"), None).await;
            assert!(answer.status == 400 || answer.status == 404, "{nobody}: {}", answer.status);
            let answer = ask(app, &alice.token, Method::GET, &format!("{shares}/{nobody}"), None).await;
            assert_problem(&answer, 404, "not found");
        }
        let own = ask(app, &alice.token, Method::PUT, &format!("{shares}/alice"), None).await;
        assert_problem(&own, 409, "belongs to them");
        let list = ask(app, &alice.token, Method::GET, shares, None).await.json();
        assert_eq!(list["total"], 0);
    })
    .await;
}

#[tokio::test]
async fn an_integration_goes_to_whoever_is_named_and_who_had_it_keeps_nothing() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &Permission::ALL).await;
        let bob = someone(app, &app.acme, "bob", &Permission::ALL).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let off = someone(app, &app.acme, "off", &[]).await;
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.disable_user(&app.acme.workspace, &off.user.id, Some(now)).await).await;
        team(app, "analytics", &["alice"]).await;
        let id = &app.acme.integration;
        let path = format!("/api/integrations/{id}/owner");
        let links = json!({ "self": { "href": path } });
        let version = app.integration(&app.acme, id).await.version;

        let nobodys = ask(app, &root.token, Method::GET, &path, None).await;
        let want = json!({ "_links": links, "id": null, "ownerId": null, "ownerType": null, "userId": null, "teamId": null });
        assert_eq!((nobodys.status.as_u16(), nobodys.json()), (200, want));

        let user = |name: &str| {
            json!({ "_links": links, "id": name, "ownerId": name, "ownerType": "user", "userId": name, "teamId": null,
                "_embedded": { "inf:user": { "username": name, "displayName": null } } })
        };
        let given = ask(app, &root.token, Method::PUT, &path, Some(&json!({ "userId": "alice" }))).await;
        assert_eq!((given.status.as_u16(), given.json()), (200, user("alice")));
        assert_eq!(ask(app, &alice.token, Method::GET, &path, None).await.json(), user("alice"));

        // What bob had through a share is not what he keeps when he hands it on.
        let share = format!("/api/integrations/{id}/shares/bob");
        assert_eq!(ask(app, &alice.token, Method::PUT, &share, None).await.status, 200);
        let handed = ask(app, &alice.token, Method::PUT, &path, Some(&json!({ "ownerId": "bob" }))).await;
        assert_eq!(handed.json(), user("bob"));
        assert_problem(&ask(app, &alice.token, Method::GET, &path, None).await, 404, "integration not found");
        let team = json!({ "_links": links, "id": "team:analytics", "ownerId": "team:analytics", "ownerType": "team",
            "userId": null, "teamId": "analytics",
            "_embedded": { "inf:team": { "id": "analytics", "name": "Analytics" } } });
        let handed = ask(app, &bob.token, Method::PUT, &path, Some(&json!({ "teamId": "analytics" }))).await;
        assert_eq!(handed.json(), team);
        assert_problem(&ask(app, &bob.token, Method::GET, &path, None).await, 404, "integration not found");
        assert_eq!(ask(app, &alice.token, Method::GET, &path, None).await.json(), team, "through its team");
        let same = ask(app, &alice.token, Method::PUT, &path, Some(&json!({ "ownerId": "team:analytics" }))).await;
        assert_eq!(same.json(), team);
        assert_eq!(app.integration(&app.acme, id).await.version, version, "flows under way go on");

        for (wrong, field) in [
            (json!({}), "ownerId"),
            (json!({ "ownerId": null }), "ownerId"),
            (json!({ "userId": "bob", "teamId": "analytics" }), "ownerId"),
            (json!({ "userId": "nobody" }), "userId"),
            (json!({ "userId": "analytics" }), "userId"),
            (json!({ "userId": "off" }), "userId"),
            (json!({ "teamId": "bob" }), "teamId"),
            (json!({ "ownerId": "off" }), "ownerId"),
            (json!({ "ownerId": 7 }), "ownerId"),
            (json!({ "owner": "bob" }), "body"),
        ] {
            let answer = ask(app, &root.token, Method::PUT, &path, Some(&wrong)).await;
            assert_problem(&answer, 400, field);
        }
        assert_eq!(ask(app, &alice.token, Method::GET, &path, None).await.json(), team);
    })
    .await;
}
