//! The doors: one public contract each. A door reads its wire format, makes one engine call and writes its
//! wire format; it decides nothing and knows no other door.

pub mod bundleup;
pub mod informer;
pub mod membrane;
