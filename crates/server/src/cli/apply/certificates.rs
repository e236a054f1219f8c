//! The client certificates of the integrations of one workspace, and of their auth options, made what the file says.
//!
//! Where it says nothing of one it stays as it is.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{integration::Integration, workspace::Workspace},
    outbound::Pair,
    setup::{self, Change},
};

use super::{file, plan::Steps};

pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Integration],
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes {
        let name = format!("workspace {}: integration {}", workspace.client_id, wish.key);
        let Some(found) = to.conn.integration_by_selector(&workspace.id, &wish.key).await? else { continue };
        give(to, &found, wish.client_certificate.as_ref(), &name, steps).await?;
        for option in wish.auth_options.iter().flatten().filter(|option| option.client_certificate.is_some())
        {
            let name = format!("{name}: auth option {}", option.key);
            let of = to.conn.integration_as(&workspace.id, &found.id, Some(&option.key)).await?;
            let of = of.ok_or_else(|| anyhow!("{name} is not there"))?;
            give(to, &of, option.client_certificate.as_ref(), &name, steps).await?;
        }
    }
    Ok(())
}

async fn give(
    to: &mut Change<'_>,
    of: &Integration,
    wish: Option<&file::ClientCertificate>,
    name: &str,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let Some(file::ClientCertificate { certificate: Some(certificate), key: Some(key) }) = wish else {
        return match wish {
            None => Ok(()),
            Some(_) => Err(anyhow!("{name}: client_certificate needs both certificate and key")),
        };
    };
    let pair = Pair { certificate: certificate.expose(), key };
    if setup::client_certificate(to, of, &pair).await.with_context(|| name.to_owned())? {
        let end = setup::certificate_end(to, of).await?.map(|end| format!(", good until {}", end.rfc3339()));
        steps.changed(name, &[&format!("client_certificate{}", end.unwrap_or_default())]);
    }
    Ok(())
}
