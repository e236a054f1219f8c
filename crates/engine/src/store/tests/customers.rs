//! Customers and the keys by which their tokens are verified.

use serde_json::json;

use super::*;
use crate::{
    domain::{
        customer::Customer,
        jwt_key::{Algorithm, JwtKey},
    },
    id::{CustomerId, JwtKeyId},
};

fn customer(ws: &WorkspaceId, key: &str, at: Millis) -> Customer {
    Customer {
        id: CustomerId::new(),
        workspace_id: ws.clone(),
        key: key.to_owned(),
        name: Some(format!("Name of {key}")),
        fields: json!({ "plan": "pro", "nested": { "ä": [1, null] } }).as_object().cloned().unwrap(),
        credentials: None,
        seen_at: at,
        created_at: at,
        updated_at: at,
    }
}

#[tokio::test]
async fn a_customer_is_found_by_either_id_in_its_workspace_alone() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let (ours, theirs) = (customer(&ws, "user-1", T0), customer(&other, "user-1", T0));
        let mut conn = begin(&store).await;
        conn.create_customer(&ws, &ours).await.unwrap();
        conn.create_customer(&other, &theirs).await.unwrap();
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        let is = conn.customer(&ws, &ours.id).await.unwrap().unwrap();
        assert_eq!((is.key, is.name, is.fields), (ours.key.clone(), ours.name.clone(), ours.fields.clone()));
        assert_eq!((is.seen_at, is.created_at, is.updated_at), (T0, T0, T0));
        assert!(is.credentials.is_none() && is.workspace_id == ws);
        for (ws, key, want) in [
            (&ws, "user-1", Some(&ours)),
            (&other, "user-1", Some(&theirs)),
            (&ws, "USER-1", None),
            (&ws, "user-1\0", None),
            (&ws, "", None),
        ] {
            let found = conn.customer_by_key(ws, key).await.unwrap().map(|found| found.id);
            assert_eq!(found.as_ref(), want.map(|want| &want.id), "{key:?}");
        }
        assert!(conn.customer(&ws, &theirs.id).await.unwrap().is_none());
        drop(conn);
        conflict(begin(&store).await.create_customer(&ws, &customer(&ws, "user-1", T0)).await);
        assert_eq!(audited(&store, &ws).await.last().unwrap(), &format!("customer.create {}", ours.id));
    })
    .await;
}

#[tokio::test]
async fn whoever_meets_a_customer_second_gets_the_first_ones() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let (one, two) = (customer(&ws, "user-1", T0), customer(&ws, "user-1", later(5)));
        let meet = async |customer: &Customer| {
            let mut conn = begin(&store).await;
            let met = conn.meet_customer(&ws, customer).await.unwrap();
            conn.commit().await.unwrap();
            met
        };
        let (first, second) = tokio::join!(meet(&one), meet(&two));
        assert_eq!(first.id, second.id, "there is one");
        assert_eq!(read(&store).await.customers(&ws, None, &ALL).await.unwrap().len(), 1);
        assert!(!audited(&store, &ws).await.iter().any(|row| row.starts_with("customer.")));
    })
    .await;
}

