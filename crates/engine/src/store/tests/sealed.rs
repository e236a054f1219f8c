//! Sealed texts are found by the root key that wraps them, counted, and replaced by whoever read what is there.

use super::*;
use crate::{
    domain::webhook::{Endpoint, Format},
    id::EndpointId,
    store::sealed::column_name,
    vault::{Field, KeyRing, Vault},
};

/// A workspace's JWT secret by a root key; the id that matters is the workspace's.
async fn keep(store: &Store, vault: &Vault, name: &str) -> Workspace {
    let mut made = workspace(name);
    let aad = Field::JwtSecret.of(&made.id, made.id.as_str());
    made.jwt_secret = Some(vault.seal(&aad, &crate::secret::token().unwrap()).unwrap());
    let mut conn = begin(store).await;
    conn.create_workspace(&made).await.unwrap();
    conn.commit().await.unwrap();
    made
}

fn vault(id: &str) -> Vault {
    Vault::new(KeyRing::parse(KeyRing::generate_as(id).unwrap().expose()).unwrap())
}

#[tokio::test]
async fn every_field_has_a_column_that_can_be_counted_read_and_written() {
    on_each(async |store| {
        let Scene { integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        for field in Field::ALL {
            let counts = conn.any_sealed_by_root(field).await.unwrap();
            let rows = conn.any_sealed_not_under(field, "k1", "", 10).await.unwrap();
            let given = if field == Field::ClientSecret { 2 } else { 0 };
            assert_eq!((rows.len(), counts.values().sum::<i64>()), (given, given as i64), "{field:?}");
            let nowhere = super::super::SealedRow {
                workspace_id: integration.workspace_id.clone(),
                record: "no such row".into(),
                sealed: sealed("v1.k.a.b"),
            };
            assert!(!conn.any_replace_sealed(field, &nowhere, &sealed("x")).await.unwrap(), "{field:?}");
            let (table, column) = column_name(field).split_once('.').unwrap();
            assert!(!table.is_empty() && !column.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn root_keys_are_told_apart_by_their_whole_id() {
    on_each(async |store| {
        let longest = "k".repeat(32);
        // An underscore is a letter like any other, and one id may begin with another.
        for (at, id) in ["k1", "k_", "k_", "kx", "k12", &longest].into_iter().enumerate() {
            keep(&store, &vault(id), &at.to_string()).await;
        }
        let mut broken = workspace("broken");
        broken.jwt_secret = Some(sealed("nonsense"));
        let mut conn = begin(&store).await;
        conn.create_workspace(&broken).await.unwrap();
        conn.create_workspace(&workspace("without")).await.unwrap();
        let counts = conn.any_sealed_by_root(Field::JwtSecret).await.unwrap();
        let expected = [("", 1), ("k1", 1), ("k12", 1), ("k_", 2), (longest.as_str(), 1), ("kx", 1)];
        assert_eq!(counts, expected.map(|(id, n)| (id.to_owned(), n)).into());
        for (id, others) in [("k_", 5), ("k1", 6), ("k", 7), (longest.as_str(), 6)] {
            let rows = conn.any_sealed_not_under(Field::JwtSecret, id, "", 100).await.unwrap();
            assert_eq!(rows.len(), others, "{id}");
            assert!(rows.iter().all(|row| row.sealed.root_key_id() != Some(id)));
        }
    })
    .await;
}

#[tokio::test]
async fn batches_follow_one_another_by_id() {
    on_each(async |store| {
        let (old, new) = (vault("k1"), vault("k2"));
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(keep(&store, if n == 2 { &new } else { &old }, &n.to_string()).await.id);
        }
        ids.remove(2);
        ids.sort();
        let mut conn = read(&store).await;
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let rows = conn.any_sealed_not_under(Field::JwtSecret, "k2", &after, 3).await.unwrap();
            assert!(rows.len() <= 3);
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.record);
            found.extend(rows.into_iter().map(|row| {
                assert_eq!(row.workspace_id.as_str(), row.record);
                row.workspace_id
            }));
        }
        assert_eq!(found, ids);
    })
    .await;
}

#[tokio::test]
async fn only_the_text_that_was_read_is_replaced() {
    on_each(async |store| {
        let vault = vault("k1");
        let (one, two) = (keep(&store, &vault, "one").await, keep(&store, &vault, "two").await);
        let mut conn = begin(&store).await;
        let rows = conn.any_sealed_not_under(Field::JwtSecret, "k2", "", 10).await.unwrap();
        let row = rows.into_iter().find(|row| row.record == one.id.as_str()).unwrap();
        assert!(conn.any_replace_sealed(Field::JwtSecret, &row, &sealed("v1.k2.a.b")).await.unwrap());
        assert!(!conn.any_replace_sealed(Field::JwtSecret, &row, &sealed("v1.k2.late.b")).await.unwrap());
        let now = conn.workspace(&one.id).await.unwrap().unwrap();
        assert_eq!((now.jwt_secret, now.updated_at), (Some(sealed("v1.k2.a.b")), one.updated_at));
        assert_eq!(conn.workspace(&two.id).await.unwrap().unwrap().jwt_secret, two.jwt_secret);
    })
    .await;
}

#[tokio::test]
async fn an_edit_of_something_else_does_not_undo_a_new_wrapping() {
    on_each(async |store| {
        let Scene { ws, mut integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let rows = conn.any_sealed_not_under(Field::ClientSecret, "k2", "", 10).await.unwrap();
        let row = rows.into_iter().find(|row| row.record == integration.id.as_str()).unwrap();
        assert!(conn.any_replace_sealed(Field::ClientSecret, &row, &sealed("v1.k2.c.b")).await.unwrap());
        for (edited, kept) in [
            (Some("v1.k.a.b"), Some("v1.k2.c.b")),
            (Some("v1.k2.d.other"), Some("v1.k2.d.other")),
            (None, None),
            (Some("v1.k2.e.b"), Some("v1.k2.e.b")),
        ] {
            integration.client_secret = edited.map(sealed);
            integration.version = conn.update_integration(&ws, &integration).await.unwrap();
            let now = conn.integration(&ws, &integration.id).await.unwrap().unwrap();
            assert_eq!(now.client_secret, kept.map(sealed), "{edited:?}");
        }

        let mut hook = endpoint(&ws);
        hook.previous_secret = Some(sealed("v1.k.p.q"));
        conn.create_endpoint(&ws, &hook).await.unwrap();
        for (field, anew) in
            [(Field::WebhookSecret, "v1.k2.c.b"), (Field::PreviousWebhookSecret, "v1.k2.r.q")]
        {
            let rows = conn.any_sealed_not_under(field, "k2", "", 10).await.unwrap();
            assert!(conn.any_replace_sealed(field, &rows[0], &sealed(anew)).await.unwrap());
        }
        conn.update_endpoint(&ws, &hook).await.unwrap();
        let now = conn.endpoint(&ws, &hook.id).await.unwrap().unwrap();
        assert_eq!(
            (now.secret, now.previous_secret),
            (sealed("v1.k2.c.b"), Some(sealed("v1.k2.r.q"))),
            "what was wrapped anew stays"
        );
        (hook.previous_secret, hook.secret) = (Some(sealed("v1.k2.s.b")), sealed("v1.k2.t.new"));
        conn.update_endpoint(&ws, &hook).await.unwrap();
        let now = conn.endpoint(&ws, &hook.id).await.unwrap().unwrap();
        assert_eq!((now.secret, now.previous_secret), (hook.secret.clone(), hook.previous_secret.clone()));
        hook.previous_secret = None;
        conn.update_endpoint(&ws, &hook).await.unwrap();
        assert_eq!(conn.endpoint(&ws, &hook.id).await.unwrap().unwrap().previous_secret, None);
    })
    .await;
}

fn endpoint(ws: &WorkspaceId) -> Endpoint {
    Endpoint {
        id: EndpointId::new(),
        workspace_id: ws.clone(),
        name: "main".to_owned(),
        url: "https://hooks.example".to_owned(),
        events: vec![EventKind::ConnectionCreated],
        format: Format::Bundleup,
        secret: sealed("v1.k.a.b"),
        previous_secret: None,
        previous_secret_until: None,
        disabled_at: None,
        disabled_reason: None,
        last_triggered_at: None,
        created_at: T0,
        updated_at: T0,
    }
}
