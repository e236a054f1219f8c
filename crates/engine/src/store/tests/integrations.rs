//! Lists of integrations: who sees which, searched and in order.

use super::{
    connections::explain,
    teams::{team, user},
    *,
};
use crate::{
    domain::{
        icon::Icon,
        share::{Level, Principal},
        user::User,
    },
    store::{Among, IntegrationFilter, IntegrationOrder, Listed, OwnerName},
};

/// A workspace with people, and integrations of and for them.
struct House {
    ws: WorkspaceId,
    other: WorkspaceId,
    alice: User,
    bob: User,
    carol: User,
}

fn named(ws: &WorkspaceId, key: &str, name: &str, provider: &str) -> Integration {
    Integration { name: name.to_owned(), provider: provider.to_owned(), ..integration(ws, key) }
}

/// Alice owns `drive`, the team `ops` owns `crm-ops`, `box` is shared with Bob, `mail` with the team; nobody has `none`.
/// Alice is in the team. Carol is nobody's.
async fn house(store: &Store) -> House {
    let (one, two) = (workspace("one"), workspace("two"));
    let people = ["alice", "bob", "carol"].map(|name| user(&one.id, name));
    let mut conn = begin(store).await;
    conn.create_workspace(&one).await.unwrap();
    conn.create_workspace(&two).await.unwrap();
    for user in &people {
        conn.create_user(&one.id, user).await.unwrap();
    }
    conn.create_team(&one.id, &team(&one.id, "ops")).await.unwrap();
    conn.add_team_member(&one.id, "ops", &people[0].id).await.unwrap();
    let ops = Principal::Team("ops".to_owned());
    for (n, (key, name, provider)) in [
        ("drive", "Google Drive – Größe 100%", "google-drive"),
        ("crm-ops", "crm_ops\\x", "hubspot"),
        ("box", "box", "drive"),
        ("mail", "Mail", "google"),
        ("none", "None", "google-drive"),
    ]
    .into_iter()
    .enumerate()
    {
        let at = later(10 - n as u64);
        let made = Integration {
            created_at: at,
            updated_at: if key == "mail" { later(1) } else { T0 },
            description: (key == "mail").then(|| "Letters of the drive team".to_owned()),
            ..named(&one.id, key, name, provider)
        };
        conn.create_integration(&one.id, &made).await.unwrap();
        match key {
            "drive" => {
                let alice = Principal::User(people[0].id.clone());
                conn.set_integration_owner(&one.id, &made.id, Some(&alice)).await.unwrap();
                let icon = Icon {
                    media_type: "image/png".to_owned(),
                    body: vec![1],
                    hash: "feed".to_owned(),
                    updated_at: T0,
                };
                conn.set_icon(&one.id, &made.id, &icon).await.unwrap();
            }
            "crm-ops" => conn.set_integration_owner(&one.id, &made.id, Some(&ops)).await.unwrap(),
            "box" => {
                let bob = Principal::User(people[1].id.clone());
                conn.set_share(&one.id, &made.id, &bob, Level::Use).await.unwrap();
            }
            "mail" => drop(conn.set_share(&one.id, &made.id, &ops, Level::Edit).await.unwrap()),
            _ => {}
        }
    }
    conn.create_integration(&two.id, &named(&two.id, "drive", "Drive", "google-drive")).await.unwrap();
    conn.commit().await.unwrap();
    let [alice, bob, carol] = people;
    House { ws: one.id, other: two.id, alice, bob, carol }
}

const NAME: (IntegrationOrder, bool) = (IntegrationOrder::Name, false);

