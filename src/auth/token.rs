//! Bearer tokens (JWT, RFC 7519): verified by the rules in the configuration, never by what a token says about itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::claims::{Content, Header, Parts, SUBJECT_MAX_BYTES, is_plain, refused};
use super::jwks::{Jwks, Monotonic};
use super::keyset::{KeySet, NoKey};
use super::scope::{Permission, Permissions};
use super::signature::sign_hs256;
use super::viewer::Role;
use crate::config::{JwtAlgorithm, JwtConfig, JwtKeys, Secret};
use crate::error::{Error, Result};

/// The longest token that is looked at, in bytes.
const TOKEN_MAX_BYTES: usize = 8 * 1024;
/// How many verified tokens are remembered.
const REMEMBERED: usize = 10_000;

/// Verifies and mints tokens.
pub struct Tokens {
    keys: Keys,
    config: JwtConfig,
    /// Tokens whose signature was checked, by their SHA-256.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

enum Keys {
    None,
    Secret(Secret, Arc<KeySet>),
    Jwks(Jwks, Vec<JwtAlgorithm>),
}

/// A token whose signature was checked.
struct Verified {
    content: Content,
    /// The version of the key set it was checked with; a token does not outlive its key.
    keys: [u8; 32],
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who issued it; empty where the token names nobody and the configuration asks for nobody.
    pub issuer: String,
    /// Whom it is about, unique for the issuer.
    pub subject: String,
    /// What kind of caller it makes; never anonymous.
    pub role: Role,
    /// The scope strings it carries, including those that mean nothing to us.
    pub scopes: Vec<String>,
    /// The e-mail address; `None` where there is none or the issuer says it is not verified.
    pub email: Option<String>,
    /// The name to show; `None` where there is none.
    pub name: Option<String>,
    /// When it ends, leeway not counted.
    pub expires_at: DateTime<Utc>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct MintRequest {
    /// Whom it is about.
    pub subject: String,
    /// What kind of caller it makes; not anonymous.
    pub role: Role,
    /// What a service may do with it; users and admins need none.
    pub permissions: Permissions,
    /// How long it is valid.
    pub ttl: Duration,
    /// When it begins.
    pub now: DateTime<Utc>,
}

impl Tokens {
    /// Prepares the keys. A key set in a file must be there; one at a URL is fetched when it is first needed.
    pub fn new(config: &JwtConfig) -> anyhow::Result<Tokens> {
        let start = Instant::now();
        Tokens::with_clock(config, Arc::new(move || start.elapsed()))
    }

    /// [`new`](Tokens::new) with a clock of the caller's for the age of the keys.
    pub(super) fn with_clock(config: &JwtConfig, monotonic: Monotonic) -> anyhow::Result<Tokens> {
        let keys = match &config.keys {
            JwtKeys::None => Keys::None,
            JwtKeys::Secret(secret) => {
                Keys::Secret(secret.clone(), Arc::new(KeySet::of_secret(secret.expose().as_bytes())))
            }
            JwtKeys::Jwks { source, algorithms } => {
                let jwks = Jwks::new(source.clone(), algorithms.clone(), monotonic)
                    .context("the key set in jwt_jwks (TOLLGATE_JWT_JWKS) cannot be used")?;
                Keys::Jwks(jwks, algorithms.clone())
            }
        };
        Ok(Tokens { keys, config: config.clone(), verified: Cache::new(REMEMBERED) })
    }

