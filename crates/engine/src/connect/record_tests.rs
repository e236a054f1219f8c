//! What is written when a connection is authorized anew, by transactions that may be tried again.

use std::{collections::BTreeMap, time::Duration};

use claviger_catalog::Catalog;

use super::*;
use crate::{
    broker::Urls,
    domain::{
        audit::Actor,
        connection::{Account, Owner, OwnerKind},
        integration::{AsOf, CallbackKind, Config, Mode},
        workspace::{Settings, Workspace},
    },
    id::{IntegrationId, WorkspaceId},
    limit::{Limiter, Rate},
    outbound::{self, Outbound},
    proxy::{Recorder, Sampling},
    secret::Secret,
    store::{Page, Store, trial::on_each},
    time::Clock,
    vault::{KeyRing, Vault},
};

const T0: Millis = Millis(1_767_323_045_678);
const ALL: Page = Page { offset: 0, limit: 100 };

fn later(seconds: u64) -> Millis {
    T0.plus(Duration::from_secs(seconds))
}

fn broker(store: Store) -> Broker {
    let metrics = Default::default();
    let long = Duration::from_secs(20);
    Broker {
        vault: Vault::new(KeyRing::parse(KeyRing::generate().unwrap().expose()).unwrap()),
        outbound: Outbound::new(outbound::Config::default()).unwrap(),
        catalog: Catalog::builtin().unwrap(),
        clock: Clock::fixed(T0),
        urls: Urls { app: "https://app.test".into(), proxy: "https://proxy.test".into() },
        dev: false,
        proxy_limit: Limiter::new(Rate::Off),
        bounds: Default::default(),
        quota: Default::default(),
        waits: crate::proxy::Waits::new(Some(Duration::from_secs(3600))),
        flow_limit: Limiter::new(Rate::Off),
        sign_ins: Default::default(),
        sessions: crate::access::Lifetimes { idle: long, life: long },
        keys: Default::default(),
        subjects: Default::default(),
        kept: Default::default(),
        watch: Default::default(),
        flights: Default::default(),
        refresh: Default::default(),
        refused: Default::default(),
        tries: Default::default(),
        nonces: Default::default(),
        discovery: Default::default(),
        tasks: Default::default(),
        logs: Recorder::new(store.clone(), Sampling::ALL, &metrics),
        metrics,
        store,
    }
}

/// A workspace with an integration.
async fn plant(broker: &Broker, mode: Mode) -> Integration {
    let workspace = Workspace {
        id: WorkspaceId::new(),
        name: "ours".into(),
        client_id: "ours".into(),
        jwt_secret: None,
        settings: Settings::default(),
        created_at: T0,
        updated_at: T0,
    };
    let integration = Integration {
        id: IntegrationId::new(),
        workspace_id: workspace.id.clone(),
        key: "it".into(),
        provider: "oauth2".into(),
        name: "It".into(),
        description: None,
        tags: Vec::new(),
        owner: None,
        mode,
        client_id: Some("client".into()),
        client_secret: None,
        scopes: Vec::new(),
        callback: CallbackKind::Own,
        config: Config::default(),
        version: 1,
        disabled_at: None,
        created_at: T0,
        updated_at: T0,
        as_of: AsOf::default(),
    };
    let mut conn = broker.store.begin(Actor::System, T0).await.unwrap();
    conn.create_workspace(&workspace).await.unwrap();
    conn.create_integration(&workspace.id, &integration).await.unwrap();
    conn.commit().await.unwrap();
    integration
}

fn draft(of: &Integration, token: &str, at: Millis) -> Draft {
    let connection = Connection {
        id: ConnectionId::new(),
        workspace_id: of.workspace_id.clone(),
        integration_id: of.id.clone(),
        owner: Owner::member(of.mode, "alice"),
        status: Status::Active,
        status_reason: None,
        scopes_asked: Vec::new(),
        scopes_granted: Vec::new(),
        account: Account::default(),
        inputs: BTreeMap::new(),
        name: None,
        auth_option: None,
        frozen_at: None,
        refreshed_at: None,
        expires_at: None,
        authorized_at: at,
        created_at: at,
        updated_at: at,
    };
    let onto = if connection.owner.kind == OwnerKind::External { Onto::New } else { Onto::Only };
    Draft::new(connection, tokens_of(token), onto, of.version)
}

fn tokens_of(token: &str) -> Tokens {
    Tokens::of(Secret::new(token), "Bearer")
}

/// One try; its commit does happen or does not.
async fn attempt(broker: &Broker, draft: &Draft, commit: bool) -> Written {
    let mut conn = broker.store.begin(Actor::System, draft.connection.created_at).await.unwrap();
    let written = write(broker, &mut conn, draft).await.unwrap();
    if commit {
        conn.commit().await.unwrap();
    }
    written
}

/// A refresh that read this version.
async fn refresh(broker: &Broker, of: &Connection, seen: i64) -> bool {
    let tokens = tokens_of("refreshed");
    let mut newer = tokens::seal(broker, &of.workspace_id, &of.id, &tokens, T0).unwrap();
    newer.version = seen + 1;
    let mut conn = broker.store.begin(Actor::System, T0).await.unwrap();
    let wrote = conn.replace_credential(&of.workspace_id, &newer, seen).await.unwrap();
    conn.commit().await.unwrap();
    wrote
}

