//! What the signatures of both providers have in common: a header of pairs with one time and one or more HMACs, each
//! over the time and the body as they were sent.

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
/// The longest header that is looked at: some twenty signatures.
const LONGEST_HEADER: usize = 2_048;

/// Why a body is not taken for one of the provider's. For the log and for admins, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// There is no signature at all.
    Missing,
    /// The header is not of the provider's form.
    Malformed,
    /// The header has no time.
    NoTimestamp,
    /// The signature fits, and is too old: a copy of a genuine webhook, or a clock that is wrong.
    TooOld,
    /// The signature fits, and its time has not come: a clock that is wrong.
    FromTheFuture,
    /// No signature fits the body and a secret of ours.
    NoMatch,
}

impl Forgery {
    /// The reason in words.
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

/// How one provider signs.
pub(super) struct Scheme {
    /// What stands between the pairs of the header.
    pub(super) separator: char,
    /// The name of the time, in Unix seconds.
    pub(super) time: &'static str,
    /// The name of an HMAC, in hexadecimal. Other names are passed over: older schemes and those to come.
    pub(super) mac: &'static str,
    /// What stands between the time and the body in what is signed.
    pub(super) joint: &'static [u8],
}

/// What a header says.
struct Claim<'h> {
    /// As it was sent, since that is what is signed.
    time: &'h str,
    macs: Vec<[u8; MAC_BYTES]>,
}

impl Scheme {
    /// Passes what is signed with one of `secrets`, at a time within `tolerance` of `now`.
    ///
    /// The time is judged last: of a signature that fits it tells more, and of one that does not it tells nothing.
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
        if header.len() > LONGEST_HEADER {
            return Err(Forgery::Malformed);
        }
        let (mut time, mut macs) = (None, Vec::new());
        for pair in header.split(self.separator) {
            let (name, value) = pair.trim().split_once('=').ok_or(Forgery::Malformed)?;
            if name == self.time {
                // Of two times it would be open which one is judged and which one is signed.
                if time.replace(value).is_some() {
                    return Err(Forgery::Malformed);
                }
            } else if name == self.mac {
                macs.extend(unhex(value));
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
        mac.update(self.joint);
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

/// The bytes of an HMAC in hexadecimal; nothing for what is none.
fn unhex(text: &str) -> Option<[u8; MAC_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * MAC_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; MAC_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
