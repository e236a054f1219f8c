//! Ready: what is the same for each call with a connection, made once.
//!
//! It is remembered with the connection, and made anew when anything of it changes. It must hold nothing that a caller says.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use claviger_catalog::Api;

use super::{shown::Shown, target};
use crate::{
    error::Result,
    refresh::{Subject, Usable},
};

/// A connection, ready to be called with.
pub(crate) struct Ready {
    subject: Arc<Subject>,
    api: OnceLock<Api>,
    shown: Mutex<Option<Of>>,
}

/// What one credential is shown as.
struct Of {
    version: i64,
    previous: bool,
    shown: Arc<Shown>,
}

impl Ready {
    /// For this connection; nothing is made yet.
    pub fn new(subject: Subject) -> Arc<Self> {
        Arc::new(Self { subject: Arc::new(subject), api: OnceLock::new(), shown: Mutex::default() })
    }

    /// Where calls go, and what they carry: [`target::api`].
    ///
    /// # Errors
    /// As there. They are not remembered.
    pub fn api(&self) -> Result<&Api> {
        match self.api.get() {
            Some(api) => Ok(api),
            None => {
                let made = target::api(&self.subject)?;
                Ok(self.api.get_or_init(|| made))
            }
        }
    }

    /// What shows these tokens.
    ///
    /// # Errors
    /// As for [`Shown::of`].
    pub fn shown(&self, usable: &Usable) -> Result<Arc<Shown>> {
        let same = |of: &Of| of.version == usable.version && of.previous == usable.previous;
        let mut last = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = last.as_ref().filter(|of| same(of)) {
            return Ok(of.shown.clone());
        }
        let shown = Arc::new(Shown::of(self.api()?, &usable.tokens)?);
        *last = Some(Of { version: usable.version, previous: usable.previous, shown: shown.clone() });
        Ok(shown)
    }
}

impl Deref for Ready {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        &self.subject
    }
}
