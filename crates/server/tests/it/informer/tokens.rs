//! API tokens, and name and password with each call.

use std::time::Duration;

use claviger_engine::{domain::token::UserToken, id::TokenId, setup::password_hash};
use http::Method;
use serde_json::{Value, json};

use super::desk::{Desk, new_user, password};
use crate::support::{Options, on_each, on_each_with};

const MINUTE: Duration = Duration::from_secs(60);
/// What the clock shows at the beginning of a story.
const NOW: &str = "2026-09-21T14:13:20.000Z";

#[tokio::test]
async fn a_token_is_shown_once_and_calls_as_its_user_until_it_is_stopped() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let alice = desk.sign_in("alice").await;
        let wanted = json!({ "name": "nightly", "expiresAt": "2026-09-22T16:13:20+02:00" });
        let made = alice.post("/api/tokens", &wanted).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let mut shown = made.json();
        let text = shown["token"].as_str().expect("a token").to_owned();
        assert!(text.starts_with("ut_") && text.len() == 49, "{}", text.len());
        let id = shown["id"].as_str().expect("an id").to_owned();
        let at = format!("/api/tokens/{id}");
        assert_eq!(made.header("location"), Some(at.as_str()));
        shown.as_object_mut().expect("an object").remove("token");
        let want = json!({
            "id": id,
            "type": "personal",
            "name": "nightly",
            "readOnly": false,
            "createdAt": NOW,
            "expiresAt": "2026-09-22T14:13:20.000Z",
            "lastUsedAt": null,
            "_links": { "self": { "href": at } },
        });
        assert_eq!(shown, want);
        assert_eq!(alice.get(&at).await.json(), want);

        let program = desk.with_token(&text);
        assert_eq!(program.get("/api/session").await.json()["user"]["username"], "alice");
        let list = alice.get("/api/tokens").await.json();
        assert_eq!(list["_links"]["self"]["href"], "/api/tokens");
        assert_eq!((&list["start"], &list["count"], &list["total"]), (&json!(0), &json!(1), &json!(1)));
        assert_eq!(list["_embedded"]["inf:token"][0]["id"], id.as_str());
        assert!(!list.to_string().contains(&text), "its text is not there again");
        let sid = alice.sid();
        assert!(!list.to_string().contains(&sid));

        let gone = alice.delete(&at).await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
        program.get("/api/session").await.assert_hapi(401, "sign in");
        alice.get(&at).await.assert_hapi(404, "token not found");
        alice.delete(&at).await.assert_hapi(404, "token not found");
    })
    .await;
}

#[tokio::test]
async fn a_tokens_use_is_kept_to_the_minute() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let alice = desk.basic("alice");
        let made = alice.post("/api/tokens", &json!({})).await.json();
        let program = desk.with_token(made["token"].as_str().unwrap());
        assert_eq!(program.get("/api/session").await.status, 200);
        let at = made["_links"]["self"]["href"].as_str().unwrap();
        for _ in 0..1000 {
            if alice.get(at).await.json()["lastUsedAt"] == NOW {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("its use was not kept");
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_at_its_time() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let short = desk.bearer_as("alice", &json!({ "expiresAt": "2026-09-21T14:23:20.001Z" })).await;
        let long = desk.bearer("alice").await;
        app.pass(10 * MINUTE);
        assert_eq!(short.get("/api/session").await.status, 200);
        app.pass(Duration::from_millis(1));
        short.get("/api/session").await.assert_hapi(401, "sign in");
        app.pass(10_000 * MINUTE);
        assert_eq!(long.get("/api/session").await.status, 200);
        let list = long.get("/api/tokens?limit=1").await.json();
        assert_eq!((&list["count"], &list["total"]), (&json!(1), &json!(2)), "it is still listed");
        assert_eq!(list["_links"]["next"]["href"], "/api/tokens?start=1&limit=1");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_only_reads_changes_nothing() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.superuser("root").await;
        for wanted in [json!({ "readOnly": true }), json!({ "type": "app-view" })] {
            let program = desk.bearer_as("root", &wanted).await;
            assert_eq!(program.get("/api/session").await.status, 200);
            assert_eq!(program.get("/api/users/root").await.status, 200);
            let list = program.get("/api/tokens").await.json();
            let one = &list["_embedded"]["inf:token"][0];
            assert_eq!(one["readOnly"], true);
            let at = one["_links"]["self"]["href"].as_str().unwrap();
            program.delete(at).await.assert_hapi(403, "only reads");
            program.post("/api/tokens", &json!({})).await.assert_hapi(403, "only reads");
            let owner = json!({ "ownerId": "root" });
            program.put("/api/integrations/sandbox/owner", &owner).await.assert_hapi(403, "only reads");
            let share = program.delete("/api/integrations/sandbox/shares/root").await;
            share.assert_hapi(403, "only reads");
            assert_eq!(desk.basic("root").delete(at).await.status, 204);
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_makes_no_token_but_may_be_stopped_with_itself() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let program = desk.bearer("alice").await;
        program.post("/api/tokens", &json!({})).await.assert_hapi(403, "can't make another");
        let list = program.get("/api/tokens").await.json();
        let at = list["_embedded"]["inf:token"][0]["_links"]["self"]["href"].as_str().unwrap().to_owned();
        assert_eq!(program.delete(&at).await.status, 204);
        program.get("/api/session").await.assert_hapi(401, "sign in");
    })
    .await;
}

