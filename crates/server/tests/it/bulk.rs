//! Stories of an incident: many connections are frozen, let go again, or ended, and a report tells of each.

mod command;
mod elsewhere;

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    connect::bulk::{self, Chosen, End, Line, Running, Verb, Wanted},
    domain::{audit::Actor, connection::OwnerKind, event::EventKind, revocation::Outcome},
    id::{ConnectionId, IntegrationId},
    store::{self, trial},
};
use serde_json::json;

use crate::support::{Browser, Reply, Stub, TestApp, app::ALL, on_each, value};

/// A connection of an owner's at the sandbox, as this account.
async fn connect_as(app: &TestApp, owner: &str, account: &str) -> ConnectionId {
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("external_id", owner)]).await;
    let back = browser.consent(&leg, account, "allow").await;
    let (_, pairs) = browser.get(&back).await.redirect();
    ConnectionId::parse(value(&pairs, "connection_id")).expect("an id")
}

/// One at a stub.
async fn connect_at(app: &TestApp, integration: &IntegrationId, owner: &str) -> ConnectionId {
    let browser = Browser::new();
    let extra = [("integration_id", integration.as_str()), ("external_id", owner)];
    let leg = browser.set_out(app, &app.acme, &extra).await;
    let (_, pairs) = browser.get(&leg.back(&[("code", "c-1")])).await.redirect();
    ConnectionId::parse(value(&pairs, "connection_id")).expect("an id")
}

async fn choose(app: &TestApp, wanted: &Wanted) -> (Vec<Chosen>, Vec<Line>) {
    bulk::choose(&app.broker, &app.acme.workspace, wanted).await.expect("chosen")
}

fn begin(app: &TestApp, verb: Verb, chosen: Vec<Chosen>) -> Running {
    bulk::run(&app.broker, &app.acme.workspace, verb, chosen, Actor::Cli)
}

/// Does it to all that fit; gives what came of each.
async fn all(app: &TestApp, verb: Verb, choice: store::Choice) -> BTreeMap<ConnectionId, Line> {
    let (chosen, gone) = choose(app, &Wanted::Like(choice)).await;
    assert!(gone.is_empty());
    lines(begin(app, verb, chosen)).await
}

async fn lines(mut running: Running) -> BTreeMap<ConnectionId, Line> {
    let mut lines = BTreeMap::new();
    while let Some(line) = running.next().await {
        assert!(lines.insert(line.id.clone(), line).is_none(), "one line each");
    }
    lines
}

fn ends(lines: &BTreeMap<ConnectionId, Line>) -> Vec<End> {
    lines.values().map(|line| line.end).collect()
}

fn of(integration: &IntegrationId) -> store::Choice {
    store::Choice { integration_id: Some(integration.clone()), ..store::Choice::default() }
}

