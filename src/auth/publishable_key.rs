//! Publishable keys of the form `tgpub_<24 characters>`, with which pages in browsers record events of visitors. They are
//! public: everybody who opens a page can read its key.

use rand::CryptoRng;
use rand::distr::{Alphanumeric, SampleString};

/// The beginning of every publishable key, which distinguishes it from the secret keys of back ends.
const MARK: &str = "tgpub_";
/// 24 characters out of 62 are 142 bits, so that nobody finds a key that was not published.
const LENGTH: usize = 24;

/// A publishable key, well formed but not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey(String);

impl PublishableKey {
    /// Generates a key.
    pub fn generate(rng: &mut impl CryptoRng) -> PublishableKey {
        PublishableKey(format!("{MARK}{}", Alphanumeric.sample_string(rng, LENGTH)))
    }

    /// Returns whether a bearer credential is meant to be a publishable key, valid or not.
    pub fn is_meant_by(bearer: &str) -> bool {
        bearer.starts_with(MARK)
    }

    /// Parses a key; `None` if the text has another form.
    pub fn parse(bearer: &str) -> Option<PublishableKey> {
        let own = bearer.strip_prefix(MARK)?;
        let fits = own.len() == LENGTH && own.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| PublishableKey(bearer.to_owned()))
    }

    /// Returns the whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ApiKeySecret;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn a_key_reads_back_and_is_no_api_key() {
        let key = PublishableKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(PublishableKey::parse(key.as_str()), Some(key.clone()));
        assert_eq!(key.as_str().len(), 6 + 24);
        assert!(PublishableKey::is_meant_by(key.as_str()) && !ApiKeySecret::is_meant_by(key.as_str()));
        let text = key.as_str();
        for wrong in [&text[1..], &text[..text.len() - 1], &format!("{text}a"), &text.to_uppercase(), "tgpub_", ""] {
            assert_eq!(PublishableKey::parse(wrong), None, "{wrong}");
        }
        let api_key = ApiKeySecret::generate(&mut ChaCha20Rng::seed_from_u64(2)).expose();
        assert!(!PublishableKey::is_meant_by(&api_key));
    }
}
