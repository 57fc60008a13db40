//! The key that clients must know when the server has one.

use std::fmt;

use sha2::{Digest, Sha256};

/// A secret that clients send with every request.
///
/// Only its digest is kept, and candidates are compared by theirs, so that the time of a comparison tells nothing about the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    digest: [u8; 32],
    session: String,
}

/// A key without a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a key of at least one character, got none")]
pub struct EmptyKey;

impl ApiKey {
    /// A key.
    ///
    /// # Errors
    /// When it is empty, since every client would know it.
    pub fn new(key: &str) -> Result<Self, EmptyKey> {
        if key.is_empty() {
            return Err(EmptyKey);
        }
        let session = digest(format!("comfy-server session\0{key}").as_bytes());
        Ok(Self {
            digest: digest(key.as_bytes()),
            session: session
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
        })
    }

    /// Whether this is the key.
    pub(crate) fn is(&self, candidate: &str) -> bool {
        is_equal(&digest(candidate.as_bytes()), &self.digest)
    }

    /// What a browser keeps in place of the key once it has shown it: the key cannot be told from it.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Whether this is what a browser was given.
    pub(crate) fn is_session(&self, candidate: &str) -> bool {
        is_equal(
            &digest(candidate.as_bytes()),
            &digest(self.session.as_bytes()),
        )
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Settings are logged.
        formatter.write_str("ApiKey(…)")
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Compares all bytes, whatever the first ones are.
fn is_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = one.iter().zip(other);
    differing.fold(0, |found, (one, other)| found | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_is_the_key() {
        let key = ApiKey::new("secret").expect("a key");
        assert!(key.is("secret"));
        for wrong in ["", "secre", "secret ", "Secret", key.session()] {
            assert!(!key.is(wrong), "{wrong}");
        }
        assert!(key.is_session(key.session()) && !key.is_session("secret"));
        assert_ne!(
            key.session(),
            ApiKey::new("other").expect("a key").session()
        );
        assert_eq!(ApiKey::new(""), Err(EmptyKey));
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }
}
