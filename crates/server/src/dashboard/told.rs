//! What a page says once after something was done: a cookie carries a word of ours to the next page, which shows the
//! sentence for it and forgets it. Nobody can make a page say anything else.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

const NAME: &str = "claviger-told";

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The operator's password is another one.
    Password,
    /// Somebody is signed out.
    SignedOut,
    /// Settings are kept.
    Saved,
    /// A redirect URI is registered.
    Registered,
    /// A redirect URI is not any more.
    Unregistered,
    /// An API key is revoked.
    Revoked,
}

impl Told {
    /// Each with its word and its sentence.
    const ALL: &[(Self, &'static str, &'static str)] = &[
        (Self::Password, "password", "Your password is changed. Everywhere else you are signed out."),
        (Self::SignedOut, "signed-out", "You are signed out."),
        (Self::Saved, "saved", "Saved. It holds for authorizations that end from now on."),
        (Self::Registered, "registered", "The redirect URI is registered."),
        (Self::Unregistered, "unregistered", "The redirect URI is removed."),
        (Self::Revoked, "revoked", "The key is revoked."),
    ];

    fn row(self) -> (Self, &'static str, &'static str) {
        let found = Self::ALL.iter().find(|(told, ..)| *told == self);
        found.copied().unwrap_or((self, "done", "Done."))
    }

    /// The sentence.
    pub fn sentence(self) -> &'static str {
        self.row().2
    }

    /// The `Set-Cookie` value that has the next page say it.
    pub fn cookie(self) -> Option<HeaderValue> {
        let text = format!("{NAME}={}; Path=/dashboard; Max-Age=60; HttpOnly; SameSite=Lax", self.row().1);
        HeaderValue::from_str(&text).ok()
    }

    /// What the browser was given to have said.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, word) = pairs.find(|(name, _)| *name == NAME)?;
        Self::ALL.iter().find(|(_, known, _)| *known == word).map(|(told, ..)| *told)
    }
}

/// The `Set-Cookie` value by which it is said only once.
pub fn forget() -> HeaderValue {
    HeaderValue::from_static("claviger-told=; Path=/dashboard; Max-Age=0; HttpOnly; SameSite=Lax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_ours_are_said() {
        let read = |line: &str| {
            Told::read(&HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(line).expect("a header"))]))
        };
        for (told, word, sentence) in Told::ALL {
            assert_eq!(read(&format!("a=b; {NAME}={word}")), Some(*told));
            assert_eq!(told.sentence(), *sentence);
            let cookie = told.cookie().expect("a cookie");
            assert!(cookie.to_str().expect("text").starts_with(&format!("{NAME}={word}; Path=/dashboard;")));
        }
        assert_eq!(read("claviger-told=Your account is locked, call us"), None);
        assert_eq!(read("a=b"), None);
    }
}
