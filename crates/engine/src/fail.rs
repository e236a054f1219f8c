//! Fail points: places by name at which a test has the process die.
//!
//! `point` does nothing in a release: the switch is compiled in for tests alone, and only a test sets it. It must never
//! read anything from outside. Which points there are, and what becomes of a refresh that dies at each, is the table in
//! `docs/refresh.md`.

/// Every point, in the order in which a refresh comes by them.
pub const POINTS: [&str; 13] = [
    "before_claim",
    "after_claim",
    "before_send",
    "after_send",
    "before_keep",
    "in_keep",
    "after_keep",
    "before_end",
    "after_end",
    "before_rest",
    "after_rest",
    "before_doubt",
    "after_doubt",
];

/// Where a process dies when a test said so before; elsewhere nothing happens.
#[cfg(not(any(test, feature = "testing")))]
pub(crate) fn point(_name: &'static str) {}

#[cfg(any(test, feature = "testing"))]
pub use armed::abort_at;
#[cfg(any(test, feature = "testing"))]
pub(crate) use armed::point;

#[cfg(any(test, feature = "testing"))]
mod armed {
    use std::sync::{Mutex, PoisonError};

    static AT: Mutex<Option<String>> = Mutex::new(None);

    /// Has this process abort the next time it comes by the point, as if it were killed: nothing is written any more and
    /// nothing is dropped.
    pub fn abort_at(name: &str) {
        *AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// Aborts where [`abort_at`] said so.
    pub(crate) fn point(name: &'static str) {
        if AT.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(name) {
            std::process::abort();
        }
    }
}
