//! Connections and credentials.

use super::*;
use crate::store::{ConnectionFilter, Kind};

#[tokio::test]
async fn a_connection_reads_back_in_its_workspace_only() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        let made = connection(&ws, &integration.id, Some("alice"));
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &made).await.unwrap();
        conn.commit().await.unwrap();
        conflict(begin(&store).await.create_connection(&ws, &connection(&ws, &foreign.id, None)).await);

        let mut conn = read(&store).await;
        let found = conn.connection(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((&found.owner, found.status, &found.account), (&made.owner, made.status, &made.account));
        assert_eq!((&found.scopes_asked, &found.inputs), (&made.scopes_asked, &made.inputs));
        assert_eq!((found.expires_at, found.refreshed_at), (made.expires_at, None));
        assert_eq!((found.integration_id, found.workspace_id), (integration.id, ws.clone()));
        assert!(conn.connection(&other, &made.id).await.unwrap().is_none());
        assert!(conn.connection(&ws, &ConnectionId::new()).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, foreign } = scene(&store).await;
        let second = integration(&ws, "second");
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &second).await.unwrap();
        let mut ids = Vec::new();
        for (of, owner) in
            [(&mine, Some("alice")), (&mine, Some("bob")), (&second, Some("alice")), (&mine, None)]
        {
            let made = connection(&ws, &of.id, owner);
            conn.create_connection(&ws, &made).await.unwrap();
            ids.push(made.id);
        }
        let user = Owner { kind: OwnerKind::User, key: Some("alice".to_owned()) };
        let planted = Connection { owner: user, ..connection(&ws, &mine.id, None) };
        conn.create_connection(&ws, &planted).await.unwrap();
        conn.create_connection(&other, &connection(&other, &foreign.id, Some("alice"))).await.unwrap();
        conn.set_connection_status(&ws, &ids[1], Status::NeedsReauth, None, T0).await.unwrap();
        conn.commit().await.unwrap();
        ids.push(planted.id);

        let external = || ConnectionFilter { owner_kind: Some(OwnerKind::External), ..Default::default() };
        let alice = || Some("alice".to_owned());
        for (filter, expected) in [
            (ConnectionFilter::default(), vec![4, 3, 2, 1, 0]),
            (external(), vec![3, 2, 1, 0]),
            (ConnectionFilter { owner_key: alice(), ..external() }, vec![2, 0]),
            (
                ConnectionFilter {
                    owner_key: alice(),
                    integration_id: Some(second.id.clone()),
                    ..external()
                },
                vec![2],
            ),
            (ConnectionFilter { integration_id: Some(foreign.id.clone()), ..Default::default() }, vec![]),
            (ConnectionFilter { status: Some(Status::NeedsReauth), ..Default::default() }, vec![1]),
            (ConnectionFilter { owner_key: Some("alice\0".to_owned()), ..external() }, vec![]),
        ] {
            let found = read(&store).await.connections(&ws, &filter, &ALL).await.unwrap();
            let found: Vec<_> = found.into_iter().map(|c| c.id).collect();
            let mut expected: Vec<_> = expected.into_iter().map(|at: usize| ids[at].clone()).collect();
            // Made in the same millisecond, ids decide; both orders are newest first.
            expected.sort_by(|a, b| b.cmp(a));
            assert_eq!(found, expected, "{filter:?}");
        }
        let page = Page { offset: 1, limit: 2 };
        let found = read(&store).await.connections(&ws, &ConnectionFilter::default(), &page).await.unwrap();
        let mut all = ids.clone();
        all.sort_by(|a, b| b.cmp(a));
        assert_eq!(found.into_iter().map(|c| c.id).collect::<Vec<_>>(), all[1..3]);
    })
    .await;
}

/// How the database goes about a list with these values, one line per step.
async fn plan(store: &Store, list: &'static str, given: [Option<&'static str>; 3]) -> String {
    let [integration, kind, key] = given;
    let texts = [Some("w"), integration, kind, key, None, None];
    explain(store, list, &texts, &[10, 0]).await
}

