//! API keys of the form `tg_<prefix>_<secret>`. The prefix identifies the row and may be shown; only a hash of the secret
//! is stored.

use std::fmt;

use rand::CryptoRng;
use rand::distr::{Alphanumeric, SampleString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The beginning of every API key, which distinguishes it from a JWT and lets secret scanners find it.
const MARK: &str = "tg_";
const PREFIX_LENGTH: usize = 8;
/// 43 characters out of 62 are 256 bits.
const SECRET_LENGTH: usize = 43;

/// A complete API key, which exists only while it is created or checked.
#[derive(Clone)]
pub struct ApiKeySecret {
    prefix: String,
    secret: String,
}

impl ApiKeySecret {
    /// Generates a key.
    pub fn generate(rng: &mut impl CryptoRng) -> ApiKeySecret {
        ApiKeySecret {
            prefix: Alphanumeric.sample_string(rng, PREFIX_LENGTH),
            secret: Alphanumeric.sample_string(rng, SECRET_LENGTH),
        }
    }

    /// Returns whether a bearer credential is an API key rather than a JWT.
    pub fn is_meant_by(bearer: &str) -> bool {
        bearer.starts_with(MARK)
    }

    /// Parses a key; `None` if the text has another form.
    pub fn parse(bearer: &str) -> Option<ApiKeySecret> {
        let (prefix, secret) = bearer.strip_prefix(MARK)?.split_once('_')?;
        let fits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits(prefix, PREFIX_LENGTH) && fits(secret, SECRET_LENGTH))
            .then(|| ApiKeySecret { prefix: prefix.to_owned(), secret: secret.to_owned() })
    }

    /// Returns the public part, which identifies the key in lists.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the hash to store: SHA-256 of the secret in lower-case hex. A slow password hash would add nothing, because
    /// 256 random bits cannot be guessed.
    pub fn hash(&self) -> String {
        fast_hash(&self.secret)
    }

    /// Compares the key with a stored hash in constant time.
    pub fn matches(&self, stored_hash: &str) -> bool {
        is_same(&self.hash(), stored_hash)
    }

    /// Returns the complete key, to be shown once to its creator.
    pub fn expose(&self) -> String {
        format!("{MARK}{}_{}", self.prefix, self.secret)
    }
}

/// Returns SHA-256 in lower-case hex. Sufficient only for random secrets that are too long to guess.
pub(super) fn fast_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

/// Compares two hashes in constant time.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}_[not shown]", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_key_reads_back_and_matches_its_own_hash_alone() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = ApiKeySecret::generate(&mut rng);
        let other = ApiKeySecret::generate(&mut rng);
        let read = ApiKeySecret::parse(&key.expose()).unwrap();
        assert_eq!(key.expose().len(), 3 + 8 + 1 + 43);
        assert_eq!(read.prefix(), key.prefix());
        assert!(read.matches(&key.hash()));
        assert!(!other.matches(&key.hash()) && !read.matches("") && !read.matches(&key.hash()[1..]));
        assert_eq!(key.hash().len(), 64);
        assert!(!format!("{key:?}").contains(&key.secret));
        assert!(ApiKeySecret::is_meant_by(&key.expose()));
    }

    #[test]
    fn another_form_is_no_key() {
        let key = ApiKeySecret::generate(&mut ChaCha20Rng::seed_from_u64(2)).expose();
        let mut wrong = vec![String::new(), "tg_".into(), "tg__".into(), key.replace("tg_", "TG_"), key[1..].into()];
        wrong.extend([format!("{key}a"), key[..key.len() - 1].into(), format!("{key}\n"), key.replacen('_', "-", 2)]);
        wrong.push(key.replace(&key[20..21], "é"));
        for text in wrong {
            assert!(ApiKeySecret::parse(&text).is_none(), "{text}");
        }
    }
}