#[tokio::test]
async fn what_a_token_can_not_be_is_said() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let alice = desk.sign_in("alice").await;
        for (wanted, words) in [
            (json!({ "type": "admin" }), "type: "),
            (json!({ "type": "app-view", "readOnly": false }), "readOnly: "),
            (json!({ "readOnly": "yes" }), "readOnly: "),
            (json!({ "name": "" }), "name: "),
            (json!({ "name": "a\nb" }), "name: "),
            (json!({ "name": 1 }), "name: "),
            (json!({ "expiresAt": NOW }), "expiresAt: "),
            (json!({ "expiresAt": "2020-01-01T00:00:00Z" }), "expiresAt: "),
            (json!({ "expiresAt": "tomorrow" }), "expiresAt: "),
            (json!({ "expiresAt": 1_800_000_000 }), "expiresAt: "),
            (json!({ "token": "ut_chosen" }), "body: "),
            (json!([]), "body: "),
        ] {
            alice.post("/api/tokens", &wanted).await.assert_hapi(400, words);
        }
        assert_eq!(alice.get("/api/tokens").await.json()["total"], 0);
        let null = json!({ "type": null, "name": null, "readOnly": null, "expiresAt": null });
        let made = alice.post("/api/tokens", &null).await;
        assert_eq!((made.status.as_u16(), &made.json()["expiresAt"]), (201, &Value::Null));
        alice.get("/api/tokens/tok_x").await.assert_hapi(404, "token not found");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_nobody_elses_to_see_or_stop() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        desk.superuser("root").await;
        let made = desk.basic("alice").post("/api/tokens", &json!({})).await;
        let at = made.header("location").unwrap();
        for seat in [desk.sign_in("root").await, desk.bearer("root").await] {
            seat.get(at).await.assert_hapi(404, "token not found");
            seat.delete(at).await.assert_hapi(404, "token not found");
            assert!(!seat.get("/api/tokens").await.text().contains(made.json()["id"].as_str().unwrap()));
        }
        desk.nobody().get(at).await.assert_hapi(401, "sign in");
    })
    .await;
}

#[tokio::test]
async fn a_user_has_a_hundred_tokens_at_most() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = desk.user("alice", &[]).await;
        let ws = &app.acme.workspace;
        app.change(async |to| {
            for n in 0..99 {
                let token = UserToken {
                    id: TokenId::new(),
                    workspace_id: ws.clone(),
                    user_id: alice.id.clone(),
                    kind: "personal".to_owned(),
                    name: None,
                    prefix: "ut_".to_owned(),
                    hash: n.to_string(),
                    read_only: false,
                    expires_at: None,
                    last_used_at: None,
                    created_at: to.now,
                };
                to.conn.create_user_token(ws, &token).await?;
            }
            Ok(())
        })
        .await;
        let (one, two) = (desk.sign_in("alice").await, desk.basic("alice"));
        let nothing = json!({});
        let (a, b) = tokio::join!(one.post("/api/tokens", &nothing), two.post("/api/tokens", &nothing));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        one.post("/api/tokens", &nothing).await.assert_hapi(409, "delete one");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_users_token_calls_as_nobody() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let made = desk.basic("alice").post("/api/tokens", &json!({})).await.json();
        let token = made["token"].as_str().unwrap().to_owned();
        let (prefix, long) = (&token[..11], "x".repeat(5000));
        let last = if token.ends_with('A') { 'B' } else { 'A' };
        let other = format!("{}{last}", &token[..48]);
        for shown in
            [app.acme.key.as_str(), "", "ut_", prefix, &other, &format!("{token}A"), "ut_äöüäöü", &long]
        {
            desk.with_token(shown).get("/api/session").await.assert_hapi(401, "sign in");
        }
        // One header is looked at, and it is all that is.
        let cookie = format!("sid={}", desk.sign_in("alice").await.sid());
        let (right, wrong) = (format!("Bearer {token}"), "Bearer ut_nothing".to_owned());
        for (lines, status) in [
            (vec![right.as_str()], 200),
            (vec![wrong.as_str()], 401),
            (vec![right.as_str(), right.as_str()], 401),
            (vec!["Digest x"], 401),
        ] {
            let mut headers = vec![("cookie", cookie.as_str())];
            headers.extend(lines.iter().map(|line| ("authorization", *line)));
            let answer = desk.nobody().call(Method::GET, "/api/session", &headers, None).await;
            assert_eq!(answer.status, status, "{lines:?}: {}", answer.text());
        }
        // It names its workspace itself.
        app.tenant("Other").await;
        assert_eq!(desk.with_token(&token).get("/api/session").await.status, 200);
        let key = app.call(&token, "conn_1", "/me").await;
        assert_eq!(key.status, 401, "nor is it a key of the other door");
    })
    .await;
}