/// How the database goes about a query with these texts and then these numbers, one line per step.
pub(super) async fn explain(
    store: &Store,
    query: &'static str,
    texts: &[Option<&'static str>],
    numbers: &[i64],
) -> String {
    use sqlx::Row as _;
    let mut link = store.write.acquire().await.unwrap();
    let words = match store.kind() {
        Kind::Sqlite => "explain query plan ",
        Kind::Postgres => {
            // An empty table is best read whole.
            let no_choice = "set enable_seqscan = off; set enable_bitmapscan = off";
            sqlx::raw_sql(no_choice).execute(&mut *link).await.unwrap();
            "explain "
        }
    };
    let mut query = sqlx::query(sqlx::AssertSqlSafe(format!("{words}{query}")));
    for text in texts {
        query = query.bind(*text);
    }
    for number in numbers {
        query = query.bind(*number);
    }
    let steps = query.fetch_all(&mut *link).await.unwrap();
    let column = if store.kind() == Kind::Sqlite { 3 } else { 0 };
    let steps: Vec<String> = steps.iter().map(|row| row.get(column)).collect();
    if store.kind() == Kind::Postgres {
        sqlx::raw_sql("reset all").execute(&mut *link).await.unwrap();
    }
    steps.join("\n")
}

#[tokio::test]
async fn lists_are_found_by_index_and_come_in_order() {
    use crate::store::connection::{LISTED, OF_INTEGRATION, OF_OWNER};
    on_each(async |store| {
        let (i, k, o) = (Some("i"), Some("k"), Some("o"));
        for (list, given, index, by) in [
            (LISTED, [None, None, None], "connection_listed", &["workspace_id"][..]),
            (LISTED, [None, k, None], "connection_listed", &["workspace_id"]),
            (
                OF_INTEGRATION,
                [i, None, None],
                "connection_of_integration",
                &["workspace_id", "integration_id"],
            ),
            (OF_INTEGRATION, [i, k, None], "connection_of_integration", &["workspace_id", "integration_id"]),
            (OF_OWNER, [None, k, o], "connection_of_owner", &["workspace_id", "owner_kind", "owner_key"]),
        ] {
            let plan = plan(&store, list, given).await;
            let search = plan.lines().find(|step| match store.kind() {
                Kind::Sqlite => step.contains(&format!("USING INDEX {index} ")),
                Kind::Postgres => step.contains("Index Cond"),
            });
            let search = search.unwrap_or_else(|| panic!("{index}: {plan}"));
            assert!(plan.contains(index), "{plan}");
            assert!(by.iter().all(|column| search.contains(column)), "{plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_changes_and_ends() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let made = connection(&ws, &integration.id, Some("alice"));
        let id = &made.id;
        let more = BTreeMap::from([("instance_url".to_owned(), "https://x.example".to_owned())]);
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &made).await.unwrap();
        conn.create_credential(&ws, &credential(&made, 1)).await.unwrap();
        let reason = Some("invalid_grant\0: revoked");
        conn.set_connection_status(&ws, id, Status::NeedsReauth, reason, later(1)).await.unwrap();
        let found = conn.connection(&ws, id).await.unwrap().unwrap();
        assert_eq!((found.status, found.updated_at), (Status::NeedsReauth, later(1)));
        assert_eq!(found.status_reason.as_deref(), Some("invalid_grant: revoked"));
        let is = Connection {
            refreshed_at: Some(later(2)),
            expires_at: Some(later(900)),
            updated_at: later(2),
            scopes_granted: vec!["fewer".to_owned()],
            inputs: more,
            status: Status::Active,
            account: Account::default(),
            ..found
        };
        conn.note_refreshed(&ws, &is).await.unwrap();
        let found = conn.connection(&ws, id).await.unwrap().unwrap();
        assert_eq!((found.refreshed_at, found.expires_at), (Some(later(2)), Some(later(900))));
        assert_eq!((found.updated_at, &found.scopes_granted), (later(2), &is.scopes_granted));
        assert_eq!(found.inputs, is.inputs);
        assert_eq!((found.status, &found.account), (Status::NeedsReauth, &made.account), "nothing else");
        assert!(missing(conn.set_connection_status(&other, id, Status::Active, None, T0).await));
        assert!(missing(conn.note_refreshed(&other, &is).await));
        assert!(!conn.freeze_connection(&other, id, Some(T0)).await.unwrap());
        assert!(conn.freeze_connection(&ws, id, Some(later(3))).await.unwrap());
        assert_eq!(conn.connection(&ws, id).await.unwrap().unwrap().frozen_at, Some(later(3)));
        assert!(conn.freeze_connection(&ws, id, None).await.unwrap());
        assert_eq!(conn.connection(&ws, id).await.unwrap().unwrap().frozen_at, None);
        assert!(!conn.delete_connection(&other, id).await.unwrap());
        assert!(conn.delete_connection(&ws, id).await.unwrap());
        assert!(!conn.delete_connection(&ws, id).await.unwrap());
        assert!(conn.credential(&ws, id).await.unwrap().is_none());
        conn.commit().await.unwrap();
        let audit = audited(&store, &ws).await;
        let verbs = ["connection.create", "connection.freeze", "connection.thaw", "connection.delete"];
        let expected: Vec<_> = verbs.iter().map(|verb| format!("{verb} {id}")).collect();
        assert!(audit.ends_with(&expected), "{audit:?}");
    })
    .await;
}

#[tokio::test]
async fn providers_whose_connections_may_share_a_grant_are_told() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, foreign } = scene(&store).await;
        let same_client = integration(&ws, "same");
        let other_client = Integration { client_id: Some("x".to_owned()), ..integration(&ws, "x") };
        let elsewhere = Integration { provider: "elsewhere".to_owned(), ..integration(&ws, "elsewhere") };
        let mut conn = begin(&store).await;
        for made in [&same_client, &other_client, &elsewhere] {
            conn.create_integration(&ws, made).await.unwrap();
        }
        let one = connection(&ws, &mine.id, Some("alice"));
        conn.create_connection(&ws, &one).await.unwrap();
        conn.create_connection(&ws, &connection(&ws, &other_client.id, None)).await.unwrap();
        let dead = Connection { status: Status::NeedsReauth, ..connection(&ws, &mine.id, None) };
        conn.create_connection(&ws, &dead).await.unwrap();
        let of = |account: Option<&str>, like: &Connection| Connection {
            id: ConnectionId::new(),
            account: Account { id: account.map(str::to_owned), ..Account::default() },
            ..like.clone()
        };
        let client = mine.client_id.clone().unwrap();
        let sharing = async |of: &Connection, conn: &mut Conn| {
            let mut providers = conn.any_providers_sharing(of, &client, T0).await.unwrap();
            providers.sort();
            providers
        };
        let here = || vec![mine.provider.clone()];
        assert!(sharing(&one, &mut conn).await.is_empty(), "itself, the dead and other clients don't count");
        assert_eq!(sharing(&dead, &mut conn).await, here(), "the dead one shares with the living");
        let (another, unknown) = (of(Some("acct-2"), &one), of(None, &one));
        assert!(sharing(&another, &mut conn).await.is_empty());
        assert_eq!(sharing(&unknown, &mut conn).await, here(), "an unknown account may be any");
        let product = connection(&ws, &elsewhere.id, None);
        conn.create_connection(&ws, &product).await.unwrap();
        assert_eq!(sharing(&one, &mut conn).await, ["elsewhere"], "another provider's is told as well");
        assert!(conn.delete_connection(&ws, &product.id).await.unwrap());
        let theirs =
            Connection { integration_id: foreign.id.clone(), workspace_id: other.clone(), ..unknown };
        conn.create_connection(&other, &theirs).await.unwrap();
        assert_eq!(sharing(&one, &mut conn).await, here(), "also in another workspace");
    })
    .await;
}

