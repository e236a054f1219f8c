//! Changes: what is left out stays, what is null is cleared, and what sends secrets elsewhere ends trust and says so.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_change_leaves_the_rest_and_null_clears() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let made_at = alice.post(PATH, &example()).await;
        let (path, before) = (made(&made_at), made_at.json());
        app.pass(Duration::from_secs(60));
        let mut want = before.clone();
        for (edit, now) in [
            (json!({ "name": "Drive" }), json!({ "name": "Drive" })),
            (json!({ "description": null }), json!({ "description": null })),
            (json!({ "tags": null }), json!({ "tags": [] })),
            (json!({ "scope": " a  b " }), json!({ "scope": "a b" })),
            (json!({ "scope": null }), json!({ "scope": "https://www.googleapis.com/auth/drive.file" })),
            (
                json!({ "headers": { "X-User": "${user.email}" } }),
                json!({ "headers": { "X-User": "${user.email}" } }),
            ),
            (json!({ "headers": null }), json!({ "headers": {} })),
            (json!({ "enabled": false }), json!({ "enabled": false })),
            (json!({ "enabled": true }), json!({ "enabled": true })),
            (json!({ "mode": "shared" }), json!({ "mode": "shared" })),
            (json!({ "clientSecret": null }), json!({ "hasClientSecret": false })),
            (json!({ "clientSecret": "canary_second_secret" }), json!({ "hasClientSecret": true })),
        ] {
            let answer = alice.put(&path, &edit).await;
            assert_eq!(answer.status, 200, "{edit}: {}", answer.text());
            for (name, value) in now.as_object().expect("an object") {
                want[name] = value.clone();
            }
            want["updatedAt"] = answer.json()["updatedAt"].clone();
            assert_eq!(answer.json(), want, "{edit}");
            assert_eq!(alice.get(&path).await.json(), want, "{edit}");
        }
        assert_ne!(want["updatedAt"], before["updatedAt"]);
        for answer in [alice.get(&path).await, alice.get(PATH).await, made_at] {
            assert!(!answer.text().contains("canary"), "a secret is not shown: {}", answer.text());
        }
        alice.put(&path, &json!({ "type": "github" })).await.assert_hapi(409, "google-drive");
        alice.put(&path, &json!({ "authType": "basic" })).await.assert_hapi(400, "authType: ");
    })
    .await;
}