#[tokio::test]
async fn a_name_and_a_password_will_do() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("Ärmel", &[]).await;
        let who = desk.basic_with("äRMEL", &password("Ärmel")).get("/api/session").await;
        assert_eq!(who.json()["user"]["username"], "Ärmel");
        assert!(who.header("set-cookie").is_none());
        assert!(who.json().get("sid").is_none());
        for (name, given) in [("Ärmel", "wrong"), ("Ärmel", ""), ("nobody", "wrong"), ("", "")] {
            let answer = desk.basic_with(name, given).get("/api/session").await;
            answer.assert_hapi(401, "sign in");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer"),
                "no browser asks for a password by itself"
            );
        }
        let sent = desk.basic("Ärmel").call(Method::POST, "/api/tokens", &[], Some(&json!({}))).await;
        assert_eq!(sent.status, 201, "no page needs to vouch for it");
    })
    .await;
}

#[tokio::test]
async fn a_password_that_was_right_is_remembered_for_a_minute() {
    let behind = || Options { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Options::default() };
    on_each_with(behind, async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        desk.user("bob", &[]).await;
        let call = async |name: &str, given: &str| {
            let headers = [("x-forwarded-for", "192.0.2.1")];
            desk.basic_with(name, given).call(Method::GET, "/api/session", &headers, None).await
        };
        let right = password("alice");
        assert_eq!(call("alice", &right).await.status, 200);
        for _ in 0..10 {
            call("alice", "wrong").await.assert_hapi(401, "sign in");
        }
        let limited = call("alice", "wrong").await;
        limited.assert_hapi(429, "too many");
        assert_eq!(limited.header("retry-after"), Some("300"));
        app.pass(MINUTE - Duration::from_millis(1));
        assert_eq!(call("alice", &right).await.status, 200, "it is not looked at again");
        call("alice", "wrong").await.assert_hapi(429, "too many");
        call("bob", &right).await.assert_hapi(401, "sign in");
        app.pass(Duration::from_millis(1));
        call("alice", &right).await.assert_hapi(429, "too many");
        app.pass(4 * MINUTE);
        assert_eq!(call("alice", &right).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_remembered_password_goes_with_what_it_was() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let (ws, id) = (&app.acme.workspace, desk.kept("alice").await.id);
        let right = desk.basic("alice");
        assert_eq!(right.get("/api/session").await.status, 200);
        app.change(async |to| to.conn.disable_user(ws, &id, Some(to.now)).await).await;
        right.get("/api/session").await.assert_hapi(401, "sign in");
        app.change(async |to| to.conn.disable_user(ws, &id, None).await).await;
        assert_eq!(right.get("/api/session").await.status, 200);
        let hash = password_hash("another password".to_owned().into()).await.unwrap();
        app.change(async |to| to.conn.set_user_password(ws, &id, &hash).await).await;
        right.get("/api/session").await.assert_hapi(401, "sign in");
        assert_eq!(desk.basic_with("alice", "another password").get("/api/session").await.status, 200);

        // Nor is it anybody's of the same name elsewhere.
        let other = app.tenant("Other").await;
        let origin = app.origin.replace("127.0.0.1", "localhost");
        let hosts = [origin.clone()];
        app.change(async |to| to.conn.set_workspace_hosts(&other.workspace, &hosts).await).await;
        let there = Desk { app, tenant: &other, origin: app.origin.clone() };
        there.make(new_user("alice", &[])).await;
        let host = origin.trim_start_matches("http://").to_owned();
        let at = [("host", host.as_str())];
        let answer =
            desk.basic_with("alice", "another password").call(Method::GET, "/api/session", &at, None).await;
        answer.assert_hapi(401, "sign in");
        let answer = desk.basic("alice").call(Method::GET, "/api/session", &at, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn users_see_themselves_and_superusers_everybody() {
    on_each(async |app| {
        let desk = Desk::new(app);
        for name in ["alice", "bob"] {
            desk.user(name, &[]).await;
        }
        desk.superuser("root").await;
        let (ws, bob) = (&app.acme.workspace, desk.kept("bob").await.id);
        app.change(async |to| to.conn.disable_user(ws, &bob, Some(to.now)).await).await;
        let (alice, root) = (desk.sign_in("alice").await, desk.basic("root"));
        assert_eq!(alice.get("/api/users/ALICE").await.json()["username"], "alice");
        for name in ["bob", "root", "nobody", "%00", "alice%00", "%ff"] {
            alice.get(&format!("/api/users/{name}")).await.assert_hapi(404, "user not found");
        }
        assert_eq!(root.get("/api/users/alice").await.json()["enabled"], true);
        assert_eq!(root.get("/api/users/bob").await.json()["enabled"], false);
        root.get("/api/users/nobody").await.assert_hapi(404, "user not found");
        let other = app.tenant("Other").await;
        Desk { app, tenant: &other, origin: app.origin.clone() }.user("carol", &[]).await;
        root.get("/api/users/carol").await.assert_hapi(404, "user not found");
    })
    .await;
}