#[tokio::test]
async fn who_may_share_a_grant_is_found_by_client_and_account() {
    use crate::store::connection::{SHARING_ACCOUNT, SHARING_CLIENT};
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            return; // What it does depends on how many there are; here there are none.
        }
        let texts = ["client", "active", "conn", "0", "account"].map(Some);
        for (query, texts, by) in
            [(SHARING_ACCOUNT, &texts[..], "account_id"), (SHARING_CLIENT, &texts[..4], "status")]
        {
            let plan = explain(&store, query, texts, &[]).await;
            assert!(plan.contains("integration_of_client"), "{plan}");
            let found: Vec<_> = plan.lines().filter(|step| step.contains("SEARCH c ")).collect();
            assert!(!found.is_empty() && found.iter().all(|step| step.contains(by)), "{plan}");
            assert!(!plan.contains("SCAN"), "{plan}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_credential_is_replaced_only_over_the_version_seen() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let made = connection(&ws, &integration.id, None);
        let first = credential(&made, 1);
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &made).await.unwrap();
        conn.create_credential(&ws, &first).await.unwrap();
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        let found = conn.credential(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((&found.sealed, found.version), (&first.sealed, 1));
        assert_eq!((found.expires_at, found.refresh_expires_at), (first.expires_at, None));
        assert!(conn.credential(&other, &made.id).await.unwrap().is_none());
        drop(conn);

        // Any number of refreshers that saw version 1: one writes.
        let tries: Vec<_> = (0..6)
            .map(|_| {
                let (store, ws, newer) = (store.clone(), ws.clone(), credential(&made, 2));
                tokio::spawn(async move {
                    let mut conn = begin(&store).await;
                    let wrote = conn.replace_credential(&ws, &newer, 1).await.unwrap();
                    conn.commit().await.unwrap();
                    wrote
                })
            })
            .collect();
        let mut wrote = 0;
        for one in tries {
            wrote += usize::from(one.await.unwrap());
        }
        assert_eq!(wrote, 1);
        let mut conn = begin(&store).await;
        assert!(conn.hold_credential(&ws, &made.id, 2).await.unwrap());
        assert!(!conn.hold_credential(&ws, &made.id, 1).await.unwrap());
        assert!(!conn.hold_credential(&other, &made.id, 2).await.unwrap());
        assert!(!conn.replace_credential(&other, &credential(&made, 3), 2).await.unwrap());
        assert!(!conn.replace_credential(&ws, &credential(&made, 2), 2).await.unwrap());
        assert!(!conn.replace_credential(&ws, &credential(&made, 3), 1).await.unwrap());
        assert!(conn.replace_credential(&ws, &credential(&made, 3), 2).await.unwrap());
        assert_eq!(
            conn.credential(&ws, &made.id).await.unwrap().unwrap().sealed,
            credential(&made, 3).sealed
        );
    })
    .await;
}

/// A refresh writes the credential, then the connection; an end that came in between must wait, not lock it out.
#[tokio::test]
async fn a_refresh_and_an_end_never_wait_for_each_other() {
    on_each(async |store| {
        if store.kind() == Kind::Sqlite {
            return; // It has one writer.
        }
        let Scene { ws, integration, .. } = scene(&store).await;
        let made = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &made).await.unwrap();
        conn.create_credential(&ws, &credential(&made, 1)).await.unwrap();
        conn.commit().await.unwrap();

        let mut refresh = begin(&store).await;
        assert!(refresh.replace_credential(&ws, &credential(&made, 2), 1).await.unwrap());
        let (elsewhere, of, id) = (store.clone(), ws.clone(), made.id.clone());
        let end = tokio::spawn(async move {
            let mut conn = begin(&elsewhere).await;
            let ended = conn.delete_connection(&of, &id).await?;
            conn.commit().await.map(|()| ended)
        });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(!end.is_finished(), "it waits for the refresh");
        refresh.note_refreshed(&ws, &made).await.unwrap();
        refresh.commit().await.unwrap();
        assert!(end.await.unwrap().unwrap());
    })
    .await;
}
