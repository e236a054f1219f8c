//! Client certificates of all workspaces: for whoever looks after the installation.

use super::{Conn, statement::sql};
use crate::{domain::client_key::Purpose, error::Result};

/// A client certificate that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The workspace's client id.
    pub workspace: String,
    /// The integration's key.
    pub integration: String,
    /// The auth option's key, where it is one's.
    pub option: Option<String>,
    /// The certificate and its chain, in PEM.
    pub pem: String,
}

impl Conn {
    /// Every client certificate that an integration was given, or one of its auth options.
    pub async fn any_certificates(&mut self) -> Result<Vec<Certificate>> {
        let query = sql("select w.client_id as workspace, i.slug as integration, o.key as option_key, \
                         k.public as pem from client_key k join workspace w on w.id = k.workspace_id \
                         join integration i on i.id = k.integration_id \
                         left join auth_option o on o.id = k.option_id \
                         where k.kind = $1 order by k.created_at, k.id");
        let rows = self.rows(query.text(Purpose::Certificate.as_str())).await?;
        rows.iter()
            .map(|row| {
                Ok(Certificate {
                    workspace: row.text("workspace")?,
                    integration: row.text("integration")?,
                    option: row.maybe_text("option_key")?,
                    pem: row.text("pem")?,
                })
            })
            .collect()
    }
}
