use std::task::Waker;

use super::*;
use crate::{
    access::{Holder, Who},
    domain::workspace::{Settings, Workspace},
    error::Result,
    store::{Change, Topic},
    time::Millis,
};

fn standing() -> Standing {
    let workspace = Workspace {
        id: WorkspaceId::new(),
        name: "ours".into(),
        client_id: "ours".into(),
        jwt_secret: None,
        settings: Settings::default(),
        created_at: Millis(0),
        updated_at: Millis(0),
    };
    let (id, connection) = (workspace.id.clone(), ConnectionId::new());
    let holder = Arc::new(Holder { workspace, who: Who::Admin, by: None });
    let caller = Caller::Customer { holder, selector: connection.to_string() };
    Standing { workspace: id, connection, integration: IntegrationId::new(), caller }
}

fn change(topic: Topic, standing: &Standing, target: &str) -> Change {
    Change { seq: 1, workspace_id: Some(standing.workspace.clone()), topic, target: target.to_owned() }
}

fn seen(changes: impl IntoIterator<Item = Change>) -> Seen {
    let mut seen = Seen::default();
    changes.into_iter().for_each(|change| seen.add(change));
    seen
}

#[test]
fn a_change_concerns_what_stands_on_it_and_nothing_else() {
    let (one, other) = (standing(), standing());
    let connection = one.connection.to_string();
    for (topic, target, concerned) in [
        (Topic::Connection, connection.as_str(), true),
        (Topic::Integration, one.integration.as_str(), true),
        (Topic::Workspace, "jwk_1", true),
        (Topic::Other, "anything", true),
        (Topic::Credential, connection.as_str(), false),
        (Topic::Endpoint, connection.as_str(), false),
        (Topic::Connection, "conn_other", false),
        (Topic::User, connection.as_str(), false),
    ] {
        let seen = seen([change(topic, &one, target)]);
        assert_eq!(seen.concerns(&one), concerned, "{topic:?}");
        assert!(!seen.concerns(&other), "{topic:?}");
    }
    let both = seen([change(Topic::Connection, &one, &connection), change(Topic::Workspace, &one, "jwk_1")]);
    let second = Standing { workspace: one.workspace.clone(), ..standing() };
    assert!(!both.is_wide(&one), "it is named");
    assert!(both.is_wide(&second), "it is one of many of its workspace");
    assert!(!both.is_wide(&other));
    let mut all = Seen::default();
    all.all = true;
    assert!(all.is_wide(&other));
    assert!(all.concerns(&other), "where changes were missed it may be anything");
}

#[test]
fn a_place_is_given_up_with_its_ticket() {
    let watch = Arc::new(Watch::default());
    let tickets: Vec<_> = (0..40).map(|_| watch.enter(watch.turn(), standing())).collect();
    assert_eq!(watch.len(), 40);
    drop(tickets);
    assert!(watch.is_empty());
}

#[test]
fn who_read_before_the_turn_is_looked_at_again() {
    let watch = Arc::new(Watch::default());
    let turn = watch.turn();
    let _early = watch.enter(turn, standing());
    assert!(watch.touched(&Seen::default()).is_empty());
    watch.turn.fetch_add(1, Ordering::AcqRel);
    let late = watch.enter(turn, standing());
    let touched = watch.touched(&Seen::default());
    assert!(touched.len() == 1 && Arc::ptr_eq(&touched[0], &late.open));
    assert!(watch.touched(&Seen::default()).is_empty(), "once");
}

#[tokio::test]
async fn a_cut_wakes_who_waits_and_says_why() {
    let watch = Arc::new(Watch::default());
    let ticket = watch.enter(0, standing());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(ticket.poll_cut(&mut cx).is_pending());
    let open = ticket.open.clone();
    let waiting = tokio::spawn(async move { ticket.cut().await });
    tokio::task::yield_now().await;
    open.cut(Error::Denied { message: "frozen".into() });
    open.cut(Error::Denied { message: "later".into() });
    let why = waiting.await.unwrap();
    assert_eq!(why.to_string(), "frozen", "the first reason");
    assert!(watch.is_empty());
}

#[tokio::test]
async fn a_call_that_is_cut_before_its_answer_fails_with_the_reason() {
    let watch = Arc::new(Watch::default());
    let ticket = watch.enter(0, standing());
    ticket.open.cut(Error::NotFound { what: "connection" });
    let never = std::future::pending::<Result<()>>();
    assert!(matches!(until_cut(&ticket, never).await, Err(Error::NotFound { what: "connection" })));
}
