//! How a framed page looks, and what its script is told: whom it may talk to, and how it ended.
//!
//! The script gets nothing that a product's front end may not read: no token, no credential, no code.

use axum::{http::StatusCode, response::Response};
use claviger_engine::{
    connect::{Ask, Ended, Given, Wrong},
    customer::{
        embed::{Framed, Shows},
        integration::Way,
    },
    error::{Error, Result},
    id::FlowId,
    secret::Secret,
};
use minijinja::{Value, context};

use crate::{
    app::App,
    hosted::{
        connect, device, form,
        page::{Kind, Pages},
        text::Language,
    },
    http::params::Params,
    surface::membrane::result::{self, Message, look, why},
};

/// For whom a page is written.
pub struct Page<'a> {
    /// The app.
    pub app: &'a App,
    /// Pages in the language of whoever asks.
    pub pages: &'a Pages,
    /// The query that was asked with.
    pub query: Option<&'a str>,
    /// The flow whose form was sent, where one was.
    pub flow: Option<&'a FlowId>,
}

impl Page<'_> {
    /// The page for what there is to see. `given` is what was filled in.
    pub async fn show(
        &self,
        framed: &Framed,
        handle: Option<&Secret>,
        given: Option<&Given>,
    ) -> Result<Response> {
        let look = look(self.app, &framed.workspace_id).await;
        let product = look.as_ref().map(|look| look.product.clone()).unwrap_or_default();
        let action = framed.flow.as_ref().map(|flow| format!("/embed/{flow}"));
        let handle = handle.filter(|_| action.is_some()).map(Secret::expose);
        let lang_query = self.lang_query();
        let flow = framed.flow.as_ref().or(self.flow).map(FlowId::as_str).unwrap_or_default();
        let (name, symbol) = connect::service(self.app, flow).await;
        let (status, values) = match &framed.shows {
            Shows::Ways { integration, ways } => (StatusCode::OK, choice(integration, ways)),
            Shows::Form(ask, wrong) => {
                let action = action.as_ref().map(|action| format!("{action}{lang_query}"));
                let hidden = vec![context! { name => "handle", value => handle }];
                (form::status(wrong), asked(ask, given, wrong, context! { action, hidden }))
            }
            Shows::Window { ask, failed } => {
                let integration = &ask.integration;
                (StatusCode::OK, context! { shows => "window", integration, ..why(failed.as_ref()) })
            }
            Shows::End(ended) => self.end(framed, ended, name).await?,
            Shows::Closed => (StatusCode::OK, context! { shows => "closed" }),
        };
        let framed_by = &framed.framed_by;
        let origins = serde_json::to_string(framed_by).map_err(|e| Error::Internal(e.into()))?;
        let values = context! { product, symbol, action, handle, lang_query, origins, ..values };
        let kind = Kind::Framed { framed_by };
        let mut response = self.pages.of(look).render(status, kind, "embed.html", values);
        if let Shows::Form(_, wrong) = &framed.shows {
            form::wait(wrong, &mut response);
        }
        Ok(response)
    }

    /// What keeps the language that was asked for.
    fn lang_query(&self) -> String {
        let asked = Params::parse(self.query.unwrap_or_default()).get("lang").ok().flatten();
        let known = asked.and_then(|lang| Language::of(&lang));
        known.map(|lang| format!("?lang={}", lang.tag())).unwrap_or_default()
    }

    async fn end(&self, framed: &Framed, ended: &Ended, name: Option<String>) -> Result<(StatusCode, Value)> {
        let Message { json, integration, failure } =
            result::message(&self.app.broker, &framed.workspace_id, None, ended).await;
        let told = &json[if failure.is_some() { "errorData" } else { "connection" }];
        let told = serde_json::to_string(told).map_err(|e| Error::Internal(e.into()))?;
        let status = failure.as_ref().map_or(StatusCode::OK, |failure| match failure.error.as_str() {
            "not_authenticated" => StatusCode::UNAUTHORIZED,
            "not_permitted" => StatusCode::FORBIDDEN,
            "not_found" => StatusCode::NOT_FOUND,
            "configuration" => StatusCode::CONFLICT,
            "rate_limit_exceeded" => StatusCode::TOO_MANY_REQUESTS,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        });
        let shows = if failure.is_some() { "failed" } else { "connected" };
        let integration = integration.or(name);
        Ok((status, context! { shows, integration, told, ..why(failure.as_ref()) }))
    }
}

fn choice(integration: &str, ways: &[Way]) -> Value {
    let one = |way: &Way| {
        let key = way.key.as_deref().unwrap_or_default();
        context! { key, title => &way.title, about => form::about(way.description.as_deref()) }
    };
    let ways: Vec<Value> = ways.iter().map(one).collect();
    context! { shows => "ways", integration, ways }
}

/// A form, with where it goes and what it brings along in place of what it would otherwise.
fn asked(ask: &Ask, given: Option<&Given>, wrong: &Wrong, goes: Value) -> Value {
    let none = Given::default();
    let form = context! { ..goes, ..form::context(ask, given.unwrap_or(&none), wrong) };
    let (integration, keys) = (&ask.integration, !ask.keys.is_empty());
    // Its script looks with the handle, not by the page's own path.
    let device = device::context(ask).map(|device| context! { state => (), ..device });
    context! { shows => "form", integration, keys, device, form }
}
