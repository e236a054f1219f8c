//! Customers' connections and what is left of archived ones; integrations on offer.

use super::*;
use crate::{
    domain::{customer::Customer, share::Principal},
    id::CustomerId,
    store::{CustomerConnection, CustomerConnectionFilter, Kind},
};

fn customer(ws: &WorkspaceId, key: &str) -> Customer {
    Customer {
        id: CustomerId::new(),
        workspace_id: ws.clone(),
        key: key.to_owned(),
        name: None,
        fields: serde_json::Map::new(),
        credentials: None,
        seen_at: T0,
        created_at: T0,
        updated_at: T0,
    }
}

fn own(ws: &WorkspaceId, integration: &IntegrationId, key: &str) -> Connection {
    let owner = Owner { kind: OwnerKind::Customer, key: Some(key.to_owned()) };
    Connection { owner, ..connection(ws, integration, None) }
}

fn ids(found: &[CustomerConnection]) -> Vec<ConnectionId> {
    found.iter().map(|one| one.connection.id.clone()).collect()
}

#[tokio::test]
async fn an_archived_connection_leaves_what_is_no_secret_and_is_found_by_its_id() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let alice = customer(&ws, "alice");
        let made = Connection {
            name: Some("Work".to_owned()),
            auth_option: Some("key".to_owned()),
            refreshed_at: Some(later(5)),
            ..own(&ws, &integration.id, "alice")
        };
        let mut conn = begin(&store).await;
        conn.create_customer(&ws, &alice).await.unwrap();
        conn.create_connection(&ws, &made).await.unwrap();
        let live = conn.customer_connection(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((live.connection.id.clone(), live.archived_at), (made.id.clone(), None));
        assert_eq!(live.customer_id.as_ref(), Some(&alice.id));
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        conn.delete_connection(&ws, &made.id).await.unwrap();
        conn.archive_connection(&ws, &made, later(9)).await.unwrap();
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        let left = conn.customer_connection(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((left.archived_at, left.customer_id), (Some(later(9)), Some(alice.id)));
        let Connection {
            name, auth_option, owner, refreshed_at, created_at, status, account, inputs, ..
        } = left.connection;
        assert_eq!((name, auth_option, owner), (made.name, made.auth_option, made.owner));
        assert_eq!((refreshed_at, created_at, status), (Some(later(5)), T0, Status::NeedsReauth));
        assert_eq!((account, inputs), (Account::default(), BTreeMap::new()), "nothing else is kept");
        assert!(conn.connection(&ws, &made.id).await.unwrap().is_none(), "no other door sees it");
        assert!(conn.customer_connection(&other, &made.id).await.unwrap().is_none());

        // It goes with its integration.
        let mut conn = begin(&store).await;
        assert!(conn.delete_integration(&ws, &integration.id).await.unwrap());
        conn.commit().await.unwrap();
        assert!(read(&store).await.customer_connection(&ws, &made.id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn customers_connections_are_filtered_and_paged_archived_ones_among_them() {
    on_each(async |store| {
        let Scene { ws, other, integration: crm, foreign } = scene(&store).await;
        let files = Integration {
            name: "Files".to_owned(),
            provider: "drive".to_owned(),
            ..integration(&ws, "files")
        };
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &files).await.unwrap();
        let mut all = Vec::new();
        for (at, of, key) in [
            (0, &crm, "alice"),
            (1, &crm, "bob"),
            (2, &files, "alice"),
            (3, &crm, "alice"),
            (4, &files, "alice"),
        ] {
            let made = Connection { created_at: later(at), ..own(&ws, &of.id, key) };
            conn.create_connection(&ws, &made).await.unwrap();
            all.push(made);
        }
        for planted in [connection(&ws, &crm.id, Some("alice")), own(&other, &foreign.id, "alice")] {
            conn.create_connection(&planted.workspace_id.clone(), &planted).await.unwrap();
        }
        assert!(conn.name_connection(&ws, &all[0].id, Some("My Files")).await.unwrap());
        conn.set_connection_status(&ws, &all[1].id, Status::NeedsReauth, None, T0).await.unwrap();
        conn.freeze_connection(&ws, &all[2].id, Some(T0)).await.unwrap();
        conn.delete_connection(&ws, &all[3].id).await.unwrap();
        conn.archive_connection(&ws, &all[3], later(9)).await.unwrap();
        conn.commit().await.unwrap();

        let none = CustomerConnectionFilter::default;
        let alice = || CustomerConnectionFilter { owner_key: Some("alice".to_owned()), ..none() };
        let text = |text: &str| Some(text.to_owned());
        for (filter, expected) in [
            (none(), vec![4, 2, 1, 0]),
            (alice(), vec![4, 2, 0]),
            (CustomerConnectionFilter { archived: true, ..alice() }, vec![4, 3, 2, 0]),
            (CustomerConnectionFilter { archived: true, ..none() }, vec![4, 3, 2, 1, 0]),
            (CustomerConnectionFilter { integration_id: Some(files.id.clone()), ..alice() }, vec![4, 2]),
            (CustomerConnectionFilter { provider: text("sandbox"), archived: true, ..none() }, vec![3, 1, 0]),
            (CustomerConnectionFilter { usable: Some(true), archived: true, ..none() }, vec![4, 0]),
            (CustomerConnectionFilter { usable: Some(false), archived: true, ..none() }, vec![3, 2, 1]),
            (CustomerConnectionFilter { usable: Some(false), ..none() }, vec![2, 1]),
            (CustomerConnectionFilter { search: text("FILES"), ..none() }, vec![4, 2, 0]),
            (CustomerConnectionFilter { search: text("my %"), ..none() }, vec![]),
            (CustomerConnectionFilter { owner_key: text("alice\0"), ..none() }, vec![]),
            (CustomerConnectionFilter { integration_id: Some(foreign.id.clone()), ..none() }, vec![]),
        ] {
            let found = read(&store).await.customer_connections(&ws, &filter, &ALL).await.unwrap();
            let expected: Vec<_> = expected.into_iter().map(|at: usize| all[at].id.clone()).collect();
            assert_eq!(ids(&found), expected, "{filter:?}");
            assert!(found.iter().all(|one| one.customer_id.is_none()), "nobody is known by these keys");
        }
        let page = Page { offset: 1, limit: 2 };
        let filter = CustomerConnectionFilter { archived: true, ..none() };
        let found = read(&store).await.customer_connections(&ws, &filter, &page).await.unwrap();
        assert_eq!(ids(&found), [all[3].id.clone(), all[2].id.clone()]);
        assert_eq!(found[0].archived_at, Some(later(9)));

        let mut conn = begin(&store).await;
        assert!(!conn.name_connection(&other, &all[0].id, None).await.unwrap());
        assert!(!conn.name_connection(&ws, &all[3].id, None).await.unwrap(), "it is archived");
        assert!(conn.name_connection(&ws, &all[0].id, None).await.unwrap());
        assert_eq!(conn.connection(&ws, &all[0].id).await.unwrap().unwrap().name, None);
    })
    .await;
}

#[tokio::test]
async fn a_customers_own_are_found_by_index() {
    use crate::store::customer_connection::OF_OWNER;
    on_each(async |store| {
        // PostgreSQL has no reason to choose among the indexes of empty tables.
        if store.kind() == Kind::Postgres {
            return;
        }
        let texts = [Some("w"), Some("alice"), None, None, None, None];
        let plan = super::connections::explain(&store, OF_OWNER, &texts, &[0, 10, 0]).await;
        for index in ["connection_of_owner", "archived_connection_listed"] {
            assert!(plan.contains(&format!("USING INDEX {index} ")), "{index}: {plan}");
        }
        assert!(!plan.contains("SCAN connection") && !plan.contains("SCAN archived"), "{plan}");
    })
    .await;
}

#[tokio::test]
async fn what_users_made_is_not_on_offer() {
    on_each(async |store| {
        let Scene { ws, other, integration: crm, .. } = scene(&store).await;
        let owner = Some(Principal::Team("ops".to_owned()));
        let theirs = Integration { owner, name: "Theirs".to_owned(), ..integration(&ws, "theirs") };
        let second =
            Integration { created_at: later(1), name: "Second".to_owned(), ..integration(&ws, "second") };
        let mut conn = begin(&store).await;
        for made in [&theirs, &second] {
            conn.create_integration(&ws, made).await.unwrap();
        }
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        let keys = |found: Vec<Integration>| found.into_iter().map(|it| it.key).collect::<Vec<_>>();
        assert_eq!(keys(conn.offered_integrations(&ws, None, &ALL).await.unwrap()), ["crm", "second"]);
        assert_eq!(keys(conn.offered_integrations(&ws, Some("second"), &ALL).await.unwrap()), ["second"]);
        let page = Page { offset: 1, limit: 1 };
        assert_eq!(keys(conn.offered_integrations(&ws, None, &page).await.unwrap()), ["second"]);
        assert!(conn.offered_integration(&ws, "crm").await.unwrap().is_some());
        assert!(conn.offered_integration(&ws, crm.id.as_str()).await.unwrap().is_some());
        assert!(conn.offered_integration(&ws, "theirs").await.unwrap().is_none());
        assert!(conn.offered_integration(&other, crm.id.as_str()).await.unwrap().is_none());
    })
    .await;
}
