//! Names to addresses.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Who is asked for a name's addresses.
#[derive(Debug, Clone)]
pub enum Resolver {
    /// The operating system.
    System,
    /// A script, for tests.
    Scripted(Arc<Script>),
}

/// Answers given in order; the last one is given again and again.
#[derive(Debug, Default)]
pub struct Script {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Script {
    /// Answers one more question about `name` with `ips`.
    #[must_use]
    pub fn answer(self, name: &str, ips: &[IpAddr]) -> Self {
        self.lock().entry(name.to_owned()).or_default().push_back(ips.to_vec());
        self
    }

    /// How many questions were asked so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn next(&self, name: &str) -> Vec<IpAddr> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.lock();
        let Some(queue) = answers.get_mut(name) else { return Vec::new() };
        if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }.unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, VecDeque<Vec<IpAddr>>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    /// The addresses of a name, in the order to try them.
    pub(super) async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => {
                let mut ips: Vec<IpAddr> = Vec::new();
                for found in tokio::net::lookup_host((name, port)).await? {
                    if !ips.contains(&found.ip()) {
                        ips.push(found.ip());
                    }
                }
                Ok(ips)
            }
            Self::Scripted(script) => Ok(script.next(name)),
        }
    }
}
