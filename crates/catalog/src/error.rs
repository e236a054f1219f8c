//! What is wrong with a provider file. It names the file and the key, never a value that could be long.

/// A provider file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {message}")]
pub struct CatalogError {
    /// The file's name.
    pub file: String,
    /// The key in it, dotted (`oauth2.token.format`); `.` is the file as a whole.
    pub key: String,
    /// What is wrong, for the person who edits the file.
    pub message: String,
}

impl CatalogError {
    pub(crate) fn new(file: &str, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), key: key.into(), message: message.into() }
    }
}
