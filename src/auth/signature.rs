//! Verification and creation of signatures with the cryptography of `jsonwebtoken`.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

use crate::config::JwtAlgorithm;

/// A key that verifies signatures of one algorithm, whatever a token claims.
pub(super) struct VerifyingKey {
    algorithm: JwtAlgorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Creates a key from a shared secret.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        VerifyingKey { algorithm: JwtAlgorithm::Hs256, key: DecodingKey::from_secret(secret) }
    }

    /// Creates a key from a public key of a key set; `None` if it is malformed.
    pub(super) fn from_jwk(algorithm: JwtAlgorithm, jwk: &Jwk) -> Option<Self> {
        Some(VerifyingKey { algorithm, key: DecodingKey::from_jwk(jwk).ok()? })
    }

    /// Returns the algorithm of the key.
    pub(super) fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Returns whether `signature` (base64url) is this key's signature of `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, library_algorithm(self.algorithm)).unwrap_or(false)
    }
}

/// Signs `message` with HS256 and returns the signature in base64url.
pub(super) fn sign_hs256(secret: &[u8], message: &[u8]) -> anyhow::Result<String> {
    Ok(crypto::sign(message, &EncodingKey::from_secret(secret), Algorithm::HS256)?)
}

fn library_algorithm(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}
