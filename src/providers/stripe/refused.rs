//! Refusals by Stripe, reduced to their codes: the messages may name people, cards and keys.

use serde_json::Value;

/// A refusal by Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    /// The HTTP status; 0 if nothing was sent.
    pub status: u16,
    /// The `code` of the error, or its `type` if it has no code.
    pub code: RefusalCode,
    /// The reason of the card's bank, such as `insufficient_funds`; `None` if no card was declined.
    pub decline_code: Option<String>,
    /// The parameter at fault, such as `discounts[0][promotion_code]`; `None` if Stripe names none.
    pub param: Option<String>,
}

/// The codes of Stripe's errors that decide how Tollgate proceeds. <https://docs.stripe.com/error-codes>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalCode {
    /// The card's bank asks for authentication (3-D Secure).
    AuthenticationRequired,
    /// The card was declined.
    CardDeclined,
    /// The coupon has expired.
    CouponExpired,
    /// The promotion code has expired.
    PromotionCodeExpired,
    /// The promotion code is limited to other customers.
    PromotionCodeCustomerNotEligible,
    /// An object with this id or code exists already.
    ResourceAlreadyExists,
    /// An object that the request names does not exist.
    ResourceMissing,
    /// Any other code; empty if Stripe sent none.
    Other(String),
}

impl RefusalCode {
    /// Returns the code as Stripe writes it.
    pub fn as_str(&self) -> &str {
        match self {
            RefusalCode::AuthenticationRequired => "authentication_required",
            RefusalCode::CardDeclined => "card_declined",
            RefusalCode::CouponExpired => "coupon_expired",
            RefusalCode::PromotionCodeExpired => "promotion_code_expired",
            RefusalCode::PromotionCodeCustomerNotEligible => "promotion_code_customer_not_eligible",
            RefusalCode::ResourceAlreadyExists => "resource_already_exists",
            RefusalCode::ResourceMissing => "resource_missing",
            RefusalCode::Other(code) => code,
        }
    }

    /// Returns whether the coupon or promotion code is at fault.
    pub const fn is_about_promo_code(&self) -> bool {
        matches!(
            self,
            RefusalCode::CouponExpired
                | RefusalCode::PromotionCodeExpired
                | RefusalCode::PromotionCodeCustomerNotEligible
        )
    }
}

impl From<&str> for RefusalCode {
    fn from(code: &str) -> Self {
        match code {
            "authentication_required" => RefusalCode::AuthenticationRequired,
            "card_declined" => RefusalCode::CardDeclined,
            "coupon_expired" => RefusalCode::CouponExpired,
            "promotion_code_expired" => RefusalCode::PromotionCodeExpired,
            "promotion_code_customer_not_eligible" => RefusalCode::PromotionCodeCustomerNotEligible,
            "resource_already_exists" => RefusalCode::ResourceAlreadyExists,
            "resource_missing" => RefusalCode::ResourceMissing,
            other => RefusalCode::Other(other.to_owned()),
        }
    }
}

impl Default for RefusalCode {
    fn default() -> Self {
        RefusalCode::Other(String::new())
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Refused {
    /// Reads the body of an error response.
    pub(super) fn read(status: u16, body: &[u8]) -> Refused {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &body["error"];
        let named = |name: &str| error[name].as_str().filter(|word| is_word(word));
        let param = error["param"].as_str().filter(|path| is_path(path)).map(str::to_owned);
        Refused {
            status,
            code: named("code").or_else(|| named("type")).map(RefusalCode::from).unwrap_or_default(),
            decline_code: named("decline_code").map(str::to_owned),
            param,
        }
    }

    /// Returns whether the card was declined.
    pub fn is_card_declined(&self) -> bool {
        self.status == 402 || self.decline_code.is_some() || self.code == RefusalCode::CardDeclined
    }

    /// Returns whether the refusal is about the parameters, so that the same request would be refused again. Refusals
    /// about the API key, the rate of requests or a concurrent request are not final.
    pub fn is_final(&self) -> bool {
        !matches!(self.status, 0 | 401 | 403 | 409 | 429)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

fn is_word(word: &str) -> bool {
    word.len() <= 60 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_path(path: &str) -> bool {
    path.len() <= 100 && path.bytes().all(|byte| byte.is_ascii_lowercase() || b"_[]0123456789".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_what_stripe_wrote_but_its_words() {
        for body in ["{\"error\":{\"code\":\"No such person: jo@example.com\"}}", "jo@example.com"] {
            assert_eq!(Refused::read(400, body.as_bytes()), Refused { status: 400, ..Refused::default() });
        }
        let body = br#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds",
            "param":"items[0][price]","message":"4242 was declined"}}"#;
        let read = Refused::read(402, body);
        assert_eq!(
            (&read.code, read.decline_code.as_deref()),
            (&RefusalCode::CardDeclined, Some("insufficient_funds"))
        );
        assert_eq!(read.param.as_deref(), Some("items[0][price]"));
        assert!(!format!("{read:?}").contains("4242"));
        assert_eq!(Refused::read(400, b"{\"error\":{\"type\":\"api_error\"}}").code.as_str(), "api_error");
    }
}
