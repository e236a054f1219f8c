//! What a webhook endpoint may be, and what becomes of a secret that is replaced.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::Catalog;

use super::{
    tests::{NOW, Room, new_workspace},
    webhook::{ENDPOINTS_MAX, OVERLAP_MAX},
    *,
};
use crate::{
    domain::{
        audit::Actor,
        event::EventKind,
        webhook::{DisabledReason, Endpoint, Format},
    },
    store::{Kind, trial},
    vault::KeyRing,
    webhook::{previous_secret_aad, secret_aad},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn new() -> NewWebhook {
    NewWebhook {
        name: "main".into(),
        url: "https://a.example/hook".into(),
        events: EventKind::ALL.to_vec(),
        format: Format::Bundleup,
        secret: None,
    }
}

fn edit() -> WebhookEdit {
    WebhookEdit::default()
}

fn field(error: Error) -> &'static str {
    match error {
        Error::Invalid { field, .. } => field,
        other => panic!("expected a field, got {other:?}"),
    }
}

fn standard(bytes: usize) -> Secret {
    Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(vec![7_u8; bytes])))
}

/// The secret and the one before it, opened.
fn opened(room: &Room, of: &Endpoint) -> (String, Option<String>) {
    let open = |aad: &Aad<'_>, sealed| room.vault.open(aad, sealed).unwrap().expose().to_owned();
    let previous = of.previous_secret.as_ref();
    (
        open(&secret_aad(&of.workspace_id, &of.id), &of.secret),
        previous.map(|sealed| open(&previous_secret_aad(&of.workspace_id, &of.id), sealed)),
    )
}

#[tokio::test]
async fn an_endpoint_has_its_rules() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    for (wrong, at) in [
        (NewWebhook { name: " ".into(), ..new() }, "name"),
        (NewWebhook { url: "http://a.example/".into(), ..new() }, "url"),
        (NewWebhook { events: Vec::new(), ..new() }, "events"),
        (NewWebhook { secret: Some(Secret::new("x".repeat(21))), ..new() }, "secret"),
        (NewWebhook { secret: Some(Secret::new("x".repeat(513))), ..new() }, "secret"),
        (NewWebhook { secret: Some(Secret::new("whsec_not base64, though long enough")), ..new() }, "secret"),
        (NewWebhook { secret: Some(standard(23)), ..new() }, "secret"),
        (NewWebhook { secret: Some(standard(65)), ..new() }, "secret"),
    ] {
        let refused = webhook(&mut to, &ws.id, wrong).await;
        assert_eq!(refused.map(drop).map_err(field), Err(at));
    }
    for fine in [standard(24), standard(64), Secret::new("x".repeat(22))] {
        let (made, told) =
            webhook(&mut to, &ws.id, NewWebhook { secret: Some(fine.clone()), ..new() }).await.unwrap();
        assert_eq!((opened(&room, &made).0.as_str(), told.expose()), (fine.expose(), fine.expose()));
    }
    let twice = [EventKind::ConnectionDeleted, EventKind::ConnectionCreated, EventKind::ConnectionDeleted];
    let (made, secret) =
        webhook(&mut to, &ws.id, NewWebhook { events: twice.to_vec(), ..new() }).await.unwrap();
    assert_eq!(made.events, twice[..2]);
    assert_eq!(opened(&room, &made), (secret.expose().to_owned(), None));
    let key = secret.expose().strip_prefix("whsec_").unwrap();
    assert_eq!((key.len(), BASE64_STANDARD.decode(key).unwrap().len()), (40, 30), "as the libraries want it");
}

#[tokio::test]
async fn a_workspace_has_only_so_many() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    for _ in 0..ENDPOINTS_MAX {
        webhook(&mut to, &ws.id, new()).await.unwrap();
    }
    assert!(matches!(webhook(&mut to, &ws.id, new()).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_nothing_else() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let (was, _) = webhook(&mut to, &ws.id, new()).await.unwrap();
    for (wrong, at) in [
        (WebhookEdit { name: Some(String::new()), ..edit() }, "name"),
        (WebhookEdit { url: Some("ftp://a.example".into()), ..edit() }, "url"),
        (WebhookEdit { events: Some(Vec::new()), ..edit() }, "events"),
        (WebhookEdit { secret: Some(Secret::new("short")), ..edit() }, "secret"),
        (
            WebhookEdit {
                secret: Some(standard(32)),
                overlap: OVERLAP_MAX + Duration::from_secs(1),
                ..edit()
            },
            "overlap",
        ),
    ] {
        assert_eq!(update_webhook(&mut to, &was, wrong).await.map(drop).map_err(field), Err(at));
    }
    let change =
        WebhookEdit { name: Some("new".into()), events: Some(vec![EventKind::ConnectionDeleted]), ..edit() };
    let now = update_webhook(&mut to, &was, change).await.unwrap();
    assert_eq!((now.name.as_str(), &now.url, now.events.len()), ("new", &was.url, 1));

    let asleep = update_webhook(&mut to, &now, WebhookEdit { active: Some(false), ..edit() }).await.unwrap();
    assert_eq!((asleep.disabled_at, asleep.disabled_reason), (Some(NOW), Some(DisabledReason::Asked)));
    let gone = Endpoint { disabled_reason: Some(DisabledReason::Gone), ..asleep };
    to.conn.update_endpoint(&ws.id, &gone).await.unwrap();
    let still = update_webhook(&mut to, &gone, WebhookEdit { active: Some(false), ..edit() }).await.unwrap();
    assert_eq!(still.disabled_reason, Some(DisabledReason::Gone), "why it slept is not forgotten");
    let awake = update_webhook(&mut to, &gone, WebhookEdit { active: Some(true), ..edit() }).await.unwrap();
    assert_eq!((awake.disabled_at, awake.disabled_reason), (None, None));
    let kept = to.conn.endpoint(&ws.id, &was.id).await.unwrap().unwrap();
    assert_eq!((kept.name, kept.disabled_at, kept.secret), (awake.name, None, was.secret));
}

#[tokio::test]
async fn what_changes_nothing_is_not_signed_as_a_change() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let (was, secret) = webhook(&mut to, &ws.id, new()).await.unwrap();
    let same = WebhookEdit {
        name: Some(was.name.clone()),
        url: Some(was.url.clone()),
        events: Some(was.events.clone()),
        secret: Some(secret),
        active: Some(true),
        ..edit()
    };
    let now = update_webhook(&mut to, &was, same).await.unwrap();
    assert_eq!((&now.secret, now.previous_secret), (&was.secret, None));
    let page = crate::store::Page { offset: 0, limit: 100 };
    let signed = conn.audits(&ws.id, &page).await.unwrap();
    assert!(signed.iter().all(|row| row.verb != "webhook_endpoint.update"), "{signed:?}");
}