async fn keys(conn: &mut Conn, ws: &WorkspaceId, filter: &IntegrationFilter) -> Vec<String> {
    let found = conn.list_integrations(ws, filter, NAME, &ALL).await.unwrap();
    let counted = conn.count_integrations(ws, filter).await.unwrap();
    assert_eq!(counted, found.len() as i64, "the total is of what is listed");
    let mut keys: Vec<_> = found.into_iter().map(|found| found.integration.key).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_user_sees_what_it_owns_what_its_teams_own_and_what_is_shared_with_either() {
    on_each(async |store| {
        let House { ws, other, alice, bob, carol } = house(&store).await;
        let mut conn = read(&store).await;
        let by = |user: &User| IntegrationFilter {
            seen_by: Some(user.id.clone()),
            ..IntegrationFilter::default()
        };
        let everything = IntegrationFilter::default();
        assert_eq!(keys(&mut conn, &ws, &by(&alice)).await, ["crm-ops", "drive", "mail"]);
        assert_eq!(keys(&mut conn, &ws, &by(&bob)).await, ["box"]);
        assert_eq!(keys(&mut conn, &ws, &by(&carol)).await, [""; 0]);
        assert_eq!(keys(&mut conn, &ws, &everything).await, ["box", "crm-ops", "drive", "mail", "none"]);
        assert_eq!(keys(&mut conn, &other, &by(&alice)).await, [""; 0]);
        assert_eq!(keys(&mut conn, &other, &everything).await, ["drive"]);
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_words_in_order_and_knows_no_wildcards() {
    on_each(async |store| {
        let House { ws, alice, .. } = house(&store).await;
        let mut conn = read(&store).await;
        for (search, want) in [
            ("", &["box", "crm-ops", "drive", "mail", "none"][..]),
            ("  ", &["box", "crm-ops", "drive", "mail", "none"]),
            ("DRIVE", &["drive", "mail"]),
            ("google größe", &["drive"]),
            ("GRÖSSE", &[]),
            ("GRÖß", &["drive"]),
            ("größe google", &[]),
            ("letters team", &["mail"]),
            ("crm-", &["crm-ops"]),
            ("100%", &["drive"]),
            ("%", &["drive"]),
            ("_", &["crm-ops"]),
            ("crm_ops", &["crm-ops"]),
            ("cr__ops", &[]),
            ("\\", &["crm-ops"]),
            ("ops\\x", &["crm-ops"]),
            ("\\%", &[]),
            ("' or 1=1 --", &[]),
            ("box\0", &[]),
        ] {
            let filter =
                IntegrationFilter { search: Some(search.to_owned()), ..IntegrationFilter::default() };
            assert_eq!(keys(&mut conn, &ws, &filter).await, want, "{search:?}");
        }
        let both = IntegrationFilter {
            seen_by: Some(alice.id),
            search: Some("o".to_owned()),
            ..IntegrationFilter::default()
        };
        assert_eq!(keys(&mut conn, &ws, &both).await, ["crm-ops", "drive", "mail"]);
    })
    .await;
}

#[tokio::test]
async fn providers_are_named_whole() {
    on_each(async |store| {
        let House { ws, .. } = house(&store).await;
        let mut conn = read(&store).await;
        for (providers, side, want) in [
            (&["google-drive"][..], Among::These, &["drive", "none"][..]),
            (&["google-drive", "google"], Among::These, &["drive", "mail", "none"]),
            (&["google-drive", "drive"], Among::Others, &["crm-ops", "mail"]),
            (&["oogl", "rive"], Among::These, &[]),
            (&[], Among::These, &[]),
            (&[], Among::Others, &["box", "crm-ops", "drive", "mail", "none"]),
        ] {
            let names = providers.iter().map(|key| (*key).to_owned()).collect();
            let filter = IntegrationFilter { providers: Some((names, side)), ..IntegrationFilter::default() };
            assert_eq!(keys(&mut conn, &ws, &filter).await, want, "{providers:?} {side:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_has_an_order_and_stretches() {
    on_each(async |store| {
        let House { ws, .. } = house(&store).await;
        let mut conn = read(&store).await;
        let filter = IntegrationFilter::default();
        let mut listed = async |order, page: Page| -> Vec<String> {
            let found = conn.list_integrations(&ws, &filter, order, &page).await.unwrap();
            found.into_iter().map(|found| found.integration.key).collect()
        };
        for (order, want) in [
            (IntegrationOrder::Name, ["box", "crm-ops", "drive", "mail", "none"]),
            (IntegrationOrder::Created, ["none", "mail", "box", "crm-ops", "drive"]),
            (IntegrationOrder::Provider, ["box", "mail", "drive", "none", "crm-ops"]),
        ] {
            assert_eq!(listed((order, false), ALL).await, want, "{order:?}");
            let back: Vec<_> = want.into_iter().rev().collect();
            assert_eq!(listed((order, true), ALL).await, back, "{order:?}");
        }
        let changed = listed((IntegrationOrder::Updated, false), ALL).await;
        assert_eq!(changed.last().map(String::as_str), Some("mail"), "who hands over changes it too");
        let last = listed((IntegrationOrder::Updated, true), ALL).await;
        assert_eq!(last, changed.into_iter().rev().collect::<Vec<_>>());
        assert_eq!(listed(NAME, Page { offset: 1, limit: 2 }).await, ["crm-ops", "drive"]);
        assert_eq!(listed(NAME, Page { offset: 4, limit: 2 }).await, ["none"]);
        assert_eq!(listed(NAME, Page { offset: 5, limit: 2 }).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn each_comes_with_its_owner_its_icon_and_whether_it_is_shared() {
    on_each(async |store| {
        let House { ws, other, alice, .. } = house(&store).await;
        let mut conn = store.begin(Actor::Cli, T0).await.unwrap();
        let named = User { display_name: Some("Alice A.".to_owned()), ..alice };
        conn.update_user(&ws, &named).await.unwrap();
        let all = conn.list_integrations(&ws, &IntegrationFilter::default(), NAME, &ALL).await.unwrap();
        let said = |listed: &Listed| {
            let owner = listed.owner.clone().map(|OwnerName { id, name }| (id, name));
            (listed.integration.key.clone(), owner, listed.icon.clone(), listed.shared)
        };
        let of = |id: &str, name: &str| Some((id.to_owned(), name.to_owned()));
        let want = [
            ("box".to_owned(), None, None, true),
            ("crm-ops".to_owned(), of("team:ops", &team(&ws, "ops").name), None, false),
            ("drive".to_owned(), of("alice", "Alice A."), Some("feed".to_owned()), false),
            ("mail".to_owned(), None, None, true),
            ("none".to_owned(), None, None, false),
        ];
        assert_eq!(all.iter().map(said).collect::<Vec<_>>(), want);
        for listed in &all {
            let id = &listed.integration.id;
            let alone = conn.listed_integration(&ws, id).await.unwrap().unwrap();
            assert_eq!(said(&alone), said(listed));
            assert!(conn.listed_integration(&other, id).await.unwrap().is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn the_list_by_name_is_read_in_the_order_of_its_index() {
    on_each(async |store| {
        let texts = [Some("w"), Some("user:u"), Some("u"), None, None];
        let plan = explain(&store, crate::store::integration_list::BY_NAME, &texts, &[1, 10, 0]).await;
        assert!(plan.contains("integration_named"), "{plan}");
        assert!(!plan.to_lowercase().contains("sort") && !plan.contains("TEMP B-TREE"), "{plan}");
    })
    .await;
}

#[tokio::test]
async fn the_connections_of_an_integration_are_counted_by_kind() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        assert_eq!(conn.integration_connections(&ws, &mine.id).await.unwrap(), []);
        for owner in [
            Owner::member(Mode::PerUser, "alice"),
            Owner::member(Mode::PerUser, "bob"),
            Owner { kind: OwnerKind::External, key: None },
        ] {
            let made = Connection { owner, ..connection(&ws, &mine.id, None) };
            conn.create_connection(&ws, &made).await.unwrap();
        }
        let counted = conn.integration_connections(&ws, &mine.id).await.unwrap();
        assert_eq!(counted, [(OwnerKind::External, 1), (OwnerKind::User, 2)]);
        assert_eq!(conn.integration_connections(&other, &mine.id).await.unwrap(), []);
    })
    .await;
}
