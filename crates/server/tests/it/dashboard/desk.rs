//! Operators who sit at the dashboard of a server under test.

use claviger_engine::{
    domain::user::{Operator, Role},
    id::{OperatorId, WorkspaceId},
    secret::Secret,
    setup,
};

use crate::support::{Answer, Browser, TestApp};

/// The password of every operator here.
pub const PASSWORD: &str = "correct horse battery staple";

/// An operator with these roles.
pub async fn operator(app: &TestApp, name: &str, roles: &[(&WorkspaceId, Role)]) -> OperatorId {
    let made = Operator {
        id: OperatorId::new(),
        username: name.to_owned(),
        password_hash: Some(setup::password_hash(Secret::new(PASSWORD)).await.unwrap()),
        roles: roles.iter().map(|(id, role)| ((*id).clone(), *role)).collect(),
        disabled_at: None,
        created_at: app.broker.clock.now(),
    };
    app.change(async |to| to.conn.create_operator(&made).await).await;
    made.id
}

/// Tries to sign in.
pub async fn sign_in(app: &TestApp, browser: &Browser, name: &str, password: &str) -> Answer {
    let url = format!("{}/dashboard/sign-in", app.origin);
    browser.submit(&url, &[("username", name), ("password", password)]).await
}

/// A signed-in operator's browser.
pub struct Seated<'a> {
    pub app: &'a TestApp,
    pub browser: Browser,
}

impl<'a> Seated<'a> {
    /// An operator who is made and signs in.
    pub async fn new(app: &'a TestApp, name: &str, role: Role) -> Self {
        operator(app, name, &[(&app.acme.workspace, role)]).await;
        Self::known(app, name).await
    }

    /// An operator who is there already and signs in.
    pub async fn known(app: &'a TestApp, name: &str) -> Self {
        let browser = Browser::new();
        let answer = sign_in(app, &browser, name, PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/dashboard/"), "{}", answer.text());
        Self { app, browser }
    }

    /// A page of the first tenant.
    pub fn url(&self, path: &str) -> String {
        format!("{}/dashboard/w/{}/{path}", self.app.origin, self.app.acme.client_id)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.browser.get(&self.url(path)).await
    }

    /// Sends a form with the session's token, from our own page.
    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let pairs: Vec<_> = pairs.iter().copied().chain([("csrf", token.as_str())]).collect();
        self.browser.submit(&self.url(path), &pairs).await
    }

    /// What this session's forms carry.
    pub async fn token(&self) -> String {
        let page = self.browser.get(&format!("{}/dashboard/account", self.app.origin)).await;
        csrf(&page)
    }
}

/// What a page's forms carry.
pub fn csrf(page: &Answer) -> String {
    let rest =
        page.text().split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("{}", page.text()));
    rest.split('"').next().unwrap().to_owned()
}
