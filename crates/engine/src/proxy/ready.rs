//! Ready: what is the same for each call with a connection, made once.
//!
//! It is remembered with the connection, and made anew when anything of it changes. It must hold nothing that a caller says.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use claviger_catalog::Api;
use http::Uri;

use super::{
    shown::Shown,
    target::{self, Base},
};
use crate::{
    error::Result,
    name::Name,
    outbound::{Destination, Outbound},
    refresh::{Subject, Usable},
};

/// A connection, ready to be called with.
pub(crate) struct Ready {
    subject: Arc<Subject>,
    /// Of the connection's id.
    name: Name,
    route: OnceLock<Route>,
    shown: Mutex<Option<Of>>,
}

/// Where calls with a connection go, and what they carry.
pub(super) struct Route {
    /// The provider's table, filled: [`target::api`].
    pub api: Api,
    /// Its base URL.
    pub base: Base,
    /// Where that points.
    to: OnceLock<Destination>,
}

/// What one credential is shown as.
struct Of {
    version: i64,
    previous: bool,
    shown: Arc<Shown>,
}

impl Route {
    fn of(subject: &Subject) -> Result<Self> {
        let api = target::api(subject)?;
        Ok(Self { base: Base::of(&api)?, api, to: OnceLock::new() })
    }

    /// Where this URL points, which is nearly always where the base URL does.
    ///
    /// # Errors
    /// As for [`Outbound::destination`].
    pub fn destination(&self, outbound: &Outbound, uri: &Uri) -> Result<Destination> {
        if let Some(to) = self.to.get().filter(|to| to.is_of(uri)) {
            return Ok(to.clone());
        }
        let to = outbound.destination(uri)?;
        if to.is_of(self.base.url()) {
            return Ok(self.to.get_or_init(|| to).clone());
        }
        Ok(to)
    }
}

impl Ready {
    /// For this connection; nothing is made yet.
    pub fn new(subject: Subject) -> Arc<Self> {
        let name = Name::of(subject.connection.id.as_str());
        Arc::new(Self { subject: Arc::new(subject), name, route: OnceLock::new(), shown: Mutex::default() })
    }

    /// The connection's id, as a number of this process.
    pub fn name(&self) -> Name {
        self.name
    }

    /// Where calls go, and what they carry.
    ///
    /// # Errors
    /// As for [`target::api`] and [`Base::of`]. They are not remembered.
    pub fn route(&self) -> Result<&Route> {
        match self.route.get() {
            Some(route) => Ok(route),
            None => {
                let made = Route::of(&self.subject)?;
                Ok(self.route.get_or_init(|| made))
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
        let shown = Arc::new(Shown::of(&self.route()?.api, &usable.tokens)?);
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