/// The token that is kept, and its version.
async fn held(broker: &Broker, of: &Connection) -> (String, i64) {
    let mut conn = broker.store.read().await.unwrap();
    let credential = conn.credential(&of.workspace_id, &of.id).await.unwrap().unwrap();
    (tokens::open(broker, &credential).unwrap().access_token.expose().to_owned(), credential.version)
}

async fn told(broker: &Broker, of: &Integration) -> Vec<EventKind> {
    let mut conn = broker.store.read().await.unwrap();
    let mut events = conn.events(&of.workspace_id, &ALL).await.unwrap();
    events.reverse();
    events.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_commit_that_only_looked_like_a_failure_is_not_repeated() {
    on_each(async |store| {
        let broker = broker(store);
        let it = plant(&broker, Mode::PerUser).await;
        let first = draft(&it, "first", T0);
        assert!(attempt(&broker, &first, true).await.now);
        assert!(!attempt(&broker, &first, true).await.now);
        let id = first.connection.id.clone();

        let second = draft(&it, "second", later(9));
        assert!(attempt(&broker, &second, false).await.now);
        assert_eq!(held(&broker, &first.connection).await, ("first".into(), 1), "it did fail");
        let written = attempt(&broker, &second, true).await;
        assert!(written.now);
        assert_eq!((&written.connection.id, written.connection.created_at), (&id, T0));
        let again = attempt(&broker, &second, true).await;
        assert_eq!((again.now, &again.connection.id), (false, &id));
        assert_eq!(held(&broker, &first.connection).await, ("second".into(), 2));

        assert!(refresh(&broker, &written.connection, 2).await);
        assert!(!attempt(&broker, &second, true).await.now, "refreshed since");
        let third = draft(&it, "third", later(20));
        assert!(attempt(&broker, &third, true).await.now);
        assert!(!attempt(&broker, &second, true).await.now, "authorized anew since");
        assert_eq!(held(&broker, &first.connection).await, ("third".into(), 4));
        let updated = EventKind::ConnectionUpdated;
        assert_eq!(told(&broker, &it).await, [EventKind::ConnectionCreated, updated, updated]);
    })
    .await;
}

#[tokio::test]
async fn a_try_that_failed_goes_over_whatever_was_refreshed_meanwhile() {
    on_each(async |store| {
        let broker = broker(store);
        let it = plant(&broker, Mode::PerUser).await;
        let first = draft(&it, "first", T0);
        attempt(&broker, &first, true).await;
        let second = draft(&it, "second", later(9));
        attempt(&broker, &second, false).await;
        // One more than the try that failed would have been: only the time tells that it is not that.
        assert!(refresh(&broker, &first.connection, 1).await && refresh(&broker, &first.connection, 2).await);
        assert!(attempt(&broker, &second, true).await.now);
        assert_eq!(held(&broker, &first.connection).await, ("second".into(), 4));
        assert!(!refresh(&broker, &first.connection, 3).await, "what was read before is not written over it");
        assert_eq!(held(&broker, &first.connection).await, ("second".into(), 4));
        let over = second.over.lock().unwrap().take().unwrap();
        assert_eq!(over.old.unwrap().version, 3, "what was replaced is what is to be revoked");
    })
    .await;
}

#[tokio::test]
async fn two_who_connect_at_once_make_one_connection() {
    for mode in [Mode::PerUser, Mode::Shared] {
        on_each(async |store| {
            let broker = Arc::new(broker(store));
            let it = plant(&broker, mode).await;
            let tries: Vec<_> = (0..6)
                .map(|n| {
                    let (broker, draft) = (broker.clone(), draft(&it, "token", later(n)));
                    tokio::spawn(async move { attempt(&broker, &draft, true).await.connection.id })
                })
                .collect();
            let mut ids = std::collections::BTreeSet::new();
            for one in tries {
                ids.insert(one.await.unwrap());
            }
            assert_eq!(ids.len(), 1);
            let kinds = told(&broker, &it).await;
            let created = kinds.iter().filter(|kind| **kind == EventKind::ConnectionCreated);
            assert_eq!((created.count(), kinds.len()), (1, 6));
        })
        .await;
    }
}

#[test]
fn sets_that_have_a_token_in_common_are_known() {
    let of = |access: &str, refresh: Option<&str>| Tokens {
        refresh_token: refresh.map(Secret::new),
        ..tokens_of(access)
    };
    for (one, other, want) in [
        (of("a", None), of("b", None), false),
        (of("a", Some("r")), of("b", Some("s")), false),
        (of("a", Some("r")), of("b", None), false),
        (of("a", None), of("a", None), true),
        (of("a", Some("r")), of("a", Some("s")), true),
        (of("a", Some("r")), of("b", Some("r")), true),
    ] {
        assert_eq!(same(&one, &other), want);
    }
}
