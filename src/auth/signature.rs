//! Signatures: the one place that uses the `jsonwebtoken` library, and only for its cryptography.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

use crate::config::JwtAlgorithm;

/// A key that checks signatures of one algorithm, whatever a token says about itself.
pub(super) struct VerifyingKey {
    algorithm: JwtAlgorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// A shared secret.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        VerifyingKey { algorithm: JwtAlgorithm::Hs256, key: DecodingKey::from_secret(secret) }
    }

    /// An RSA key of `modulus` and `exponent`, both big-endian.
    pub(super) fn rs256(modulus: &[u8], exponent: &[u8]) -> Self {
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        VerifyingKey { algorithm: JwtAlgorithm::Rs256, key }
    }

    /// A point on P-256.
    pub(super) fn es256(x: &[u8; 32], y: &[u8; 32]) -> Self {
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        VerifyingKey { algorithm: JwtAlgorithm::Es256, key: DecodingKey::from_ec_der(&point) }
    }

    /// An Ed25519 key.
    pub(super) fn eddsa(x: &[u8; 32]) -> Self {
        VerifyingKey { algorithm: JwtAlgorithm::EdDsa, key: DecodingKey::from_ed_der(x) }
    }

    /// The one algorithm this key is for.
    pub(super) fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Whether `signature` (base64url) is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, library_name(self.algorithm)).unwrap_or(false)
    }
}

/// The HS256 signature over `message`, in base64url.
pub(super) fn sign_hs256(secret: &[u8], message: &[u8]) -> anyhow::Result<String> {
    Ok(crypto::sign(message, &EncodingKey::from_secret(secret), Algorithm::HS256)?)
}

fn library_name(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::Es256 => Algorithm::ES256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}
