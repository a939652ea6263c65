//! A set of public keys (JWKS, RFC 7517), of which only what can safely check a signature is kept.

use std::ops::RangeInclusive;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::signature::VerifyingKey;
use crate::config::JwtAlgorithm;

/// RSA moduli outside this range are ignored: shorter ones can be factored, longer ones make each check slow.
const RSA_BITS: RangeInclusive<u32> = 2048..=4096;

/// The keys a token may be signed with.
pub(super) struct KeySet {
    keys: Vec<Key>,
    digest: [u8; 32],
}

struct Key {
    id: KeyId,
    key: VerifyingKey,
}

enum KeyId {
    /// The key answers to every key id: the one shared secret.
    Any,
    /// The key answers to its own id; `None` where it has none.
    Own(Option<String>),
}

/// Why no key fits a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// No key has the token's key id, or none fits its algorithm; a newer set may have one.
    Unknown,
    /// The key of that id is for another algorithm.
    OtherAlgorithm,
    /// The token names no key, and more than one fits.
    Ambiguous,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// The one shared secret, which answers to every key id.
    pub(super) fn of_secret(secret: &[u8]) -> KeySet {
        KeySet { keys: vec![Key { id: KeyId::Any, key: VerifyingKey::hs256(secret) }], digest: [0; 32] }
    }

    /// Reads a JWKS document, leaving out the keys that are not for signatures, are unsafe, or are for other algorithms
    /// than `algorithms`. One odd key does not spoil the others.
    pub(super) fn parse(document: &[u8], algorithms: &[JwtAlgorithm]) -> anyhow::Result<KeySet> {
        let parsed: Document = serde_json::from_slice(document).context("it is not a JSON Web Key Set")?;
        let jwks = parsed.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys = jwks.filter_map(|jwk| Some(Key { key: usable(&jwk)?, id: KeyId::Own(jwk.kid) }));
        let keys = keys.filter(|key| algorithms.contains(&key.key.algorithm())).collect();
        Ok(KeySet { keys, digest: Sha256::digest(document).into() })
    }

    /// Whether no key is left.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What tells one version of a set from another.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The keys that may have signed a token with this algorithm and key id; more than one only where they share an id.
    pub(super) fn pick(&self, algorithm: JwtAlgorithm, id: Option<&str>) -> Result<Vec<&VerifyingKey>, NoKey> {
        let named: Vec<&Key> = self.keys.iter().filter(|key| key.answers_to(id)).collect();
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
    fn answers_to(&self, id: Option<&str>) -> bool {
        match &self.id {
            KeyId::Any => true,
            KeyId::Own(own) => id.is_none() || own.as_deref() == id,
        }
    }
}

/// The key, if it may check signatures and is strong enough.
fn usable(jwk: &Jwk) -> Option<VerifyingKey> {
    let for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let for_verifying = jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
    if !for_signatures || !for_verifying {
        return None;
    }
    let algorithm = jwk.alg.as_deref();
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) if matches!(algorithm, None | Some("RS256")) => {
            let (modulus, exponent) = (bytes(jwk.n.as_ref())?, bytes(jwk.e.as_ref())?);
            // An even exponent has no inverse, and 1 would make every text its own signature.
            let sound = RSA_BITS.contains(&bits(&modulus)) && bits(&exponent) > 1 && exponent.last()? & 1 == 1;
            sound.then(|| VerifyingKey::rs256(&modulus, &exponent))
        }
        ("EC", Some("P-256")) if matches!(algorithm, None | Some("ES256")) => {
            Some(VerifyingKey::es256(&coordinate(jwk.x.as_ref())?, &coordinate(jwk.y.as_ref())?))
        }
        ("OKP", Some("Ed25519")) if matches!(algorithm, None | Some("EdDSA" | "Ed25519")) => {
            Some(VerifyingKey::eddsa(&coordinate(jwk.x.as_ref())?))
        }
        _ => None,
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// One coordinate of a point; the library would panic on a short one.
fn coordinate(text: Option<&String>) -> Option<[u8; 32]> {
    bytes(text)?.try_into().ok()
}

/// How many bits a big-endian number has.
fn bits(number: &[u8]) -> u32 {
    let mut rest = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = rest.next() else { return 0 };
    let more = u32::try_from(rest.count()).unwrap_or(u32::MAX / 16);
    u8::BITS - first.leading_zeros() + more * u8::BITS
}

#[cfg(test)]
#[path = "keyset_tests.rs"]
mod tests;
