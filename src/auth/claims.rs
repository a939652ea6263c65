//! Parsing of tokens. Signatures are checked elsewhere.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::role::Role;
use crate::config::JwtConfig;
use crate::error::{Error, Result};

/// Maximum length of a subject; OpenID Connect allows no more.
pub(super) const MAX_SUBJECT_BYTES: usize = 255;
/// Maximum length of an e-mail address or name; longer ones are ignored.
const MAX_TEXT_BYTES: usize = 320;

/// The parts of a token.
pub(super) struct Parts<'a> {
    /// The signed text: the first two parts with the dot between them.
    pub(super) message: &'a str,
    /// The header, in base64url.
    pub(super) header: &'a str,
    /// The claims, in base64url.
    pub(super) payload: &'a str,
    /// The signature, in base64url.
    pub(super) signature: &'a str,
}

/// The relevant fields of a header.
#[derive(Deserialize)]
pub(super) struct Header {
    /// The algorithm that the token claims.
    pub(super) alg: String,
    /// The id of the key that the token claims.
    pub(super) kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// The claims of a token with the times to be checked on every use.
pub(super) struct Content {
    pub(super) claims: Claims,
    not_before: Option<DateTime<Utc>>,
    issued_at: Option<DateTime<Utc>>,
}

/// The claims of a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The issuer; empty if the token names none and none is configured.
    pub issuer: String,
    /// The subject, unique for the issuer.
    pub subject: String,
    /// The role; never anonymous.
    pub role: Role,
    /// The scopes, including those unknown to Tollgate.
    pub scopes: Vec<String>,
    /// The e-mail address; `None` if there is none or the issuer marks it as unverified.
    pub email: Option<String>,
    /// The display name; `None` if there is none.
    pub name: Option<String>,
    /// The time of expiry, without leeway.
    pub expires_at: DateTime<Utc>,
}

/// Creates a refusal. Messages never quote the token.
pub(super) fn refused(message: &'static str) -> Error {
    Error::Unauthenticated(message.into())
}

impl<'a> Parts<'a> {
    /// Splits a token at its dots.
    pub(super) fn split(token: &'a str) -> Result<Self> {
        let (message, signature) = token.rsplit_once('.').ok_or(refused("The token is not a JWT."))?;
        let (header, payload) = message.split_once('.').ok_or(refused("The token is not a JWT."))?;
        if payload.contains('.') {
            return Err(refused("The token is not a signed JWT (encrypted tokens are not accepted)."));
        }
        Ok(Parts { message, header, payload, signature })
    }
}

impl Header {
    /// Parses a header. Refuses critical extensions and types of tokens that do not identify a caller.
    pub(super) fn read(header: &str) -> Result<Header> {
        let header: Header = decode(header).ok_or(refused("The token's header is malformed."))?;
        if header.crit.is_some() {
            return Err(refused("The token's header has critical extensions (crit), which are not accepted."));
        }
        // Logout tokens, DPoP proofs and others are signed with the same keys but do not identify a caller.
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "jwt" | "at+jwt" => Ok(header),
            _ => Err(refused("The token is of a type (typ) that does not identify a caller.")),
        }
    }
}

impl Content {
    /// Parses the claims of a token with a valid signature and checks issuer, audience and subject against `config`. The
    /// times are checked by [`check_times`](Content::check_times).
    pub(super) fn read(payload: &str, config: &JwtConfig) -> Result<Content> {
        let payload: Map<String, Value> = decode(payload).ok_or(refused("The token's claims are malformed."))?;
        check_audience(&payload, &config.audience)?;
        let claims = Claims {
            issuer: issuer(&payload, config.issuer.as_deref())?,
            subject: subject(&payload)?,
            role: Role::from_claim(find(&payload, &config.role_claim).and_then(Value::as_str)),
            scopes: scopes(find(&payload, &config.scope_claim)),
            // An unverified address may belong to somebody else.
            email: text(&payload, "email").filter(|_| payload.get("email_verified") != Some(&Value::Bool(false))),
            name: text(&payload, "name"),
            expires_at: time(&payload, "exp")?.ok_or(refused("The token has no expiry (exp)."))?,
        };
        Ok(Content { claims, not_before: time(&payload, "nbf")?, issued_at: time(&payload, "iat")? })
    }

