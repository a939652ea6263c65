//! Reads the parts of a token; nothing here checks a signature.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::token::Claims;
use super::viewer::Role;
use crate::config::JwtConfig;
use crate::error::{Error, Result};

/// The longest subject, in bytes; OpenID Connect allows no more.
pub(super) const SUBJECT_MAX_BYTES: usize = 255;
/// The longest e-mail address or name that is taken over, in bytes.
const TEXT_MAX_BYTES: usize = 320;

/// A token cut at its dots.
pub(super) struct Parts<'a> {
    /// What the signature is over: the first two parts, with the dot between.
    pub(super) message: &'a str,
    /// The header, in base64url.
    pub(super) header: &'a str,
    /// The claims, in base64url.
    pub(super) payload: &'a str,
    /// The signature, in base64url.
    pub(super) signature: &'a str,
}

/// What we look at in a token's header.
#[derive(Deserialize)]
pub(super) struct Header {
    /// The algorithm the token claims to be signed with.
    pub(super) alg: String,
    /// The key it claims to be signed with.
    pub(super) kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token's claims with the times to check on every use.
pub(super) struct Content {
    /// What callers see.
    pub(super) claims: Claims,
    not_before: Option<DateTime<Utc>>,
    issued_at: Option<DateTime<Utc>>,
}

/// A refusal that says what is wrong, and never quotes the token.
pub(super) fn refused(message: &'static str) -> Error {
    Error::Unauthenticated(message.into())
}

impl<'a> Parts<'a> {
    /// Cuts a token in three.
    pub(super) fn of(token: &'a str) -> Result<Self> {
        let (message, signature) = token.rsplit_once('.').ok_or(refused("the token is not a JWT"))?;
        let (header, payload) = message.split_once('.').ok_or(refused("the token is not a JWT"))?;
        if payload.contains('.') {
            return Err(refused("the token is not a signed JWT (encrypted tokens are not accepted)"));
        }
        Ok(Parts { message, header, payload, signature })
    }
}

impl Header {
    /// Reads a header, refusing what would change the token's meaning in ways we do not know.
    pub(super) fn read(header: &str) -> Result<Header> {
        let header: Header = decode(header).ok_or(refused("the token's header is malformed"))?;
        if header.crit.is_some() {
            return Err(refused("the token's header has critical extensions (crit), which are not accepted"));
        }
        // Logout tokens, DPoP proofs and the like are signed with the same keys, and are no proof of who calls.
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "jwt" | "at+jwt" => Ok(header),
            _ => Err(refused("the token is of a type (typ) that does not identify a caller")),
        }
    }
}

impl Content {
    /// Reads the claims of a token whose signature holds, by the rules in `config`; the times are left to
    /// [`check_times`](Content::check_times).
    pub(super) fn read(payload: &str, config: &JwtConfig) -> Result<Content> {
        let payload: Map<String, Value> = decode(payload).ok_or(refused("the token's claims are malformed"))?;
        check_audience(&payload, &config.audience)?;
        let claims = Claims {
            issuer: issuer(&payload, config.issuer.as_deref())?,
            subject: subject(&payload)?,
            role: Role::from_claim(find(&payload, &config.role_claim).and_then(Value::as_str)),
            scopes: scopes(find(&payload, &config.scope_claim)),
            // An address that the provider has not verified may be anyone's.
            email: text(&payload, "email").filter(|_| payload.get("email_verified") != Some(&Value::Bool(false))),
            name: text(&payload, "name"),
            expires_at: time(&payload, "exp")?.ok_or(refused("the token has no expiry (exp)"))?,
        };
        Ok(Content { claims, not_before: time(&payload, "nbf")?, issued_at: time(&payload, "iat")? })
    }

    /// Whether the token holds at `now`, give or take `leeway`.
    pub(super) fn check_times(&self, now: DateTime<Utc>, leeway: Duration) -> Result<()> {
        let leeway = TimeDelta::from_std(leeway).map_err(Error::internal)?;
        let after = |time: Option<DateTime<Utc>>| time.is_some_and(|time| time > now + leeway);
        if self.claims.expires_at <= now - leeway {
            return Err(refused("the token has expired"));
        }
        if after(self.not_before) {
            return Err(refused("the token is not valid yet (nbf)"));
        }
        if after(self.issued_at) {
            return Err(refused("the token was issued in the future (iat)"));
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
        Some(_) => return Err(refused("the token's issuer (iss) is malformed")),
    };
    match expected {
        Some(_) if found.is_empty() => Err(refused("the token names no issuer (iss)")),
        Some(expected) if found != expected => Err(refused("the token is from another issuer (iss)")),
        _ => Ok(found.to_owned()),
    }
}

fn subject(payload: &Map<String, Value>) -> Result<String> {
    match payload.get("sub") {
        Some(Value::String(subject)) if subject.is_empty() => Err(refused("the token's subject (sub) is empty")),
        Some(Value::String(subject)) if subject.len() > SUBJECT_MAX_BYTES => {
            Err(refused("the token's subject (sub) is over 255 bytes long"))
        }
        Some(Value::String(subject)) if is_plain(subject) => Ok(subject.clone()),
        Some(_) => Err(refused("the token's subject (sub) is malformed")),
        None => Err(refused("the token has no subject (sub)")),
    }
}

fn check_audience(payload: &Map<String, Value>, accepted: &[String]) -> Result<()> {
    let is_ours =
        |audience: &Value| audience.as_str().is_some_and(|audience| accepted.iter().any(|ours| ours == audience));
    match payload.get("aud") {
        _ if accepted.is_empty() => Ok(()),
        Some(Value::Array(audiences)) if audiences.iter().any(is_ours) => Ok(()),
        Some(audience) if is_ours(audience) => Ok(()),
        Some(_) => Err(refused("the token is for another audience (aud)")),
        None => Err(refused("the token names no audience (aud)")),
    }
}

/// A claim by its whole name, or else by the path that its dots spell.
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

/// A text to show; one that is odd is left out, since nothing hangs on it.
fn text(payload: &Map<String, Value>, name: &str) -> Option<String> {
    let text = payload.get(name)?.as_str()?;
    (!text.is_empty() && text.len() <= TEXT_MAX_BYTES && is_plain(text)).then(|| text.to_owned())
}

/// Whether a text has no control characters; PostgreSQL cannot store a NUL, and logs should not hold the others.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// A time in seconds since 1970, with any fraction cut off.
fn time(payload: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>> {
    let Some(claim) = payload.get(name) else { return Ok(None) };
    let seconds = match claim {
        Value::Number(number) => number.to_string().split('.').next().and_then(|whole| whole.parse().ok()),
        _ => None,
    };
    match seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) {
        Some(time) => Ok(Some(time)),
        None => Err(refused("a time in the token (exp, nbf or iat) is malformed")),
    }
}