#[tokio::test]
async fn customers_are_listed_newest_first_and_searched() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        for (n, key) in ["a_1", "b%2", "c3"].into_iter().enumerate() {
            let made = customer(&ws, key, later(u64::try_from(n).unwrap()));
            conn.create_customer(&ws, &made).await.unwrap();
        }
        conn.create_customer(&other, &customer(&other, "a_1", T0)).await.unwrap();
        let mut find = async |search: Option<&str>, offset, limit| {
            let found = conn.customers(&ws, search, &Page { offset, limit }).await.unwrap();
            found.into_iter().map(|it| it.key).collect::<Vec<_>>()
        };
        assert_eq!(find(None, 0, 9).await, ["c3", "b%2", "a_1"]);
        assert_eq!(find(None, 1, 1).await, ["b%2"]);
        assert_eq!(find(Some("NAME of"), 0, 9).await.len(), 3);
        assert_eq!(find(Some("  "), 0, 9).await.len(), 3);
        assert_eq!(find(Some("_"), 0, 9).await, ["a_1"]);
        assert_eq!(find(Some("%"), 0, 9).await, ["b%2"]);
        assert!(find(Some("of name"), 0, 9).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_customer_is_changed_touched_and_removed_with_what_is_kept_of_it() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (one, two) = (customer(&ws, "user-1", T0), customer(&ws, "user-2", T0));
        let of = |key: &str| Owner { kind: OwnerKind::Customer, key: Some(key.to_owned()) };
        let flows = ["user-1", "user-2"].map(|key| Flow { owner: of(key), ..flow(&integration, later(60)) });
        let namesake = flow(&integration, later(60));
        let namesake =
            Flow { owner: Owner { key: Some("user-1".to_owned()), ..namesake.owner.clone() }, ..namesake };
        let mut conn = begin(&store).await;
        for made in [&one, &two] {
            conn.create_customer(&ws, made).await.unwrap();
        }
        for made in flows.iter().chain([&namesake]) {
            conn.create_flow(&ws, made).await.unwrap();
        }
        let told = Customer {
            name: None,
            fields: Default::default(),
            credentials: Some(sealed("not for it to change")),
            seen_at: later(1),
            updated_at: later(1),
            ..one.clone()
        };
        assert!(missing(conn.tell_of_customer(&other, &told).await));
        conn.tell_of_customer(&ws, &told).await.unwrap();
        let is = conn.hold_customer(&ws, &one.id).await.unwrap().unwrap();
        assert!(is.name.is_none() && is.fields.is_empty() && is.credentials.is_none());
        assert_eq!((is.seen_at, is.updated_at), (later(1), later(1)));
        assert!(conn.hold_customer(&other, &one.id).await.unwrap().is_none());
        assert!(
            conn.customers(&ws, Some("name of user-1"), &ALL).await.unwrap().is_empty(),
            "nor is it searched"
        );

        let changed = Customer { name: Some("Ada".to_owned()), seen_at: later(9), ..told.clone() };
        assert!(missing(conn.update_customer(&other, &changed).await));
        conn.update_customer(&ws, &changed).await.unwrap();
        let is = conn.customer(&ws, &one.id).await.unwrap().unwrap();
        assert_eq!((is.name.as_deref(), is.credentials), (Some("Ada"), changed.credentials));
        assert_eq!(is.seen_at, later(1), "a change is no token");
        assert_eq!(conn.customers(&ws, Some("ada"), &ALL).await.unwrap().len(), 1);

        for (at, want) in [(later(30), later(1)), (later(62), later(62)), (later(70), later(62))] {
            conn.touch_customer(&ws, &one.id, at).await.unwrap();
            assert_eq!(conn.customer(&ws, &one.id).await.unwrap().unwrap().seen_at, want);
        }
        let kept = conn.customer(&ws, &two.id).await.unwrap().unwrap();
        assert_eq!((kept.name, kept.seen_at), (two.name.clone(), T0));

        assert!(!conn.delete_customer(&other, &one).await.unwrap());
        assert!(conn.delete_customer(&ws, &one).await.unwrap());
        assert!(!conn.delete_customer(&ws, &one).await.unwrap());
        assert!(conn.any_flow(&flows[0].id).await.unwrap().is_none(), "what it began is gone");
        assert!(conn.any_flow(&flows[1].id).await.unwrap().is_some());
        assert!(conn.any_flow(&namesake.id).await.unwrap().is_some(), "another door's owner is another");
        assert!(conn.customer(&ws, &two.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn keys_belong_to_a_workspace_and_have_a_name_each() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let key = |ws: &WorkspaceId, name: &str, algorithm, at| JwtKey {
            id: JwtKeyId::new(),
            workspace_id: ws.clone(),
            name: name.to_owned(),
            algorithm,
            public_key: format!("the key {name}"),
            created_at: at,
        };
        let mut conn = begin(&store).await;
        let all = Algorithm::ALL.map(|algorithm| key(&ws, algorithm.as_str(), algorithm, T0));
        for made in &all {
            conn.create_jwt_key(&ws, made).await.unwrap();
        }
        conn.create_jwt_key(&other, &key(&other, "RS256", Algorithm::ES256, T0)).await.unwrap();
        conn.commit().await.unwrap();
        let is = read(&store).await.jwt_keys(&ws).await.unwrap();
        let shown = |key: &JwtKey| (key.id.clone(), key.name.clone(), key.algorithm, key.public_key.clone());
        assert_eq!(is.iter().map(shown).collect::<Vec<_>>(), all.iter().map(shown).collect::<Vec<_>>());
        conflict(begin(&store).await.create_jwt_key(&ws, &key(&ws, "RS256", Algorithm::ES256, T0)).await);
        let mut conn = begin(&store).await;
        assert!(!conn.delete_jwt_key(&other, &all[0].id).await.unwrap());
        assert!(conn.delete_jwt_key(&ws, &all[0].id).await.unwrap());
        assert_eq!(conn.jwt_keys(&ws).await.unwrap().len(), all.len() - 1);
        assert_eq!(conn.jwt_keys(&other).await.unwrap().len(), 1);
    })
    .await;
}
