//! Bearer tokens (JWT, RFC 7519). The configuration decides how they are verified, never the token itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use reqwest::Client;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::claims::{Claims, Content, Header, MAX_SUBJECT_BYTES, Parts, is_plain, refused};
use super::jwks::{Jwks, Monotonic};
use super::keyset::{KeySet, NoKey};
use super::role::Role;
use super::scope::{Permission, Permissions};
use super::signature::sign_hs256;
use crate::config::{JwtAlgorithm, JwtConfig, JwtKeys, Secret};
use crate::error::{Error, Result};

/// Maximum length of a token.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Maximum number of cached tokens.
const MAX_CACHED_TOKENS: usize = 10_000;

/// Verifies and mints tokens.
pub struct Tokens {
    keys: Keys,
    config: JwtConfig,
    /// Tokens with a verified signature, by their SHA-256.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

enum Keys {
    None,
    Secret(Secret, Arc<KeySet>),
    Jwks(Jwks, Vec<JwtAlgorithm>),
}

/// A token with a verified signature.
struct Verified {
    content: Content,
    /// The digest of the key set that verified it. With another key set it is verified again.
    keys: [u8; 32],
}

/// A token to mint.
#[derive(Debug, Clone)]
pub struct MintRequest {
    /// The subject.
    pub subject: String,
    /// The role; not anonymous.
    pub role: Role,
    /// The permissions of a service; users and admins need none.
    pub permissions: Permissions,
    /// The lifetime.
    pub ttl: Duration,
    /// The time of issue.
    pub now: DateTime<Utc>,
}

impl Tokens {
    /// Loads the keys. A key set in a file must exist; one at a URL is fetched through `http` when it is first needed.
    pub fn new(config: &JwtConfig, http: Client) -> anyhow::Result<Tokens> {
        let start = Instant::now();
        Tokens::with_clock(config, http, Arc::new(move || start.elapsed()))
    }

    /// Like [`new`](Tokens::new), with a clock for the age of the keys.
    pub(super) fn with_clock(config: &JwtConfig, http: Client, monotonic: Monotonic) -> anyhow::Result<Tokens> {
        let keys = match &config.keys {
            JwtKeys::None => Keys::None,
            JwtKeys::Secret(secret) => {
                Keys::Secret(secret.clone(), Arc::new(KeySet::of_secret(secret.expose().as_bytes())))
            }
            JwtKeys::Jwks { source, algorithms } => {
                let jwks = Jwks::new(source.clone(), algorithms.clone(), http, monotonic)
                    .context("the key set in jwt_jwks (TOLLGATE_JWT_JWKS) cannot be used")?;
                Keys::Jwks(jwks, algorithms.clone())
            }
        };
        Ok(Tokens { keys, config: config.clone(), verified: Cache::new(MAX_CACHED_TOKENS) })
    }

    /// Verifies a bearer token at `now` and returns its claims.
    pub async fn verify(&self, bearer: &str, now: DateTime<Utc>) -> Result<Claims> {
        if bearer.len() > MAX_TOKEN_BYTES {
            return Err(refused("The token is over 8 KB long."));
        }
        let set = self.keys.current().await?;
        let digest: [u8; 32] = Sha256::digest(bearer).into();
        if let Some(known) = self.verified.get(&digest).filter(|known| known.keys == set.digest()) {
            let times = known.content.check_times(now, self.config.leeway);
            return times.map(|()| known.content.claims.clone());
        }
        let verified = self.verify_anew(bearer, set).await?;
        verified.content.check_times(now, self.config.leeway)?;
        let claims = verified.content.claims.clone();
        self.verified.insert(digest, Arc::new(verified));
        Ok(claims)
    }

    /// Signs a token, which [`verify`](Tokens::verify) accepts until it expires.
    pub fn mint(&self, request: &MintRequest) -> Result<String> {
        let secret = match &self.keys {
            Keys::Secret(secret, _) => secret,
            Keys::Jwks(..) => {
                return Err(Error::bad_input(
                    "Tokens come from your identity provider, because jwt_jwks (TOLLGATE_JWT_JWKS) is set. Tollgate has \
                     no private key to sign with.",
                ));
            }
            Keys::None => {
                return Err(Error::bad_input("Set jwt_hs256_secret (TOLLGATE_JWT_HS256_SECRET) to mint tokens."));
            }
        };
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let payload = self.payload(request)?;
        let message = format!("{}.{}", encode(&header), encode(&payload));
        let signature = sign_hs256(secret.expose().as_bytes(), message.as_bytes()).map_err(Error::Internal)?;
        Ok(format!("{message}.{signature}"))
    }

