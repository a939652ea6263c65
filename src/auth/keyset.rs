//! Sets of public keys (JWKS, RFC 7517), reduced to those that are safe for verifying signatures.

use std::ops::RangeInclusive;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse, RSAKeyParameters,
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::signature::VerifyingKey;
use crate::config::JwtAlgorithm;

/// Allowed lengths of RSA moduli: shorter ones can be factored, longer ones are slow to verify.
const RSA_BITS: RangeInclusive<u32> = 2048..=4096;

/// The keys that may have signed a token.
pub(super) struct KeySet {
    keys: Vec<Key>,
    digest: [u8; 32],
}

struct Key {
    id: KeyId,
    key: VerifyingKey,
}

enum KeyId {
    /// Matches every key id: the shared secret.
    Any,
    /// Matches this id; `None` if the key has none.
    Own(Option<String>),
}

/// The reason why no key matches a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// No key has the token's key id or algorithm; a newer set may contain one.
    Unknown,
    /// The key with that id is for another algorithm.
    OtherAlgorithm,
    /// The token names no key, and more than one matches.
    Ambiguous,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Creates a set of one shared secret, which matches every key id.
    pub(super) fn of_secret(secret: &[u8]) -> KeySet {
        KeySet { keys: vec![Key { id: KeyId::Any, key: VerifyingKey::hs256(secret) }], digest: [0; 32] }
    }

    /// Parses a JWKS document. Ignores keys that are malformed, unsafe, not for signatures or not for `algorithms`.
    pub(super) fn parse(document: &[u8], algorithms: &[JwtAlgorithm]) -> anyhow::Result<KeySet> {
        let parsed: Document = serde_json::from_slice(document).context("it is not a JSON Web Key Set")?;
        let jwks = parsed.keys.into_iter().filter_map(parse_key);
        let keys = jwks.filter_map(|jwk| Some(Key { key: verifying_key(&jwk)?, id: KeyId::Own(jwk.common.key_id) }));
        let keys = keys.filter(|key| algorithms.contains(&key.key.algorithm())).collect();
        Ok(KeySet { keys, digest: Sha256::digest(document).into() })
    }

    /// Returns whether the set has no keys.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the digest of the document, which identifies the version of the set.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the keys that may have signed a token with this algorithm and key id; more than one only if they share an id.
    pub(super) fn pick(&self, algorithm: JwtAlgorithm, id: Option<&str>) -> Result<Vec<&VerifyingKey>, NoKey> {
        let named: Vec<&Key> = self.keys.iter().filter(|key| key.matches_id(id)).collect();
        let fitting: Vec<&VerifyingKey> =
            named.iter().map(|key| &key.key).filter(|key| key.algorithm() == algorithm).collect();
        match (named.len(), fitting.len()) {
            (0, _) => Err(NoKey::Unknown),
            (_, 0) if id.is_some() => Err(NoKey::OtherAlgorithm),
            (_, 0) => Err(NoKey::Unknown),
            (_, 2..) if id.is_none() => Err(NoKey::Ambiguous),
            _ => Ok(fitting),
        }
    }
}

impl Key {
    fn matches_id(&self, id: Option<&str>) -> bool {
        match &self.id {
            KeyId::Any => true,
            KeyId::Own(own) => id.is_none() || own.as_deref() == id,
        }
    }
}

/// Parses a key. The library knows fewer names of algorithms than providers use: `Ed25519` (RFC 9864) is `EdDSA` on that
/// curve.
fn parse_key(mut key: Value) -> Option<Jwk> {
    if key["alg"] == "Ed25519" {
        key["alg"] = "EdDSA".into();
    }
    serde_json::from_value(key).ok()
}

/// Returns the verifying key if it is for signatures and strong enough.
fn verifying_key(jwk: &Jwk) -> Option<VerifyingKey> {
    let common = &jwk.common;
    let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let is_for_verifying =
        common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !is_for_signatures || !is_for_verifying {
        return None;
    }
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if is_strong(key) => (JwtAlgorithm::Rs256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key)
            if key.curve == EllipticCurve::P256 && is_coordinate(&key.x) && is_coordinate(&key.y) =>
        {
            (JwtAlgorithm::Es256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 && is_coordinate(&key.x) => {
            (JwtAlgorithm::EdDsa, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if common.key_algorithm.is_some_and(|stated| stated != name) {
        return None;
    }
    VerifyingKey::from_jwk(algorithm, jwk)
}

/// Returns whether an RSA key is safe to use. An even exponent has no inverse, and with an exponent of 1 every text is its
/// own signature.
fn is_strong(key: &RSAKeyParameters) -> bool {
    let (Some(modulus), Some(exponent)) = (bytes(&key.n), bytes(&key.e)) else { return false };
    let is_odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    RSA_BITS.contains(&bits(&modulus)) && bits(&exponent) > 1 && is_odd
}

/// Returns whether a text is a coordinate of 32 bytes; the library would panic on a shorter one.
fn is_coordinate(text: &str) -> bool {
    bytes(text).is_some_and(|bytes| bytes.len() == 32)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Returns the number of bits of a big-endian number.
fn bits(number: &[u8]) -> u32 {
    let mut rest = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = rest.next() else { return 0 };
    let more = u32::try_from(rest.count()).unwrap_or(u32::MAX / 16);
    u8::BITS - first.leading_zeros() + more * u8::BITS
}

#[cfg(test)]
#[path = "keyset_tests.rs"]
mod tests;
