//! The overview: how a workspace is doing, at a glance.

use axum::extract::{RawQuery, State};
use claviger_engine::{
    desk::overview::{self, Overview, Span, Stretch},
    domain::connection::Standing,
};
use minijinja::{Value, context};
use serde_json::json;

use super::{
    guard::{Answer, Visit},
    page, view,
};
use crate::{app::App, http::params::Params};

/// `GET /dashboard/w/{client_id}/`.
pub async fn show(State(app): State<App>, visit: Visit, RawQuery(query): RawQuery) -> Answer {
    let seat = visit.seated()?;
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let wanted = params.get("span").ok().flatten();
    let span = Span::ALL.into_iter().find(|it| wanted.as_deref() == Some(word(*it))).unwrap_or(Span::Day);
    let found = overview::overview(&app.broker, seat, span).await?;
    let values = values(&found, span);
    Ok(page::show(&app, &visit, "", "dashboard/overview.html", values))
}

fn word(span: Span) -> &'static str {
    match span {
        Span::Hour => "hour",
        Span::Day => "day",
        Span::Week => "week",
    }
}

fn values(found: &Overview, span: Span) -> Value {
    let count = |wanted| {
        let found = found.connections.iter().find(|(standing, _)| *standing == wanted);
        found.map_or(0, |(_, count)| *count)
    };
    let spans: Vec<_> = Span::ALL
        .iter()
        .map(|it| {
            let name = match it {
                Span::Hour => "Last hour",
                Span::Day => "Last day",
                Span::Week => "Last 7 days",
            };
            context! { word => word(*it), name, here => *it == span }
        })
        .collect();
    let troubled: Vec<_> = found
        .troubled
        .iter()
        .map(|it| {
            context! {
                name => &it.name, key => &it.key, calls => view::count(it.calls),
                failed => view::count(it.failed), rate => view::percent(it.failed, it.calls),
            }
        })
        .collect();
    let total = &found.total;
    context! {
        title => "Overview",
        spans, troubled,
        integrated => found.integrated,
        connections => context! {
            any => found.connections.iter().any(|(_, count)| *count > 0),
            active => view::count(count(Standing::Active)),
            reauth => view::count(count(Standing::NeedsReauth)),
            frozen => view::count(count(Standing::Frozen)),
            needy => count(Standing::NeedsReauth) > 0,
            stopped => count(Standing::Frozen) > 0,
        },
        called => total.all.calls > 0,
        calls => view::count(total.all.calls),
        failed => view::count(total.failed),
        rate => view::percent(total.failed, total.all.calls),
        half => view::within(total.all.spread.within(50)),
        slow => view::within(total.all.spread.within(95)),
        bytes => view::bytes(total.all.bytes_out),
        plots => plots(found),
        rows => rows(found),
    }
}

/// What the plots draw: seconds, calls, failed calls, and milliseconds within which half and 95 of a hundred were over.
fn plots(found: &Overview) -> String {
    let each = |value: fn(&Stretch) -> Option<u64>| found.stretches.values().map(value).collect::<Vec<_>>();
    let at: Vec<_> = found.stretches.keys().map(|at| at.0 / 1000).collect();
    json!({
        "at": at,
        "calls": each(|it| Some(it.all.calls)),
        "failed": each(|it| Some(it.failed)),
        "half": each(|it| it.all.spread.within(50)),
        "slow": each(|it| it.all.spread.within(95)),
    })
    .to_string()
}

/// The same as a table, for whoever does not see plots: only stretches with calls.
fn rows(found: &Overview) -> Vec<Value> {
    let called = found.stretches.iter().rev().filter(|(_, it)| it.all.calls > 0);
    called
        .map(|(at, it)| {
            context! {
                at => view::exact(*at),
                calls => view::count(it.all.calls),
                failed => view::count(it.failed),
                half => view::within(it.all.spread.within(50)),
                slow => view::within(it.all.spread.within(95)),
            }
        })
        .collect()
}
