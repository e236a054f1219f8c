//! The audit log of a workspace.

use axum::extract::{RawQuery, State};
use claviger_engine::{
    desk::audit,
    store::{AuditFilter, Mark},
};
use minijinja::context;

use super::{
    guard::{Answer, Visit},
    page, view,
};
use crate::{app::App, http::params::Params};

const AT: &str = "audit";

/// What can be narrowed to: the first word of verbs, and what it is about.
const NOUNS: [(&str, &str); 10] = [
    ("api_key", "API keys"),
    ("connection", "Connections"),
    ("credential", "Credentials"),
    ("integration", "Integrations"),
    ("operator", "Operators"),
    ("redirect_uri", "Redirect URIs"),
    ("team", "Teams"),
    ("user", "Users"),
    ("webhook", "Webhooks"),
    ("workspace", "Workspace"),
];

/// `GET …/audit`.
pub async fn show(State(app): State<App>, visit: Visit, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let given = |name: &str| params.get(name).ok().flatten();
    let noun = given("about").filter(|it| NOUNS.iter().any(|(known, _)| known == it));
    let before = given("before").as_deref().and_then(Mark::parse);
    // Only what could be somebody: a page says no words of an address.
    let actor = given("by").filter(|by| by.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b)));
    let narrow = AuditFilter { actor, noun };
    let found = audit::list(&app.broker, visit.seated()?, &narrow, before.as_ref()).await?;
    let now = app.broker.clock.now();
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|row| {
            let kind = row.actor.split(':').next().unwrap_or_default();
            context! {
                at => view::when(now, row.at), verb => &row.verb, target => &row.target,
                address => &row.address, actor => &row.actor,
                who => found.names.get(&row.actor).cloned().unwrap_or_else(|| view::words(&row.actor)),
                kind => found.names.get(&row.actor).map(|_| view::words(kind)),
            }
        })
        .collect();
    let nouns: Vec<_> = NOUNS
        .iter()
        .map(|(word, name)| context! { word => *word, name => *name, here => narrow.noun.as_deref() == Some(*word) })
        .collect();
    let asked = |before: Option<&str>| {
        let pairs = [("about", narrow.noun.as_deref()), ("by", narrow.actor.as_deref()), ("before", before)];
        view::query(&pairs)
    };
    let next = found.next.map(|mark| asked(Some(&mark.to_text())));
    let values = context! {
        title => "Audit log", rows, nouns, next,
        by => &narrow.actor,
        by_name => narrow.actor.as_ref().map(|it| found.names.get(it).cloned().unwrap_or_else(|| view::words(it))),
        first => before.is_some().then(|| asked(None)),
        narrowed => narrow.noun.is_some() || narrow.actor.is_some(),
    };
    Ok(page::show(&app, &visit, AT, "dashboard/audit.html", values))
}