#[tokio::test]
async fn a_replaced_secret_signs_until_its_time_is_over() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let (was, first) = webhook(&mut to, &ws.id, new()).await.unwrap();

    let given = standard(32);
    let change = WebhookEdit { secret: Some(given.clone()), ..edit() };
    let now = update_webhook(&mut to, &was, change).await.unwrap();
    assert_eq!(opened(&room, &now), (given.expose().to_owned(), Some(first.expose().to_owned())));
    assert_eq!(now.previous_secret_until, Some(NOW.plus(DAY)), "a day, unless it is said otherwise");

    let hour = Duration::from_secs(3600);
    let (rolled, fresh) = roll_webhook_secret(&mut to, &now, hour).await.unwrap();
    assert_eq!(opened(&room, &rolled), (fresh.expose().to_owned(), Some(given.expose().to_owned())));
    assert_eq!(rolled.previous_secret_until, Some(NOW.plus(hour)));
    let kept = to.conn.endpoint(&ws.id, &was.id).await.unwrap().unwrap();
    assert_eq!((kept.secret, kept.previous_secret), (rolled.secret.clone(), rolled.previous_secret.clone()));

    let (at_once, _) = roll_webhook_secret(&mut to, &rolled, Duration::ZERO).await.unwrap();
    assert_eq!((at_once.previous_secret, at_once.previous_secret_until), (None, None));
    let long = roll_webhook_secret(&mut to, &rolled, OVERLAP_MAX + hour).await;
    assert_eq!(long.map(drop).map_err(field), Err("overlap"));
}

#[tokio::test]
async fn a_change_keeps_what_another_one_made_since_it_was_read() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let (was, first) = webhook(&mut to, &ws.id, new()).await.unwrap();
    let (_, second) = roll_webhook_secret(&mut to, &was, DAY).await.unwrap();

    let rename = WebhookEdit { name: Some("new".into()), ..edit() };
    update_webhook(&mut to, &was, rename).await.unwrap();
    let kept = to.conn.endpoint(&ws.id, &was.id).await.unwrap().unwrap();
    assert_eq!(opened(&room, &kept), (second.expose().to_owned(), Some(first.expose().to_owned())));

    let (_, third) = roll_webhook_secret(&mut to, &was, DAY).await.unwrap();
    let kept = to.conn.endpoint(&ws.id, &was.id).await.unwrap().unwrap();
    assert_eq!(opened(&room, &kept), (third.expose().to_owned(), Some(second.expose().to_owned())));
}

#[tokio::test]
async fn two_at_once_do_not_pass_the_bound() {
    trial::on_each(async |store| {
        if store.kind() == Kind::Sqlite {
            return; // It has one writer.
        }
        let vault = Arc::new(Vault::new(KeyRing::parse(KeyRing::generate().unwrap().expose()).unwrap()));
        let catalog = Arc::new(Catalog::builtin().unwrap());
        let mut conn = store.begin(Actor::Cli, NOW).await.unwrap();
        let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now: NOW };
        let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
        for _ in 1..ENDPOINTS_MAX {
            webhook(&mut to, &ws.id, new()).await.unwrap();
        }
        conn.commit().await.unwrap();
        let mut first = store.begin(Actor::Cli, NOW).await.unwrap();
        let mut to = Change { conn: &mut first, vault: &vault, catalog: &catalog, now: NOW };
        webhook(&mut to, &ws.id, new()).await.unwrap();
        let (elsewhere, id, keys, files) = (store.clone(), ws.id.clone(), vault.clone(), catalog.clone());
        let second = tokio::spawn(async move {
            let mut conn = elsewhere.begin(Actor::Cli, NOW).await?;
            let mut to = Change { conn: &mut conn, vault: &keys, catalog: &files, now: NOW };
            webhook(&mut to, &id, new()).await?;
            conn.commit().await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.commit().await.unwrap();
        assert!(matches!(second.await.unwrap(), Err(Error::Conflict { .. })));
        assert_eq!(store.read().await.unwrap().count_endpoints(&ws.id).await.unwrap(), ENDPOINTS_MAX);
    })
    .await;
}

#[tokio::test]
async fn a_workspace_that_is_gone_gets_none() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let refused = webhook(&mut room.change(&mut conn), &WorkspaceId::new(), new()).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "workspace" })));
}