#[tokio::test]
async fn what_was_read_can_be_written_back_and_changes_nothing() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let key = json!({ "name": "K", "authType": "apikey", "apiBaseUri": "https://a.test/v1",
                          "apiKey": { "in": "query", "name": "key" } });
        let zendesk =
            json!({ "name": "Z", "type": "zendesk", "clientId": "c", "inputs": { "subdomain": "acme" } });
        for body in [example(), key, zendesk] {
            let made_at = alice.post(PATH, &body).await;
            let (path, before) = (made(&made_at), made_at.json());
            app.pass(Duration::from_secs(60));
            let answer = alice.put(&path, &before).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, before), "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_sends_secrets_elsewhere_ends_trust_and_says_so() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let elsewhere = |path: &str| format!("{}/elsewhere{path}", stub.origin);
        for (n, (edit, moves)) in [
            (json!({ "tokenUri": elsewhere("/token") }), true),
            (json!({ "authUri": elsewhere("/authorize") }), true),
            (json!({ "revocationUri": elsewhere("/revoke") }), true),
            (json!({ "userinfoUri": elsewhere("/me") }), true),
            (json!({ "apiBaseUri": elsewhere("/api") }), true),
            (json!({ "allowedHosts": ["uploads.example.com"] }), true),
            (json!({ "clientId": "another" }), true),
            (json!({ "name": "Other", "description": "x", "tags": ["y"] }), false),
            (json!({ "scope": "more" }), false),
            (json!({ "headers": { "X-A": "b" }, "authorizeParams": { "prompt": "consent" } }), false),
            (json!({ "clientAuth": "body" }), false),
            (json!({ "slug": "other" }), false),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = at(&stub);
            body["slug"] = json!(format!("stub-{n}"));
            let path = made(&alice.post(PATH, &body).await);
            connect(&alice, &path).await;
            let answer = alice.put(&path, &edit).await;
            assert_eq!(answer.status, 200, "{edit}: {}", answer.text());
            let now = answer.json();
            assert_eq!(now["hasClientSecret"], !moves, "{edit}");
            let ask = alice.get(&format!("{path}/request/me")).await;
            if moves {
                assert_eq!(now["invalidated"], json!({ "clientSecret": true, "connections": 1 }), "{edit}");
                assert!(now["notice"].as_str().is_some_and(|text| text.contains("secret")), "{now}");
                ask.assert_hapi(409, "authorized again");
            } else {
                assert!(now.get("invalidated").is_none() && now.get("notice").is_none(), "{now}");
                assert_ne!(ask.status, 409, "{edit}: {}", ask.text());
            }
            assert!(alice.get(&path).await.json().get("notice").is_none(), "it is said once");
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_given_along_stays_and_connections_do_not() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let path = made(&alice.post(PATH, &at(&stub)).await);
        connect(&alice, &path).await;
        let edit =
            json!({ "apiBaseUri": format!("{}/v2", stub.origin), "clientSecret": "canary_new_secret" });
        let now = alice.put(&path, &edit).await.json();
        assert_eq!(
            (&now["hasClientSecret"], &now["invalidated"]["clientSecret"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(now["invalidated"]["connections"], 1);
        // Authorized again, it can be used again.
        stub.reply("/v2/me", crate::support::Reply::json("{}"));
        connect(&alice, &path).await;
        assert_eq!(alice.get(&format!("{path}/request/me")).await.status, 200);
        let quiet = alice.put(&path, &json!({ "apiBaseUri": format!("{}/v2", stub.origin) })).await.json();
        assert!(quiet.get("notice").is_none(), "it is there already: {quiet}");
    })
    .await;
}

#[tokio::test]
async fn where_a_key_goes_and_how_it_is_carried_is_a_move() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let body = json!({ "name": "K", "authType": "apikey", "apiBaseUri": format!("{}/api", stub.origin),
                           "apiKey": { "in": "header", "name": "X-Key" } });
        let path = made(&alice.post(PATH, &body).await);
        // In another place an API might say it back: in the address of a next page, in a header that it repeats.
        for edit in [
            json!({ "apiKey": { "in": "header", "name": "X-Other", "prefix": "Key " } }),
            json!({ "apiKey": { "in": "query", "name": "key" } }),
            json!({ "allowedHosts": ["uploads.example.com"] }),
        ] {
            let done = alice.post(&format!("{path}/connect"), &json!({ "apiKey": "canary_key" })).await;
            assert_eq!(done.status, 201, "{}", done.text());
            let now = alice.put(&path, &edit).await.json();
            assert_eq!(now["invalidated"], json!({ "clientSecret": false, "connections": 1 }), "{edit}");
            alice.get(&format!("{path}/request/me")).await.assert_hapi(409, "authorized again");
        }
        for name in ["{token}", "Bearer {access_token}"] {
            let edit = json!({ "headers": { "X-Request-Id": name } });
            alice.put(&path, &edit).await.assert_hapi(400, "headers: ");
        }
        alice.put(&path, &json!({ "apiKey": null })).await.assert_hapi(400, "apiKey: ");
        alice.put(&path, &json!({ "apiBaseUri": null })).await.assert_hapi(400, "apiBaseUri: ");
    })
    .await;
}

#[tokio::test]
async fn the_mode_stays_while_users_are_connected() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let path = made(&alice.post(PATH, &at(&stub)).await);
        connect(&alice, &path).await;
        let other = json!({ "mode": "shared" });
        alice.put(&path, &other).await.assert_hapi(409, "disconnect");
        assert_eq!(alice.get(&path).await.json()["mode"], "per-user");
        assert_eq!(alice.get(&format!("{path}/connection")).await.status, 200, "it is still connected");
        assert_eq!(alice.delete(&format!("{path}/connection")).await.status, 204);
        assert_eq!(alice.put(&path, &other).await.json()["mode"], "shared");
        connect(&alice, &path).await;
        alice.put(&path, &json!({ "mode": "per-user" })).await.assert_hapi(409, "disconnect");
    })
    .await;
}

#[tokio::test]
async fn of_changes_at_once_none_is_lost() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        let edits = [
            json!({ "description": "one" }),
            json!({ "tags": ["two"] }),
            json!({ "name": "Three" }),
            json!({ "scope": "four" }),
        ];
        let done = futures_util::future::join_all(edits.iter().map(|edit| alice.put(&path, edit))).await;
        let now = alice.get(&path).await.json();
        assert!(done.iter().any(|answer| answer.status == 200));
        for (edit, answer) in edits.iter().zip(&done) {
            let (name, value) = edit.as_object().and_then(|edit| edit.iter().next()).expect("a field");
            match answer.status.as_u16() {
                200 => assert_eq!(&now[name], value, "{edit} was answered 200"),
                _ => {
                    answer.assert_hapi(409, "changed meanwhile");
                    assert_ne!(&now[name], value, "{edit} was answered 409");
                }
            }
        }
    })
    .await;
}