#[tokio::test]
async fn what_is_frozen_makes_no_call_and_loses_nothing() {
    on_each(async |app| {
        let stub = Stub::start().await;
        stub.reply("/api/x", Reply::json("[]"));
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        let mut them = [connect_at(app, &at, "a").await, connect_at(app, &at, "b").await];
        them.sort();
        let bystander = connect_as(app, "a", "alice").await;
        let frozen = all(app, Verb::Freeze, of(&at)).await;
        assert_eq!(frozen.keys().cloned().collect::<Vec<_>>(), them);
        assert_eq!(ends(&frozen), [End::Frozen; 2]);
        let was = frozen[&them[0]].was.clone().unwrap();
        assert_eq!((was.integration.as_str(), was.provider.as_str()), ("stub", "oauth2"));
        assert_eq!(was.owner.kind, OwnerKind::External);
        for id in &them {
            assert_eq!(app.call(&app.acme.key, id.as_str(), "/x").await.status, 403);
        }
        assert_eq!(app.call(&app.acme.key, bystander.as_str(), "/me").await.status, 200);
        let since = app.broker.clock.now().rfc3339();
        app.pass(Duration::from_secs(60));
        let again = all(app, Verb::Freeze, of(&at)).await;
        assert_eq!(ends(&again), [End::Unchanged; 2]);
        assert_eq!(again[&them[1]].detail, format!("frozen since {since}"));
        let thawed = all(app, Verb::Thaw, store::Choice { frozen: Some(true), ..Default::default() }).await;
        assert_eq!(ends(&thawed), [End::Thawed; 2]);
        assert_eq!(app.call(&app.acme.key, them[0].as_str(), "/x").await.status, 200);
        assert_eq!(ends(&all(app, Verb::Thaw, of(&at)).await), [End::Unchanged; 2]);
        let audits = app.read().await.audits(&app.acme.workspace, &ALL).await.unwrap();
        let verbs = |verb| audits.iter().filter(|row| row.verb == verb && row.actor == "cli").count();
        assert_eq!((verbs("connection.freeze"), verbs("connection.thaw")), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn what_is_frozen_is_told_in_the_order_of_the_list() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        let mut made = Vec::new();
        for owner in ["a", "b", "c", "d"] {
            made.push(connect_at(app, &at, owner).await);
        }
        let list = [2, 0, 3, 1].map(|nth: usize| made[nth].clone()).to_vec();
        let named = Wanted::These(list.iter().chain(&list[..1]).cloned().collect());
        for verb in [Verb::Freeze, Verb::Thaw] {
            let (chosen, _) = choose(app, &named).await;
            assert!(chosen.iter().map(|it| &it.id).eq(&list), "{verb:?}: {chosen:?}");
            let (mut running, mut told) = (begin(app, verb, chosen), Vec::new());
            while let Some(line) = running.next().await {
                told.push(line.id);
            }
            assert_eq!(told, list, "{verb:?}");
        }
        // What ends is told of as soon as that is known, whichever is first: each once.
        stub.reply("/revoke", Reply::json("{}"));
        let (chosen, _) = choose(app, &named).await;
        let ended = app.passing(lines(begin(app, Verb::End, chosen))).await;
        let ended: Vec<_> = ended.into_keys().collect();
        made.sort();
        assert_eq!(ended, made);
    })
    .await;
}

#[tokio::test]
async fn the_report_says_of_each_what_its_provider_answered() {
    on_each(async |app| {
        let (broken, silent) = (Stub::start().await, Stub::start().await);
        broken.reply("/revoke", Reply::oauth_error(400, "invalid_client"));
        silent.reply("/revoke", Reply::oauth_error(400, "unsupported_token_type"));
        let at_broken = app.integrate(&app.acme, "broken", &broken.origin).await;
        let at_silent = app.integrate(&app.acme, "silent", &silent.origin).await;
        let failed = connect_at(app, &at_broken, "o").await;
        let unsupported = connect_at(app, &at_silent, "o").await;
        let revoked = connect_as(app, "o", "alice").await;
        let other = connect_as(app, "somebody else", "bob").await;
        let shared = connect_as(app, "o", "bob").await;
        app.pass(Duration::from_secs(1));
        let owner = store::Choice { owner_key: Some("o".to_owned()), ..Default::default() };
        let lines = app.passing(all(app, Verb::End, owner.clone())).await;
        let ended = |id: &ConnectionId| (lines[id].end, lines[id].detail.as_str());
        assert_eq!(lines.len(), 4);
        assert_eq!(ended(&revoked), (End::Ended(Outcome::Revoked), ""));
        assert_eq!(ended(&failed), (End::Ended(Outcome::Failed), "HTTP 400: invalid_client"));
        assert_eq!(
            ended(&unsupported),
            (End::Ended(Outcome::Unsupported), "the provider does not revoke such tokens")
        );
        let why = "another connection shares this client and account";
        assert_eq!(ended(&shared), (End::Ended(Outcome::Skipped), why));
        assert!(lines.values().map(|line| line.end.is_bad()).eq(lines.keys().map(|id| *id == failed)));

        let mut conn = app.read().await;
        let events = conn.events(&app.acme.workspace, &ALL).await.unwrap();
        for (id, line) in &lines {
            assert!(conn.connection(&app.acme.workspace, id).await.unwrap().is_none());
            assert!(conn.credential(&app.acme.workspace, id).await.unwrap().is_none());
            let row = conn.revocation_of(&app.acme.workspace, id).await.unwrap().unwrap();
            assert_eq!((row.outcome.as_str(), &row.detail), (line.end.as_str(), &line.detail));
            let told =
                events.iter().find(|it| it.kind == EventKind::ConnectionDeleted && it.connection_id == *id);
            let told = &told.expect("an event").data;
            assert_eq!(told["revocation"], line.end.as_str());
            let detail = Some(line.detail.as_str()).filter(|detail| !detail.is_empty());
            assert_eq!(told.get("revocation_detail"), detail.map(|it| json!(it)).as_ref());
        }
        drop(conn);
        assert_eq!(app.call(&app.acme.key, other.as_str(), "/me").await.status, 200);

        // Run again: those that fit are gone; those that are named are told of as they ended.
        assert!(all(app, Verb::End, owner).await.is_empty());
        let never = ConnectionId::new();
        let named = Wanted::These(lines.keys().cloned().chain([never.clone()]).collect());
        let (chosen, gone) = choose(app, &named).await;
        assert!(chosen.is_empty());
        for line in gone {
            match lines.get(&line.id) {
                Some(then) => {
                    assert_eq!((line.end, line.at), (then.end, line.at));
                    assert!(line.detail.contains(&then.detail), "{}", line.detail);
                }
                None => assert_eq!((line.id, line.end), (never.clone(), End::Missing)),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn those_that_end_together_do_not_keep_their_grant_alive_for_each_other() {
    on_each(async |app| {
        let mut them = Vec::new();
        for n in 0..6 {
            them.push(connect_as(app, &format!("owner-{n}"), "alice").await);
        }
        app.pass(Duration::from_secs(1));
        let ended = all(app, Verb::End, of(&app.acme.integration)).await;
        assert_eq!(ends(&ended), [End::Ended(Outcome::Revoked); 6]);
        assert!(app.sandbox.stats().await.revocations >= 6);
    })
    .await;
}

#[tokio::test]
async fn before_the_first_one_ends_all_of_them_are_stopped() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        stub.reply("/api/x", Reply::json("[]"));
        let mut them = Vec::new();
        for n in 0..8 {
            them.push(connect_at(app, &at, &format!("owner-{n}")).await);
        }
        stub.reply("/revoke", Reply::Hang);
        let (chosen, _) = choose(app, &Wanted::Like(of(&at))).await;
        let mut running = begin(app, Verb::End, chosen);
        let looking = async {
            let asked = || stub.seen().iter().filter(|seen| seen.path == "/revoke").count();
            while asked() < 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            for id in &them {
                assert_eq!(app.call(&app.acme.key, id.as_str(), "/x").await.status, 403, "{id}");
            }
            assert_eq!(asked(), 4, "a provider is asked by a few at a time");
        };
        tokio::select! {
            line = running.next() => panic!("the provider hangs: {line:?}"),
            () = looking => {}
        }
        // Who ran it went away. What was not begun is there, still stopped, and can be ended by another run.
        drop(running);
        stub.reply("/revoke", Reply::json("{}"));
        let frozen = store::Choice { frozen: Some(true), ..of(&at) };
        let left = choose(app, &Wanted::Like(frozen)).await.0;
        assert_eq!(left.len(), 8);
        assert!(left.iter().all(|it| it.frozen_at.is_some()));
    })
    .await;
}

#[tokio::test]
async fn stopped_it_begins_nothing_new_and_run_again_it_does_the_rest() {
    on_each(async |app| {
        for n in 0..12 {
            connect_as(app, &format!("owner-{n}"), "alice").await;
        }
        app.pass(Duration::from_secs(1));
        let (chosen, _) = choose(app, &Wanted::Like(of(&app.acme.integration))).await;
        let mut running = begin(app, Verb::End, chosen);
        let first = running.next().await.expect("a line");
        running.stop();
        let mut ended = lines(running).await;
        ended.insert(first.id.clone(), first);
        assert!(ended.len() < 12, "it was stopped");
        let left = app.connections(&app.acme).await;
        assert_eq!(left.len() + ended.len(), 12, "what was under way came to its end, and was told");
        assert!(left.iter().all(|it| it.frozen_at.is_some() && !ended.contains_key(&it.id)));
        let rest = all(app, Verb::End, of(&app.acme.integration)).await;
        assert_eq!(rest.len() + ended.len(), 12);
        assert!(app.connections(&app.acme).await.is_empty());
        let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(rows.len(), 12, "each ended once");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_busy_is_asked_again() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        let id = connect_at(app, &at, "o").await;
        stub.reply("/revoke", Reply::oauth_error(503, "temporarily_unavailable"));
        let recovering = async {
            while !stub.seen().iter().any(|seen| seen.path == "/revoke") {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            stub.reply("/revoke", Reply::json("{}"));
            std::future::pending::<()>().await;
        };
        let lines = tokio::select! {
            lines = app.passing(all(app, Verb::End, of(&at))) => lines,
            () = recovering => unreachable!(),
        };
        assert_eq!(lines[&id].end, End::Ended(Outcome::Revoked));
    })
    .await;
}

#[tokio::test]
async fn what_the_database_refuses_is_told_and_is_as_it_was() {
    on_each(async |app| {
        let id = connect_as(app, "o", "alice").await;
        app.pass(Duration::from_secs(1));
        trial::lose_table(&app.broker.store, "audit").await;
        let lines = app.passing(all(app, Verb::Freeze, of(&app.acme.integration))).await;
        assert_eq!(lines[&id].end, End::NotDone);
        trial::find_table(&app.broker.store, "audit").await;
        assert!(app.connection(&app.acme, id.as_str()).await.frozen_at.is_none());
        assert_eq!(ends(&all(app, Verb::Freeze, of(&app.acme.integration)).await), [End::Frozen]);
    })
    .await;
}