    async fn verify_anew(&self, bearer: &str, set: Arc<KeySet>) -> Result<Verified> {
        let parts = Parts::split(bearer)?;
        let header = Header::read(parts.header)?;
        let algorithm = self.keys.algorithm(&header.alg)?;
        let set = match set.pick(algorithm, header.kid.as_deref()) {
            Err(NoKey::Unknown) => self.keys.refreshed(set).await?,
            _ => set,
        };
        let keys = set.pick(algorithm, header.kid.as_deref()).map_err(|reason| match reason {
            NoKey::Unknown => refused("The token is signed with a key (kid) that is not in the key set."),
            NoKey::OtherAlgorithm => refused("The token's algorithm (alg) is not that of its key (kid)."),
            NoKey::Ambiguous => refused("The token does not name the key that it is signed with (kid)."),
        })?;
        if !keys.iter().any(|key| key.verifies(parts.message.as_bytes(), parts.signature)) {
            return Err(refused("The token's signature is wrong."));
        }
        let content = Content::read(parts.payload, &self.config)?;
        Ok(Verified { content, keys: set.digest() })
    }

    fn payload(&self, request: &MintRequest) -> Result<serde_json::Value> {
        let subject = &request.subject;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || !is_plain(subject) {
            return Err(Error::bad_input("The subject must have 1 to 255 bytes, without control characters."));
        }
        if request.role == Role::Anonymous {
            return Err(Error::bad_input("A token is for a user, a service or an admin."));
        }
        let ends = TimeDelta::from_std(request.ttl).ok().and_then(|ttl| request.now.checked_add_signed(ttl));
        let ends = ends.filter(|ends| ends.timestamp() > request.now.timestamp());
        let ends = ends
            .ok_or(Error::bad_input("The lifetime must be at least a second, and the time of expiry a valid date."))?;
        let scopes: Vec<&str> = request.permissions.iter().map(Permission::scope).collect();
        let mut payload = json!({ "sub": subject, "iat": request.now.timestamp(), "exp": ends.timestamp() });
        payload[&self.config.role_claim] = request.role.name().into();
        if !scopes.is_empty() {
            payload[&self.config.scope_claim] = scopes.join(" ").into();
        }
        if let Some(issuer) = &self.config.issuer {
            payload["iss"] = issuer.as_str().into();
        }
        if !self.config.audience.is_empty() {
            payload["aud"] = self.config.audience.clone().into();
        }
        Ok(payload)
    }
}

impl Keys {
    /// Returns the current keys.
    async fn current(&self) -> Result<Arc<KeySet>> {
        match self {
            Keys::None => Err(refused(
                "This server accepts no tokens, only API keys. Set jwt_jwks or jwt_hs256_secret to accept them.",
            )),
            Keys::Secret(_, set) => Ok(Arc::clone(set)),
            Keys::Jwks(jwks, _) => jwks.current().await,
        }
    }

    /// Returns the keys after looking for newer ones than `set`, if there can be any.
    async fn refreshed(&self, set: Arc<KeySet>) -> Result<Arc<KeySet>> {
        match self {
            Keys::Jwks(jwks, _) => jwks.refreshed().await,
            Keys::Secret(..) | Keys::None => Ok(set),
        }
    }

    /// Returns the algorithm of that name if the configuration accepts it.
    fn algorithm(&self, name: &str) -> Result<JwtAlgorithm> {
        let accepted = match self {
            Keys::None => &[],
            Keys::Secret(..) => [JwtAlgorithm::Hs256].as_slice(),
            Keys::Jwks(_, algorithms) => algorithms,
        };
        accepted.iter().copied().find(|algorithm| algorithm.name() == name).ok_or_else(|| {
            let names: Vec<&str> = accepted.iter().map(|algorithm| algorithm.name()).collect();
            Error::Unauthenticated(
                format!("The token's algorithm (alg) is not accepted. Use {}.", names.join(" or ")).into(),
            )
        })
    }
}

fn encode(part: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "claims_tests.rs"]
mod claims_tests;

#[cfg(test)]
#[path = "provider_tests.rs"]
mod provider_tests;
