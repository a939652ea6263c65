//! Signed references that name the account of a purchase which starts in a browser.
//!
//! A buyer can write anything into a payment link or into Paddle.js. A reference is bound to one account, one provider
//! and a time of expiry by an HMAC, so that it can pass through the buyer's hands. It has 81 characters out of letters,
//! digits, `-` and `_`, which fits into Stripe's `client_reference_id`.

use crate::providers::Provider;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// The beginning of every reference, which distinguishes it from ids of the host application.
const MARK: &str = "tgref_";
/// Separates these signatures from all others that the same key may ever make.
const PURPOSE: &[u8] = b"tollgate purchase reference 1\n";
/// Bytes of the account's id and of the time of expiry.
const BODY_BYTES: usize = 16 + 8;

/// A reference to the account that a purchase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurchaseReference {
    /// The account.
    pub account_id: Uuid,
    /// The provider at which it can be used.
    pub provider: Provider,
    /// The first instant, in whole seconds, at which it is not valid any more.
    pub expires_at: DateTime<Utc>,
}

impl PurchaseReference {
    /// Returns whether a text is meant to be a reference, valid or not.
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with(MARK)
    }

    /// Signs the reference with `key`.
    pub fn sign(&self, key: &[u8]) -> String {
        let mut bytes = self.account_id.as_bytes().to_vec();
        bytes.extend(self.expires_at.timestamp().to_be_bytes());
        let signature = mac(key, self.provider, &bytes).finalize().into_bytes();
        bytes.extend(signature);
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a reference that was signed with `key` for `provider`, expired or not; `None` for any other text.
    pub fn verify(text: &str, key: &[u8], provider: Provider) -> Option<PurchaseReference> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(MARK)?).ok()?;
        let (body, signature) = bytes.split_at_checked(BODY_BYTES)?;
        mac(key, provider, body).verify_slice(signature).ok()?;
        let (account_id, expires_at) = body.split_at(16);
        let expires_at = i64::from_be_bytes(expires_at.try_into().ok()?);
        Some(PurchaseReference {
            account_id: Uuid::from_slice(account_id).ok()?,
            provider,
            expires_at: DateTime::from_timestamp(expires_at, 0)?,
        })
    }
}

fn mac(key: &[u8], provider: Provider, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(PURPOSE);
    mac.update(provider.name().as_bytes());
    mac.update(b"\n");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(provider: Provider) -> PurchaseReference {
        let expires_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        PurchaseReference { account_id: Uuid::from_u128(7), provider, expires_at }
    }

    #[test]
    fn a_reference_reads_back_and_fits_into_a_client_reference_id() {
        for provider in Provider::ALL {
            let text = reference(provider).sign(b"key");
            assert!(PurchaseReference::is_meant_by(&text));
            assert_eq!(PurchaseReference::verify(&text, b"key", provider), Some(reference(provider)));
            let allowed = |char: char| char.is_ascii_alphanumeric() || ['-', '_'].contains(&char);
            assert!(text.len() == 81 && text.chars().all(allowed), "{text}");
        }
    }

    #[test]
    fn any_other_text_is_refused() {
        let text = reference(Provider::Stripe).sign(b"key");
        let other = PurchaseReference { account_id: Uuid::from_u128(8), ..reference(Provider::Stripe) };
        assert_eq!(PurchaseReference::verify(&text, b"other", Provider::Stripe), None, "another key");
        assert_eq!(PurchaseReference::verify(&text, b"key", Provider::Paddle), None, "another provider");
        // The body of one with the signature of another.
        let at = MARK.len() + 32;
        let spliced = format!("{}{}", &other.sign(b"key")[..at], &text[at..]);
        let mut wrong =
            vec![spliced, String::new(), MARK.to_owned(), "user_17".to_owned(), text.replace("tgref", "TGREF")];
        wrong.extend([format!("{text}A"), text[..text.len() - 1].to_owned(), format!("{text}=="), format!("{text}\n")]);
        wrong.extend((MARK.len()..text.len()).step_by(7).map(|at| {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        }));
        for text in wrong {
            assert_eq!(PurchaseReference::verify(&text, b"key", Provider::Stripe), None, "{text}");
        }
    }
}