    /// Checks that the token is valid at `now`, with a tolerance of `leeway`.
    pub(super) fn check_times(&self, now: DateTime<Utc>, leeway: Duration) -> Result<()> {
        let leeway = TimeDelta::from_std(leeway).map_err(Error::internal)?;
        let after = |time: Option<DateTime<Utc>>| time.is_some_and(|time| time > now + leeway);
        if self.claims.expires_at <= now - leeway {
            return Err(refused("The token has expired."));
        }
        if after(self.not_before) {
            return Err(refused("The token is not valid yet (nbf)."));
        }
        if after(self.issued_at) {
            return Err(refused("The token was issued in the future (iat)."));
        }
        Ok(())
    }
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn issuer(payload: &Map<String, Value>, expected: Option<&str>) -> Result<String> {
    let found = match payload.get("iss") {
        None => "",
        Some(Value::String(issuer)) if is_plain(issuer) => issuer,
        Some(_) => return Err(refused("The token's issuer (iss) is malformed.")),
    };
    match expected {
        Some(_) if found.is_empty() => Err(refused("The token names no issuer (iss).")),
        Some(expected) if found != expected => Err(refused("The token is from another issuer (iss).")),
        _ => Ok(found.to_owned()),
    }
}

fn subject(payload: &Map<String, Value>) -> Result<String> {
    match payload.get("sub") {
        Some(Value::String(subject)) if subject.is_empty() => Err(refused("The token's subject (sub) is empty.")),
        Some(Value::String(subject)) if subject.len() > MAX_SUBJECT_BYTES => {
            Err(refused("The token's subject (sub) is over 255 bytes long."))
        }
        Some(Value::String(subject)) if is_plain(subject) => Ok(subject.clone()),
        Some(_) => Err(refused("The token's subject (sub) is malformed.")),
        None => Err(refused("The token has no subject (sub).")),
    }
}

fn check_audience(payload: &Map<String, Value>, accepted: &[String]) -> Result<()> {
    let is_accepted =
        |audience: &Value| audience.as_str().is_some_and(|audience| accepted.iter().any(|known| known == audience));
    match payload.get("aud") {
        _ if accepted.is_empty() => Ok(()),
        Some(Value::Array(audiences)) if audiences.iter().any(is_accepted) => Ok(()),
        Some(audience) if is_accepted(audience) => Ok(()),
        Some(_) => Err(refused("The token is for another audience (aud).")),
        None => Err(refused("The token names no audience (aud).")),
    }
}

/// Finds a claim by its whole name, or else by its name as a path with dots.
fn find<'a>(payload: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    payload.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(payload.get(first)?, |value, part| value.get(part))
    })
}

fn scopes(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(scopes)) => scopes.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Returns a text for display; `None` if it is unsuitable, because nothing depends on it.
fn text(payload: &Map<String, Value>, name: &str) -> Option<String> {
    let text = payload.get(name)?.as_str()?;
    (!text.is_empty() && text.len() <= MAX_TEXT_BYTES && is_plain(text)).then(|| text.to_owned())
}

/// Returns whether a text has no control characters. PostgreSQL cannot store NUL, and logs should not contain the others.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Reads a time in seconds since 1970, ignoring fractions.
fn time(payload: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(claim) = payload.get(name) else { return Ok(None) };
    let seconds = match claim {
        Value::Number(number) => number.to_string().split('.').next().and_then(|whole| whole.parse().ok()),
        _ => None,
    };
    match seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) {
        Some(time) => Ok(Some(time)),
        None => Err(refused("A time in the token (exp, nbf or iat) is malformed.")),
    }
}
