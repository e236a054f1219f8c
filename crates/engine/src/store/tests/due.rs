//! What the sweep looks for: only what is in use, page by page, and what nobody else is at.

use super::*;
use crate::{
    domain::{auth_option::AuthOption, refresh::Rest},
    error::ProviderFault,
    id::AuthOptionId,
    store::{Due, DueBy, DueMark, Kind, Lease, Probed},
};

/// All that may be due by then, in pages of two, as the connections' ids in the order they come.
async fn due(store: &Store, by: DueBy, until: Millis, now: Millis) -> Vec<Due> {
    let (mut all, mut mark) = (Vec::new(), Some(DueMark::start()));
    while let Some(after) = mark {
        let (page, next) = read(store).await.any_due(by, until, &after, now, 2).await.unwrap();
        assert!(page.len() <= 2);
        all.extend(page);
        mark = next;
    }
    all
}

fn ids(due: &[Due]) -> Vec<&ConnectionId> {
    due.iter().map(|one| &one.connection_id).collect()
}

/// A connection whose credential expires so many seconds from the beginning.
async fn made(conn: &mut Conn, of: &Integration, expires: Option<u64>, refresh: Option<u64>) -> Connection {
    let one = connection(&of.workspace_id, &of.id, None);
    let expires_at = expires.map(later);
    let held = Credential { expires_at, refresh_expires_at: refresh.map(later), ..credential(&one, 1) };
    conn.create_connection(&of.workspace_id, &one).await.unwrap();
    conn.create_credential(&of.workspace_id, &held).await.unwrap();
    one
}

#[tokio::test]
async fn what_expires_is_found_in_order_over_all_workspaces() {
    on_each(async |store| {
        let Scene { integration, foreign, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let (last, never) = (
            made(&mut conn, &integration, Some(30), None).await,
            made(&mut conn, &integration, None, None).await,
        );
        let first = made(&mut conn, &foreign, Some(10), Some(99)).await;
        let mut same: Vec<_> = Vec::new();
        for _ in 0..3 {
            same.push(made(&mut conn, &integration, Some(20), None).await.id);
        }
        same.sort();
        conn.commit().await.unwrap();
        let all: Vec<_> = [&first.id].into_iter().chain(&same).chain([&last.id]).collect();
        assert_eq!(ids(&due(&store, DueBy::Expiry, later(30), T0).await), all);
        assert_eq!(ids(&due(&store, DueBy::Expiry, later(29), T0).await), all[..4]);
        assert!(due(&store, DueBy::Expiry, later(9), T0).await.is_empty());
        let from = DueMark::from(later(20));
        let late = read(&store).await.any_due(DueBy::Expiry, later(30), &from, T0, 9).await.unwrap().0;
        assert_eq!(ids(&late), all[1..], "what expired before is not gone through");
        let one = &due(&store, DueBy::Expiry, later(10), T0).await[0];
        assert_eq!((&one.workspace_id, &one.integration_id), (&foreign.workspace_id, &foreign.id));
        assert_eq!((one.provider.as_str(), one.version, one.obtained_at), ("sandbox", 1, T0));
        assert_eq!((one.expires_at, one.refresh_expires_at), (Some(later(10)), Some(later(99))));
        assert_eq!(one.last_used_at, None);

        assert_eq!(
            ids(&due(&store, DueBy::Age, T0, T0).await),
            [&first.id],
            "whose refresh token dies some day"
        );
        assert!(due(&store, DueBy::Age, Millis(T0.0 - 1), T0).await.is_empty());
        let found = due(&store, DueBy::Expiry, Millis(i64::MAX), T0).await;
        assert!(!ids(&found).contains(&&never.id));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_in_use_or_under_way_is_left_alone() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(made(&mut conn, &integration, Some(10), Some(99)).await.id);
        }
        let [plain, frozen, ended, held, resting] = &all[..] else { unreachable!() };
        conn.freeze_connection(&ws, frozen, Some(T0)).await.unwrap();
        conn.set_connection_status(&ws, ended, Status::NeedsReauth, Some("over"), T0).await.unwrap();
        let lease = |owner| Lease { owner, now: T0, until: later(45) };
        conn.take_refresh(&ws, held, lease("me")).await.unwrap().unwrap();
        let fence = conn.take_refresh(&ws, resting, lease("me")).await.unwrap().unwrap();
        let rest = Rest { until: later(60), fault: ProviderFault::TimedOut, failure: "slow" };
        conn.rest_refresh(&ws, resting, fence, rest).await.unwrap();
        conn.commit().await.unwrap();
        for by in [DueBy::Expiry, DueBy::Age] {
            let at = |now| due(&store, by, later(10), now);
            assert_eq!(ids(&at(T0).await), [plain], "{by:?}");
            let mut free = [plain, held];
            free.sort();
            assert_eq!(ids(&at(later(45)).await), free, "{by:?}: its lease is over");
            let mut free = [plain, held, resting];
            free.sort();
            assert_eq!(ids(&at(later(60)).await), free, "{by:?}: it has rested");
        }
        let mut one = due(&store, DueBy::Expiry, later(10), later(60)).await;
        one.retain(|one| one.connection_id == *resting);
        let one = one.remove(0);
        let mut conn = read(&store).await;
        assert!(!conn.is_still_due(&one, later(59)).await.unwrap());
        assert!(conn.is_still_due(&one, later(60)).await.unwrap());
        let newer = Due { version: 2, ..one.clone() };
        assert!(!conn.is_still_due(&newer, later(60)).await.unwrap());
        let elsewhere = Due { workspace_id: WorkspaceId::new(), ..one };
        assert!(!conn.is_still_due(&elsewhere, later(60)).await.unwrap());
    })
    .await;
}

