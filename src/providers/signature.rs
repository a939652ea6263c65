//! Verification of webhook signatures, common to both providers: a header with a time and one or more HMACs over the time
//! and the body.

use crate::config::Secret;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

#[cfg(test)]
mod tests;

/// Length of an HMAC-SHA256, in bytes.
const MAC_BYTES: usize = 32;
/// Maximum length of the header: about twenty signatures.
const MAX_HEADER_BYTES: usize = 2_048;

/// The reason why a signature is not accepted, for the log and for admins, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// The signature is missing.
    Missing,
    /// The header does not have the provider's format.
    Malformed,
    /// The time is missing in the header.
    NoTimestamp,
    /// The signature is valid but too old: a replayed webhook, or a wrong clock.
    TooOld,
    /// The signature is valid but from the future: a wrong clock.
    FromTheFuture,
    /// No signature matches the body and one of the secrets.
    NoMatch,
}

impl Forgery {
    /// Returns the reason as text.
    pub const fn reason(self) -> &'static str {
        match self {
            Forgery::Missing => "no signature",
            Forgery::Malformed => "malformed signature header",
            Forgery::NoTimestamp => "signature without a time",
            Forgery::TooOld => "signature too old",
            Forgery::FromTheFuture => "signature from the future",
            Forgery::NoMatch => "no signature matches",
        }
    }
}

/// The format of one provider's signatures.
pub(super) struct Scheme {
    /// The separator of the pairs in the header.
    pub(super) separator: char,
    /// The name of the time, in Unix seconds.
    pub(super) time: &'static str,
    /// The name of an HMAC, in hexadecimal. Other names are ignored: they belong to older or future schemes.
    pub(super) mac: &'static str,
    /// The separator of time and body in the signed text.
    pub(super) delimiter: &'static [u8],
}

/// The parsed header.
struct Claim<'h> {
    /// As sent, because that is what is signed.
    time: &'h str,
    macs: Vec<[u8; MAC_BYTES]>,
}

impl Scheme {
    /// Accepts a body signed with one of `secrets` at a time within `tolerance` of `now`.
    ///
    /// The time is checked last, because only the time of a valid signature means anything.
    pub(super) fn verify(
        &self,
        header: Option<&str>,
        body: &[u8],
        secrets: &[Secret],
        tolerance: Duration,
        now: DateTime<Utc>,
    ) -> Result<(), Forgery> {
        let claim = self.read(header.ok_or(Forgery::Missing)?)?;
        let signed_at: i64 = claim.time.parse().map_err(|_| Forgery::Malformed)?;
        let mut fits = Choice::from(0);
        for secret in secrets {
            let mac = self.mac(secret, claim.time, body);
            for candidate in &claim.macs {
                fits |= mac.ct_eq(candidate);
            }
        }
        if !bool::from(fits) {
            return Err(Forgery::NoMatch);
        }
        let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        match now.timestamp().saturating_sub(signed_at) {
            age if age > tolerance => Err(Forgery::TooOld),
            age if age < -tolerance => Err(Forgery::FromTheFuture),
            _ => Ok(()),
        }
    }

    fn read<'h>(&self, header: &'h str) -> Result<Claim<'h>, Forgery> {
        if header.len() > MAX_HEADER_BYTES {
            return Err(Forgery::Malformed);
        }
        let (mut time, mut macs) = (None, Vec::new());
        for pair in header.split(self.separator) {
            let (name, value) = pair.trim().split_once('=').ok_or(Forgery::Malformed)?;
            if name == self.time {
                // With two times it would be unclear which one is signed.
                if time.replace(value).is_some() {
                    return Err(Forgery::Malformed);
                }
            } else if name == self.mac {
                let mut mac = [0; MAC_BYTES];
                macs.extend(hex::decode_to_slice(value, &mut mac).is_ok().then_some(mac));
            }
        }
        let time = time.ok_or(Forgery::NoTimestamp)?;
        if time.is_empty() || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Forgery::Malformed);
        }
        Ok(Claim { time, macs })
    }

    fn mac(&self, secret: &Secret, time: &str, body: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
        mac.update(time.as_bytes());
        mac.update(self.delimiter);
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}
