//! What `claviger dev` prints: for a person, or as one line of JSON for a program.

use anyhow::Result;
use claviger_engine::broker::Urls;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{KEY, SAMPLE, kept::Kept};
use crate::{hosted::dev_sign_in, out};

/// What stays readable in a query's value.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// For whom the printed link connects an account.
const CUSTOMER: &str = "customer-1";

/// Everything that is printed.
pub(super) struct Shown<'a> {
    pub urls: &'a Urls,
    pub sandbox_url: &'a str,
    pub kept: &'a Kept,
}

/// Where the ready link comes back to: a page that stands in for the product.
pub(super) fn landing(urls: &Urls) -> String {
    format!("{}/dev/landing", urls.app)
}

impl Shown<'_> {
    /// A ready link that connects an account for a customer.
    pub(super) fn connect_url(&self, customer: &str) -> String {
        let back = landing(self.urls);
        let back = utf8_percent_encode(&back, VALUE);
        let (app, client) = (&self.urls.app, &self.kept.client_id);
        format!(
            "{app}/authorize?client_id={client}&integration_id={KEY}&redirect_uri={back}&external_id={customer}"
        )
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> Result<()> {
        let Kept { client_id, api_key, workspace_secret, admin_username, admin_password, .. } = self.kept;
        out::line(json!({
            "app_url": self.urls.app,
            "proxy_url": self.urls.proxy,
            "sandbox_url": self.sandbox_url,
            "client_id": client_id,
            "api_key": api_key.expose(),
            "workspace_key": client_id,
            "workspace_secret": workspace_secret.expose(),
            "admin": { "username": admin_username, "password": admin_password.expose() },
            "connect_url": self.connect_url(CUSTOMER),
            "sample_path": SAMPLE,
        }))?;
        Ok(())
    }

    /// For a person.
    pub(super) fn text(&self) -> Result<()> {
        let Kept { client_id, api_key, workspace_secret, admin_username, admin_password, .. } = self.kept;
        out::line(format_args!(
            "
  Claviger is ready, on this machine only.

  app        {app}
  proxy      {proxy}
  sandbox    {sandbox}

  client id          {client_id}
  API key            {key}
  workspace secret   {secret}
  admin              {admin_username} / {password}

  Your own users connect and call by integration, each as itself (docs/users.md):

    sign in, allow   {app}{sign_in}
    list             curl -u {admin_username}:{password} {app}/api/integrations
    call             curl -u {admin_username}:{password} {app}/api/integrations/{KEY}/request{SAMPLE}

  Your customers' browsers connect with tokens that your server signs with the workspace secret, for the client id
  (docs/customers.md):

    who calls        curl -H \"Authorization: Bearer $TOKEN\" {app}/self
    connect          {app}/connection-popup?integrationKey={KEY}&token=$TOKEN

  Connect an account for a customer: open this link, and allow.

    {connect}

  Then a line to call its API appears here. Stop with ctrl-c.
",
            app = self.urls.app,
            proxy = self.urls.proxy,
            sandbox = self.sandbox_url,
            key = api_key.expose(),
            secret = workspace_secret.expose(),
            password = admin_password.expose(),
            connect = self.connect_url(CUSTOMER),
            sign_in = dev_sign_in::PATH,
        ))?;
        Ok(())
    }
}