fn every(config: &Config) -> Config {
    Config { verify_every: Some("24h".to_owned()), ..config.clone() }
}

#[tokio::test]
async fn keys_are_verified_by_one_and_not_before_their_time() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        assert!(read(&store).await.any_probed().await.unwrap().is_empty(), "off unless it is wanted");
        let mut conn = begin(&store).await;
        let wanted = Integration { config: every(&integration.config), ..integration.clone() };
        conn.update_integration(&ws, &wanted).await.unwrap();
        let option = AuthOption {
            id: AuthOptionId::new(),
            workspace_id: other.clone(),
            integration_id: foreign.id.clone(),
            key: "ours".to_owned(),
            title: None,
            description: None,
            provider: "bearer".to_owned(),
            client_id: None,
            client_secret: None,
            scopes: Vec::new(),
            callback: CallbackKind::Own,
            config: every(&Config::default()),
            nth: 0,
            created_at: T0,
            updated_at: T0,
        };
        conn.create_auth_option(&other, &option).await.unwrap();
        let mut mine = Vec::new();
        for _ in 0..3 {
            mine.push(made(&mut conn, &integration, None, None).await.id);
        }
        mine.sort();
        let theirs = connection(&other, &foreign.id, None);
        let by_option =
            Connection { auth_option: Some("ours".to_owned()), ..connection(&other, &foreign.id, None) };
        conn.create_connection(&other, &theirs).await.unwrap();
        conn.create_connection(&other, &by_option).await.unwrap();
        conn.commit().await.unwrap();

        let mut ways = read(&store).await.any_probed().await.unwrap();
        ways.sort_by_key(|way| way.auth_option.is_some());
        let [own, optional] = &ways[..] else { panic!("{ways:?}") };
        assert_eq!((&own.integration_id, own.provider.as_str()), (&integration.id, "sandbox"));
        assert!(own.config.contains("24h"));
        assert_eq!((&optional.integration_id, optional.auth_option.as_deref()), (&foreign.id, Some("ours")));
        assert_eq!(optional.provider, "bearer");
        let unverified = async |of: &Probed, before: Millis, after: &str, now: Millis| {
            let found = read(&store).await.unverified(of, before, after, now, 2).await.unwrap();
            found.into_iter().map(|one| (one.connection_id, one.since)).collect::<Vec<_>>()
        };
        let at = |id: &ConnectionId| (id.clone(), T0);
        assert_eq!(unverified(own, T0, "", T0).await, [at(&mine[0]), at(&mine[1])]);
        assert_eq!(unverified(own, T0, mine[1].as_str(), T0).await, [at(&mine[2])]);
        assert!(unverified(own, Millis(T0.0 - 1), "", T0).await.is_empty());
        assert_eq!(unverified(optional, T0, "", T0).await, [at(&by_option.id)], "those of the option only");

        let mut conn = begin(&store).await;
        assert!(conn.claim_verification(&ws, &mine[0], later(60), T0).await.unwrap());
        assert!(!conn.claim_verification(&ws, &mine[0], later(60), later(59)).await.unwrap(), "by one");
        assert!(!conn.claim_verification(&other, &mine[1], later(60), T0).await.unwrap());
        conn.note_verified(&ws, &mine[1], later(5)).await.unwrap();
        conn.set_connection_status(&ws, &mine[2], Status::NeedsReauth, None, T0).await.unwrap();
        conn.commit().await.unwrap();
        assert!(unverified(own, T0, "", later(59)).await.is_empty());
        assert_eq!(unverified(own, T0, "", later(60)).await, [at(&mine[0])], "it was never finished");
        assert_eq!(unverified(own, later(5), mine[0].as_str(), T0).await, [(mine[1].clone(), later(5))]);
        let mut conn = begin(&store).await;
        assert!(conn.claim_verification(&ws, &mine[0], later(120), later(60)).await.unwrap());
        conn.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_found_by_index() {
    use crate::store::due::{BY_AGE, BY_EXPIRY};
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            return;
        }
        for (query, index) in [(BY_EXPIRY, "credential_expiring"), (BY_AGE, "credential_aging")] {
            let plan = super::connections::explain(&store, query, &[], &[]).await;
            assert!(plan.contains(index), "{plan}");
        }
    })
    .await;
}
