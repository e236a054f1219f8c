//! What `claviger dev` makes once and keeps: `dev.json`, readable by its owner alone.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use claviger_engine::{
    domain::{
        user::{Operator, Role},
        workspace::{Settings, Workspace},
    },
    error::Result as EngineResult,
    id::OperatorId,
    secret::{Secret, token},
    setup::{self, Change, NewApiKey, NewUser, NewWorkspace},
    vault::{KeyRing, hash},
};
use serde::Deserialize;
use serde_json::json;

use super::SCOPES;

/// The generated keys and secrets. No `Debug`.
#[derive(Deserialize)]
pub(super) struct Kept {
    pub master_key: Secret,
    pub client_id: String,
    pub api_key: Secret,
    pub workspace_secret: Secret,
    pub sandbox_secret: Secret,
    pub admin_username: String,
    pub admin_password: Secret,
}

impl Kept {
    /// Reads `dev.json`, or makes it together with its folder.
    pub(super) fn in_dir(dir: &Path) -> Result<Self> {
        let file = dir.join("dev.json");
        match std::fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).with_context(|| {
                format!("{} can't be read as JSON; remove {} to begin anew", file.display(), dir.display())
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::make(dir, &file),
            Err(e) => Err(e).with_context(|| format!("{} can't be read", file.display())),
        }
    }

    fn make(dir: &Path, file: &Path) -> Result<Self> {
        if dir.join("claviger.db").exists() {
            bail!(
                "{} is gone and with it the key of the database beside it; remove {} to begin anew",
                file.display(),
                dir.display()
            );
        }
        let kept = Self {
            master_key: KeyRing::generate()?,
            client_id: "dev".to_owned(),
            api_key: hash::new_api_key()?.0,
            workspace_secret: token()?,
            sandbox_secret: token()?,
            admin_username: "admin".to_owned(),
            admin_password: token()?,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("{} can't be made", dir.display()))?;
        let text = json!({
            "master_key": kept.master_key.expose(),
            "client_id": kept.client_id,
            "api_key": kept.api_key.expose(),
            "workspace_secret": kept.workspace_secret.expose(),
            "sandbox_secret": kept.sandbox_secret.expose(),
            "admin_username": kept.admin_username,
            "admin_password": kept.admin_password.expose(),
        });
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .with_context(|| format!("{} can't be written", file.display()))?;
        out.write_all(format!("{text:#}\n").as_bytes())?;
        out.sync_all()?;
        Ok(kept)
    }

    /// The workspace, its key and its people, at the first start.
    pub(super) async fn set_up(&self, to: &mut Change<'_>) -> EngineResult<Workspace> {
        let wanted = NewWorkspace {
            name: "Your product".to_owned(),
            client_id: Some(self.client_id.clone()),
            settings: Settings::default(),
            jwt_secret: Some(self.workspace_secret.clone()),
        };
        let (workspace, _known) = setup::workspace(to, wanted).await?;
        let key = NewApiKey {
            name: "dev".to_owned(),
            scopes: SCOPES.to_vec(),
            integration_id: None,
            expires_at: None,
        };
        setup::given_api_key(to, &workspace.id, key, &self.api_key).await?;
        let admin = NewUser {
            username: self.admin_username.clone(),
            display_name: Some("Admin".to_owned()),
            email: None,
            password: Some(self.admin_password.clone()),
            superuser: true,
            permissions: Vec::new(),
        };
        let user = setup::user(to, &workspace.id, admin).await?;
        let operator = Operator {
            id: OperatorId::new(),
            username: self.admin_username.clone(),
            password_hash: user.password_hash,
            roles: vec![(workspace.id.clone(), Role::Owner)],
            disabled_at: None,
            created_at: to.now,
        };
        to.conn.create_operator(&operator).await?;
        Ok(workspace)
    }
}
