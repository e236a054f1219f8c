//! Bringing once more: what is replaced, what is left alone, and who comes too late.

use super::*;

#[tokio::test]
async fn connecting_again_keeps_the_connection_and_replaces_its_credential() {
    for (provider, told) in [("single", 2), ("oauth2", 0)] {
        on_each_with(single, async |app| {
            let (alice, mint) = (someone(app, &app.acme, "alice", &[]).await, Mint::start().await);
            let id = integrate(app, it(provider, &mint.up.origin), &[&alice]).await;
            let integration = app.integration(&app.acme, &id).await;
            let first = connected(app, &alice).await;
            app.pass(Duration::from_secs(9));
            mint.instead.lock().unwrap().push_back((400, r#"{"error":"invalid_grant"}"#));
            app.pass(HOUR);
            assert_problem(&request(app, &alice).await, 409, "authorized again");
            let was = kept(app, &integration, "alice").await;
            assert_eq!((was.status, version(app, &was).await), (Status::NeedsReauth, 1));
            let frozen = Some(app.broker.clock.now());
            app.change(async |to| {
                to.conn.freeze_connection(&app.acme.workspace, &was.id, frozen).await.map(drop)
            })
            .await;

            let second = connected(app, &alice).await;
            assert_eq!((&second["id"], &second["createdAt"]), (&first["id"], &first["createdAt"]));
            let now = app.broker.clock.now().rfc3339();
            assert_eq!(
                (second["lastAuthorizedAt"].as_str(), second["updatedAt"].as_str()),
                (Some(now.as_str()), Some(now.as_str()))
            );
            assert!(second.get("needsAuthorization").is_none(), "{second}");
            let is = kept(app, &integration, "alice").await;
            assert_eq!((is.status, is.status_reason.as_deref()), (Status::Active, None));
            assert_eq!((version(app, &is).await, is.frozen_at), (2, frozen), "the operator's freeze stays");
            assert_problem(&request(app, &alice).await, 403, "frozen");
            app.change(async |to| {
                to.conn.freeze_connection(&app.acme.workspace, &is.id, None).await.map(drop)
            })
            .await;
            assert_eq!(request(app, &alice).await.status, 200);
            assert_eq!(mint.used(), ["Bearer access-3"]);
            let (created, expired) = (EventKind::ConnectionCreated, EventKind::ConnectionExpired);
            assert_eq!(kinds(app).await, [EventKind::ConnectionUpdated, expired, created]);
            app.broker.settle(Duration::from_secs(5)).await;
            assert_eq!(revoked(&mint), told, "{provider}: only where that ends nothing else");
            let audits = app.read().await.audits(&app.acme.workspace, &ALL).await.unwrap();
            let row = audits.iter().find(|row| row.verb == "connection.authorize").expect("an audit row");
            assert_eq!(row.actor, format!("user:{}", alice.user.id));
        })
        .await;
    }
}

#[tokio::test]
async fn a_replaced_token_that_others_live_on_is_not_revoked() {
    on_each_with(single, async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let mint = Mint::start().await;
        integrate(app, it("single", &mint.up.origin), &[&alice, &bob]).await;
        connected(app, &alice).await;
        connected(app, &bob).await;
        connected(app, &alice).await;
        app.broker.settle(Duration::from_secs(5)).await;
        assert_eq!(revoked(&mint), 0, "bob's is of the same account");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_under_way_does_not_undo_an_authorization() {
    on_each(async |app| {
        let (alice, mut mint) = (someone(app, &app.acme, "alice", &[]).await, Mint::start().await);
        integrate(app, it("oauth2", &mint.up.origin), &[&alice]).await;
        connected(app, &alice).await;
        mint.hold();
        app.pass(HOUR);
        let (answer, ()) = tokio::join!(request(app, &alice), async {
            mint.waiting.recv().await.expect("a refresh");
            connected(app, &alice).await;
            mint.permits.add_permits(1);
        });
        assert_eq!(answer.status, 200, "{}", answer.text());
        request(app, &alice).await;
        assert_eq!(mint.used(), ["Bearer access-3", "Bearer access-3"]);
    })
    .await;
}

#[tokio::test]
async fn a_shared_connection_is_put_anew_only_by_its_maker_or_a_superuser() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let mint = Mint::start().await;
        let shared = NewIntegration { mode: Mode::Shared, ..it("oauth2", &mint.up.origin) };
        let id = integrate(app, shared, &[&alice, &bob]).await;
        let first = connected(app, &alice).await;
        assert_eq!((&first["isShared"], &first["ownerId"]), (&json!(true), &json!("alice")));
        assert_problem(&bring(app, &bob, &json!({ "code": "c" })).await, 403, "superuser");
        assert_eq!(mint.forms.lock().unwrap().len(), 1, "the code is not spent in vain");
        assert_eq!(request(app, &bob).await.status, 200, "but it is bob's to use");

        let second = connected(app, &root).await;
        assert_eq!(
            (&second["id"], &second["ownerId"]),
            (&first["id"], &json!("alice")),
            "it stays whose it is"
        );
        connected(app, &alice).await;
        let integration = app.integration(&app.acme, &id).await;
        assert_eq!(version(app, &kept(app, &integration, "bob").await).await, 3);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_loses_the_race_for_a_shared_connection_leaves_no_grant_behind() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let mut mint = Mint::start().await;
        let shared = NewIntegration { mode: Mode::Shared, ..it("oauth2", &mint.up.origin) };
        integrate(app, shared, &[&alice, &bob]).await;
        mint.hold();
        let given = json!({ "refreshToken": "refresh-0" });
        let (lost, ()) = tokio::join!(bring(app, &bob, &given), async {
            mint.waiting.recv().await.expect("a refresh");
            connected(app, &alice).await;
            let made = app.connections(&app.acme).await.remove(0);
            // Of another account: what bob got is not what this one lives on.
            let other = Connection {
                account: claviger_engine::domain::connection::Account {
                    id: Some("else".into()),
                    ..Default::default()
                },
                ..made
            };
            app.change(async |to| to.conn.authorize_connection(&app.acme.workspace, &other).await).await;
            mint.permits.add_permits(1);
        });
        assert_problem(&lost, 403, "superuser");
        assert!(revoked(&mint) > 0, "bob's new tokens are nobody's");
        assert_eq!(request(app, &alice).await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-2"]);
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_costs_no_token() {
    on_each(async |app| {
        let (alice, mut mint) = (someone(app, &app.acme, "alice", &[]).await, Mint::start().await);
        let id = integrate(app, it("oauth2", &mint.up.origin), &[&alice]).await;
        mint.hold();
        let (url, token) = (format!("{}/api/integrations/it/connect", app.origin), alice.token.clone());
        let caller = tokio::spawn(async move {
            let request = http::Request::post(url).header("authorization", format!("Bearer {token}"));
            let body = json!({ "refreshToken": "refresh-0" }).to_string();
            crate::support::Browser::new().send(request, body.into()).await
        });
        mint.waiting.recv().await.expect("a refresh");
        caller.abort();
        assert!(caller.await.is_err_and(|ended| ended.is_cancelled()));
        mint.permits.add_permits(1);
        let integration = app.integration(&app.acme, &id).await;
        while app.connections(&app.acme).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kept(app, &integration, "alice").await;
        assert_eq!(request(app, &alice).await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-1"]);
    })
    .await;
}

#[tokio::test]
async fn tokens_that_can_not_be_kept_leave_what_was_there() {
    on_each(async |app| {
        let (alice, mint) = (someone(app, &app.acme, "alice", &[]).await, Mint::start().await);
        let id = integrate(app, it("oauth2", &mint.up.origin), &[&alice]).await;
        let integration = app.integration(&app.acme, &id).await;
        let first = connected(app, &alice).await;
        // The database comes back after a while.
        trial::lose_table(&app.broker.store, "change_log").await;
        let (again, ()) = tokio::join!(connected(app, &alice), async {
            while mint.forms.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
            app.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(50)).await;
            trial::find_table(&app.broker.store, "change_log").await;
            app.drift(60).await;
        });
        assert_eq!(again["id"], first["id"]);
        assert_eq!(version(app, &kept(app, &integration, "alice").await).await, 2);
        // It does not.
        trial::lose_table(&app.broker.store, "event").await;
        let answer = app.passing(bring(app, &alice, &json!({ "code": "c" }))).await;
        assert_problem(&answer, 500, "our side");
        assert_eq!(version(app, &kept(app, &integration, "alice").await).await, 2);
        assert_eq!(request(app, &alice).await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-2"]);
        assert_eq!(revoked(&mint), 0, "it may be the grant that the connection lives on");
    })
    .await;
}