    /// What a bearer token says, if its signature holds and it is meant for us at `now`.
    pub async fn verify(&self, bearer: &str, now: DateTime<Utc>) -> Result<Claims> {
        if bearer.len() > TOKEN_MAX_BYTES {
            return Err(refused("the token is over 8 KB long"));
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

    /// A signed token, which [`verify`](Tokens::verify) accepts until it expires.
    pub fn mint(&self, request: &MintRequest) -> Result<String> {
        let secret = match &self.keys {
            Keys::Secret(secret, _) => secret,
            Keys::Jwks(..) => {
                return Err(Error::bad_input(
                    "tokens come from your identity provider, because jwt_jwks is set; Tollgate has no private key to \
                     sign with",
                ));
            }
            Keys::None => {
                return Err(Error::bad_input("set jwt_hs256_secret (TOLLGATE_JWT_HS256_SECRET) to make tokens"));
            }
        };
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let payload = self.payload(request)?;
        let message = format!("{}.{}", encode(&header), encode(&payload));
        let signature = sign_hs256(secret.expose().as_bytes(), message.as_bytes()).map_err(Error::Internal)?;
        Ok(format!("{message}.{signature}"))
    }

    async fn verify_anew(&self, bearer: &str, set: Arc<KeySet>) -> Result<Verified> {
        let parts = Parts::of(bearer)?;
        let header = Header::read(parts.header)?;
        let algorithm = self.keys.algorithm(&header.alg)?;
        let set = match set.pick(algorithm, header.kid.as_deref()) {
            Err(NoKey::Unknown) => self.keys.refreshed(set).await?,
            _ => set,
        };
        let keys = set.pick(algorithm, header.kid.as_deref()).map_err(|reason| match reason {
            NoKey::Unknown => refused("the token is signed with a key (kid) that is not in the key set"),
            NoKey::OtherAlgorithm => refused("the token's algorithm (alg) is not that of its key (kid)"),
            NoKey::Ambiguous => refused("the token does not say which key it is signed with (kid)"),
        })?;
        if !keys.iter().any(|key| key.verifies(parts.message.as_bytes(), parts.signature)) {
            return Err(refused("the token's signature is wrong"));
        }
        let content = Content::read(parts.payload, &self.config)?;
        Ok(Verified { content, keys: set.digest() })
    }

    fn payload(&self, request: &MintRequest) -> Result<serde_json::Value> {
        let subject = &request.subject;
        if subject.is_empty() || subject.len() > SUBJECT_MAX_BYTES || !is_plain(subject) {
            return Err(Error::bad_input("the subject must have 1 to 255 bytes, without control characters"));
        }
        if request.role == Role::Anonymous {
            return Err(Error::bad_input("a token is for a user, a service or an admin"));
        }
        let ends = TimeDelta::from_std(request.ttl).ok().and_then(|ttl| request.now.checked_add_signed(ttl));
        let ends = ends.filter(|ends| ends.timestamp() > request.now.timestamp());
        let ends = ends.ok_or(Error::bad_input("the token must be valid for at least a second, and not for ever"))?;
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
    /// The keys to use now.
    async fn current(&self) -> Result<Arc<KeySet>> {
        match self {
            Keys::None => Err(refused("this server accepts no tokens, only API keys")),
            Keys::Secret(_, set) => Ok(Arc::clone(set)),
            Keys::Jwks(jwks, _) => jwks.current().await,
        }
    }

    /// The keys after looking for newer ones than `set`, where there can be any.
    async fn refreshed(&self, set: Arc<KeySet>) -> Result<Arc<KeySet>> {
        match self {
            Keys::Jwks(jwks, _) => jwks.refreshed().await,
            Keys::Secret(..) | Keys::None => Ok(set),
        }
    }

    /// The algorithm of that name, if the configuration accepts it.
    fn algorithm(&self, name: &str) -> Result<JwtAlgorithm> {
        let accepted = match self {
            Keys::None => &[],
            Keys::Secret(..) => [JwtAlgorithm::Hs256].as_slice(),
            Keys::Jwks(_, algorithms) => algorithms,
        };
        accepted.iter().copied().find(|algorithm| algorithm.name() == name).ok_or_else(|| {
            let names: Vec<&str> = accepted.iter().map(|algorithm| algorithm.name()).collect();
            Error::Unauthenticated(
                format!("the token's algorithm (alg) is not accepted; use {}", names.join(" or ")).into(),
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
#[path = "provider_tests.rs"]
mod provider_tests;
