//! The legs of a flow: to the provider's door, through its consent, and back.

use http::Method;

use super::{Answer, Browser, Tenant, TestApp, decode, encode, value};

/// A browser that was sent to a provider and stands before its door.
pub struct Leg {
    /// The authorization request's URL.
    pub url: String,
    /// Its parameters.
    pub params: Vec<(String, String)>,
}

impl Leg {
    /// Reads a redirect to a provider.
    pub fn of(url: &str) -> Self {
        let (_, query) = url.split_once('?').expect("an authorization request");
        Self { url: url.to_owned(), params: decode(query) }
    }

    pub fn state(&self) -> &str {
        value(&self.params, "state")
    }

    pub fn redirect_uri(&self) -> &str {
        value(&self.params, "redirect_uri")
    }

    /// The callback as a provider would write it, with this state and these parameters.
    pub fn back(&self, pairs: &[(&str, &str)]) -> String {
        let mut all = vec![("state", self.state())];
        all.extend_from_slice(pairs);
        format!("{}?{}", self.redirect_uri(), encode(&all))
    }
}

impl Browser {
    /// Opens `/authorize`, clicks through our own page where there is one, and stands before the provider.
    pub async fn set_out(&self, app: &TestApp, tenant: &Tenant, extra: &[(&str, &str)]) -> Leg {
        let began = self.get(&app.authorize_url(tenant, extra)).await;
        assert_eq!(began.status, 302, "{}", began.text());
        let to = began.location();
        if !to.starts_with("/connect/") {
            return Leg::of(to);
        }
        let url = format!("{}{to}", app.origin);
        let page = self.get(&url).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let answer = self.submit(&url, &[("decision", "continue")]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        Leg::of(answer.location())
    }

    /// Decides on the sandbox's consent page; gives the callback's URL, not yet visited.
    pub async fn consent(&self, leg: &Leg, account: &str, decision: &str) -> String {
        let page = self.get(&leg.url).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let action =
            page.text().split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
        let origin = leg.url.split("/authorize").next().expect("an origin");
        let url = format!("{origin}{}", action.replace("&amp;", "&"));
        let request = self.request(Method::POST, &url);
        let answer = self.form(request, &[("account", account), ("decision", decision)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.location().to_owned()
    }

    /// A whole flow at the sandbox as alice; gives the answer to the callback.
    pub async fn connect(&self, app: &TestApp, tenant: &Tenant, extra: &[(&str, &str)]) -> Answer {
        let leg = self.set_out(app, tenant, extra).await;
        let callback = self.consent(&leg, "alice", "allow").await;
        self.get(&callback).await
    }
}
