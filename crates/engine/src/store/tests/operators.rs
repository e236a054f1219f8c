//! Sessions of operators, the links that make the first one, and the audit log in stretches.

use super::*;
use crate::{
    domain::{operator_session::OperatorSession, user::Operator},
    id::OperatorId,
    store::{AuditFilter, Mark, session::MOST},
};

fn operator(name: &str) -> Operator {
    Operator {
        id: OperatorId::new(),
        username: name.to_owned(),
        password_hash: Some("$argon2id$1".to_owned()),
        roles: Vec::new(),
        disabled_at: None,
        created_at: T0,
    }
}

fn session(of: &Operator, hash: &str, created_at: Millis) -> OperatorSession {
    OperatorSession {
        hash: hash.to_owned(),
        operator_id: of.id.clone(),
        proven_at: created_at,
        seen_at: created_at,
        ends_at: created_at.plus(std::time::Duration::from_secs(600)),
        created_at,
    }
}

#[tokio::test]
async fn an_operators_session_is_found_by_its_hash_and_ends() {
    on_each(async |store| {
        let (root, other) = (operator("root"), operator("other"));
        let mut conn = begin(&store).await;
        assert!(!conn.any_has_operators().await.unwrap());
        for one in [&root, &other] {
            conn.create_operator(one).await.unwrap();
        }
        assert!(conn.any_has_operators().await.unwrap());
        for (of, hash) in [(&root, "a"), (&root, "b"), (&root, "c"), (&other, "d")] {
            conn.any_create_operator_session(&session(of, hash, T0)).await.unwrap();
        }
        let found = conn.any_operator_session("a").await.unwrap().unwrap();
        assert_eq!((&found.operator_id, found.proven_at, found.ends_at), (&root.id, T0, later(600)));
        for hash in ["A", "a\0", ""] {
            assert!(conn.any_operator_session(hash).await.unwrap().is_none(), "{hash:?}");
        }
        conn.any_touch_operator_session("b", later(9)).await.unwrap();
        conn.any_touch_operator_session("b", later(5)).await.unwrap();
        let listed = conn.any_operator_sessions(&root.id).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|it| (it.hash.as_str(), it.seen_at)).collect();
        assert_eq!(listed, [("b", later(9)), ("a", T0), ("c", T0)]);
        assert!(conn.any_prove_operator_session("a", &root.id).await.unwrap());
        assert!(!conn.any_prove_operator_session("a", &other.id).await.unwrap(), "it is not the other's");
        assert!(conn.any_end_operator_session("a").await.unwrap());
        assert!(!conn.any_end_operator_session("a").await.unwrap(), "it ends once");
        conn.any_end_operator_sessions(&root.id).await.unwrap();
        assert!(conn.any_operator_sessions(&root.id).await.unwrap().is_empty());
        assert_eq!(conn.any_operator_sessions(&other.id).await.unwrap().len(), 1);
        assert_eq!(conn.any_hold_operator(&other.id).await.unwrap().unwrap().username, "other");
        assert!(conn.any_hold_operator(&OperatorId::new()).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn another_password_and_being_shut_out_end_an_operators_sessions() {
    on_each(async |store| {
        let root = operator("root");
        let mut conn = begin(&store).await;
        conn.create_operator(&root).await.unwrap();
        let open = async |conn: &mut Conn| {
            conn.any_create_operator_session(&session(&root, "a", T0)).await.unwrap();
        };
        open(&mut conn).await;
        conn.any_set_operator_password(&root.id, "$argon2id$2").await.unwrap();
        assert!(conn.any_operator_session("a").await.unwrap().is_none());
        open(&mut conn).await;
        conn.any_disable_operator(&root.id, Some(T0)).await.unwrap();
        assert!(conn.any_operator_session("a").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn an_operator_has_a_hundred_sessions_and_old_ones_are_purged() {
    on_each(async |store| {
        let root = operator("root");
        let mut conn = begin(&store).await;
        conn.create_operator(&root).await.unwrap();
        for n in 0..=MOST {
            let at = later(u64::try_from(n).unwrap());
            conn.any_create_operator_session(&session(&root, &format!("s{n}"), at)).await.unwrap();
        }
        assert!(conn.any_operator_session("s0").await.unwrap().is_none(), "the oldest went");
        assert!(conn.any_operator_session("s1").await.unwrap().is_some());
        assert_eq!(conn.any_purge_operator_sessions(T0, later(3), 1).await.unwrap(), 1, "one at a time");
        assert_eq!(conn.any_purge_operator_sessions(T0, later(3), 9).await.unwrap(), 1, "idle");
        assert_eq!(conn.any_purge_operator_sessions(later(604), T0, 9).await.unwrap(), 1, "ended");
        assert_eq!(conn.any_purge_operator_sessions(T0, T0, 9).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_setup_link_is_taken_once_and_all_go_with_it() {
    on_each(async |store| {
        let mut conn = begin(&store).await;
        conn.any_create_setup_link("old", T0).await.unwrap();
        conn.any_create_setup_link("a", later(9)).await.unwrap();
        conn.any_create_setup_link("b", later(9)).await.unwrap();
        assert_eq!(conn.any_setup_link("a").await.unwrap(), Some(later(9)));
        assert_eq!(conn.any_setup_link("old").await.unwrap(), None, "what is over goes with the next");
        assert_eq!(conn.any_setup_link("").await.unwrap(), None);
        assert!(conn.any_take_setup_link("a").await.unwrap());
        for gone in ["a", "b"] {
            assert!(!conn.any_take_setup_link(gone).await.unwrap(), "{gone}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_is_walked_from_where_one_stands() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let root = OperatorId::new();
        for n in 0..5 {
            let actor = Actor::Operator(root.to_string());
            let mut conn = store.begin(actor, later(n / 2)).await.unwrap().from_address("192.0.2.1");
            conn.set_operator_role(&ws, &root, None).await.unwrap();
            conn.set_operator_role(&other, &root, None).await.unwrap();
            conn.commit().await.unwrap();
        }
        let mut conn = read(&store).await;
        let by = AuditFilter { actor: Some(format!("operator:{root}")), noun: None };
        let mut seen = Vec::new();
        let mut mark = None;
        loop {
            let rows = conn.audits_before(&ws, &by, mark.as_ref(), 2).await.unwrap();
            let Some(last) = rows.last() else { break };
            mark = Mark::parse(&Mark { at: last.at, id: last.id.to_string() }.to_text());
            seen.extend(rows);
        }
        let all = conn.audits(&ws, &ALL).await.unwrap();
        let ids = |rows: &[crate::domain::audit::Audit]| {
            rows.iter().map(|it| it.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&seen), ids(&all[..5]), "each once, newest first");
        assert!(seen.iter().all(|row| row.address.as_deref() == Some("192.0.2.1")));
        let about = |noun: &str| AuditFilter { actor: None, noun: Some(noun.to_owned()) };
        for (noun, count) in [("operator", 5), ("oper", 0), ("workspace", 1), ("operator.role", 5)] {
            let rows = conn.audits_before(&ws, &about(noun), None, 100).await.unwrap();
            assert_eq!(rows.len(), count, "{noun}");
        }
        for wrong in ["", "x", "1", "1-", "1-a'b", "x-a"] {
            assert_eq!(Mark::parse(wrong), None, "{wrong}");
        }
    })
    .await;
}
