//! What must not be found, where it is looked for, and the log as it would be written.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use claviger_engine::store::{Store, trial};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt as _};

use crate::support::Answer;

/// Shorter texts would be found anywhere.
const SHORTEST: usize = 16;

/// Every secret that the story knows of, and what it is.
#[derive(Default)]
pub struct Secrets(Mutex<BTreeMap<String, &'static str>>);

impl Secrets {
    pub fn add(&self, what: &'static str, secret: &str) {
        assert!(secret.len() >= SHORTEST, "{what} is too short to be looked for");
        self.0.lock().unwrap().insert(secret.to_owned(), what);
    }

    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for what in self.0.lock().unwrap().values() {
            *kinds.entry(*what).or_default() += 1;
        }
        kinds
    }

    /// What of it is in these bytes, as it is or percent-encoded; `but` names what may be there.
    pub fn found_in(&self, place: &str, bytes: &[u8], but: &[&str]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let mut found = Vec::new();
        for (secret, what) in self.0.lock().unwrap().iter() {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            if !but.contains(what) && (text.contains(secret.as_str()) || text.contains(&encoded)) {
                found.push(format!("{what} in {place}"));
            }
        }
        found
    }

    /// What of it is in an answer. Where a redirect leads may hold `code` and `state`, a cookie the browser's id.
    pub fn found_in_answer(&self, place: &str, answer: &Answer) -> Vec<String> {
        let mut found = self.found_in(&format!("the body of {place}"), &answer.body, &[]);
        for (name, value) in &answer.headers {
            let but: &[&str] = match name.as_str() {
                "location" => &["our state", "our code", "the provider's code"],
                "set-cookie" => &["a browser's id"],
                _ => &[],
            };
            found.extend(self.found_in(&format!("{name} of {place}"), value.as_bytes(), but));
        }
        found
    }

    /// What of it is in the database: in a value of a table, or in the bytes of its files.
    pub async fn found_in_store(&self, store: &Store) -> Vec<String> {
        let contents = trial::contents(store).await;
        assert!(contents.len() > 100, "the database is looked through: {}", contents.len());
        let mut found = Vec::new();
        for (place, value) in contents {
            found.extend(self.found_in(&place, value.as_bytes(), &[]));
        }
        for (name, bytes) in trial::files(store) {
            found.extend(self.found_in(&name, &bytes, &[]));
        }
        found
    }
}

/// All that is logged on this thread while it is listened to.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens on this thread, where everything of a story runs, until the guard is dropped.
    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let ours = "info,claviger=trace,claviger_engine=trace,claviger_protocol=trace,claviger_catalog=trace";
        let lines = tracing_subscriber::fmt::layer().with_writer(self.clone()).with_ansi(false);
        let all = tracing_subscriber::registry().with(EnvFilter::new(ours)).with(lines);
        tracing::subscriber::set_default(all)
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
