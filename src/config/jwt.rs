//! The settings of tokens.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::network::is_loopback;
use super::read::Reader;
use super::values::{Environment, Secret};

/// Minimum length of the HS256 secret, as RFC 7518 (section 3.2) requires.
const SECRET_MIN_BYTES: usize = 32;

/// Claims that users can set themselves at their identity provider.
const WRITABLE_BY_USERS: [&str; 2] = ["user_metadata", "unsafe_metadata"];

/// The accepted tokens and the meaning of their claims.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// The keys that tokens are signed with.
    pub keys: JwtKeys,
    /// The exact issuer that a token must name; `None` accepts any.
    pub issuer: Option<String>,
    /// The audiences of which a token must name one; empty accepts any.
    pub audience: Vec<String>,
    /// Tolerated difference between the clocks of the issuer and of this machine.
    pub leeway: Duration,
    /// The claim with the caller's role; a dot leads into an object unless a claim has the whole name.
    pub role_claim: String,
    /// The claim with a service's scopes, looked up like `role_claim`.
    pub scope_claim: String,
    /// True if a valid token of an unknown person creates the user.
    pub create_users_on_sign_in: bool,
}

/// The keys that tokens are signed with.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// No token is accepted, only anonymous callers and API keys.
    None,
    /// A secret shared with the issuer (HS256), of at least 32 bytes.
    Secret(Secret),
    /// The public keys of an identity provider.
    Jwks {
        /// The location of the key set.
        source: JwksSource,
        /// The accepted algorithms; never empty, never HS256.
        algorithms: Vec<JwtAlgorithm>,
    },
}

/// The location of a set of public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// A file on this machine.
    File(PathBuf),
    /// An https URL, or an http URL of this machine.
    Url(Url),
}

/// A signature algorithm that tokens may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    /// Every algorithm that can be chosen.
    const ALL: [JwtAlgorithm; 4] = [JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

    /// Returns the name used in settings and in the header of tokens.
    pub const fn name(self) -> &'static str {
        match self {
            JwtAlgorithm::Hs256 => "HS256",
            JwtAlgorithm::Rs256 => "RS256",
            JwtAlgorithm::Es256 => "ES256",
            JwtAlgorithm::EdDsa => "EdDSA",
        }
    }
}

/// Reads the settings of tokens.
pub(super) fn jwt(reader: &mut Reader, environment: Environment) -> JwtConfig {
    let keys = keys(reader, environment);
    let issuer = reader.text("jwt_issuer");
    if matches!(keys, JwtKeys::Jwks { .. }) && issuer.is_none() && environment == Environment::Production {
        let rule = "Production needs it with jwt_jwks, because some providers sign the tokens of all their customers with \
                    the same keys.";
        reader.mistake("jwt_issuer", None, rule);
    }
    let create_users = reader.one_of("create_users_on_sign_in", &[("true", true), ("false", false)]);
    JwtConfig {
        keys,
        issuer,
        audience: reader.list("jwt_audience"),
        leeway: Duration::from_secs(reader.number("jwt_leeway_s", 0..=300)),
        role_claim: role_claim(reader),
        scope_claim: reader.text("jwt_scope_claim").unwrap_or_default(),
        create_users_on_sign_in: create_users == Some(true),
    }
}

fn keys(reader: &mut Reader, environment: Environment) -> JwtKeys {
    let secret = reader.text("jwt_hs256_secret");
    let jwks = reader.text("jwt_jwks");
    let algorithms = algorithms(reader, secret.is_some(), jwks.is_some());
    match (secret, jwks) {
        (Some(_), Some(jwks)) => {
            let rule = "Set either jwt_jwks or jwt_hs256_secret, not both, so that it is certain who may sign tokens.";
            reader.mistake("jwt_jwks", Some(&jwks), rule);
            JwtKeys::None
        }
        (Some(secret), None) => {
            if secret.len() < SECRET_MIN_BYTES {
                let length = secret.len();
                let rule = format!("It is {length} bytes long and must be at least {SECRET_MIN_BYTES}.");
                reader.mistake("jwt_hs256_secret", None, rule);
            }
            JwtKeys::Secret(Secret::new(secret))
        }
        (None, Some(jwks)) => match jwks_source(&jwks) {
            Ok(source) => JwtKeys::Jwks { source, algorithms },
            Err(rule) => {
                reader.mistake("jwt_jwks", Some(&jwks), rule);
                JwtKeys::None
            }
        },
        (None, None) => {
            if environment == Environment::Production {
                let rule = "Nobody could sign in. Set jwt_jwks (TOLLGATE_JWT_JWKS) to the keys of your identity provider, \
                            or jwt_hs256_secret (TOLLGATE_JWT_HS256_SECRET).";
                reader.mistake("jwt_jwks", None, rule);
            }
            JwtKeys::None
        }
    }
}

fn algorithms(reader: &mut Reader, has_secret: bool, has_jwks: bool) -> Vec<JwtAlgorithm> {
    let mut algorithms = Vec::new();
    for word in reader.list("jwt_algorithms") {
        match JwtAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == word) {
            Some(JwtAlgorithm::Hs256) if has_jwks => {
                let rule = "A key set holds public keys only. With jwt_jwks use RS256, ES256 or EdDSA.";
                reader.mistake("jwt_algorithms", Some(&word), rule);
            }
            Some(algorithm) if has_secret && algorithm != JwtAlgorithm::Hs256 => {
                reader.mistake("jwt_algorithms", Some(&word), "With jwt_hs256_secret the only algorithm is HS256.");
            }
            Some(algorithm) if algorithms.contains(&algorithm) => {}
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let rule = "Each must be RS256, ES256 or EdDSA with jwt_jwks, or HS256 with jwt_hs256_secret.";
                reader.mistake("jwt_algorithms", Some(&word), rule);
            }
        }
    }
    if algorithms.is_empty() { vec![JwtAlgorithm::Rs256] } else { algorithms }
}

fn jwks_source(text: &str) -> Result<JwksSource, String> {
    if !text.contains("://") {
        let path = PathBuf::from(text);
        return match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(JwksSource::File(path)),
            Ok(_) => Err("It is not a file. Give a file or an https URL.".to_owned()),
            Err(error) => Err(format!("The file cannot be read ({error}). Give a file or an https URL.")),
        };
    }
    let url = Url::parse(text).map_err(|error| format!("It is not a URL ({error})."))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The URL must not contain a user name or password.".to_owned());
    }
    match url.scheme() {
        "https" => Ok(JwksSource::Url(url)),
        "http" if is_loopback(&url) => Ok(JwksSource::Url(url)),
        "http" => Err("Over http, anyone on the network path could replace the keys. Use https.".to_owned()),
        _ => Err("Give a file or an https URL.".to_owned()),
    }
}

fn role_claim(reader: &mut Reader) -> String {
    let claim = reader.text("jwt_role_claim").unwrap_or_default();
    if WRITABLE_BY_USERS.iter().any(|writable| claim.split('.').any(|part| part == *writable)) {
        let rule = "Users can write that object themselves and could make themselves admins. Use one that only your \
                    server writes, such as app_metadata or public_metadata.";
        reader.mistake("jwt_role_claim", Some(&claim), rule);
    }
    claim
}
