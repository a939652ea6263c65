//! Stripe's refusals as errors of ours.

use crate::error::{Error, Refusal};
use crate::providers::stripe::{CallError, RefusalCode, Refused};

/// A reason on which a caller can act.
enum Reason {
    AuthenticationRequired,
    CardDeclined,
    PromoCodeInvalid,
    CodeTaken,
    Other,
}

fn reason(refused: &Refused) -> Reason {
    let param = refused.param.as_deref().unwrap_or_default();
    let is_promo_code = param.starts_with("discounts") || param == "promotion_code";
    match &refused.code {
        RefusalCode::AuthenticationRequired => Reason::AuthenticationRequired,
        _ if refused.is_card_declined() => Reason::CardDeclined,
        code if code.is_about_promo_code() || is_promo_code => Reason::PromoCodeInvalid,
        RefusalCode::ResourceAlreadyExists => Reason::CodeTaken,
        _ if param == "code" => Reason::CodeTaken,
        _ => Reason::Other,
    }
}

/// Converts a refusal into the user error that a caller can act on.
pub(in crate::billing) fn error_of_refusal(refused: Refused) -> Error {
    let (code, message) = match reason(&refused) {
        Reason::AuthenticationRequired => (
            "AUTHENTICATION_REQUIRED",
            "The card's bank requires the customer to confirm. Let them pay in a checkout.".into(),
        ),
        Reason::CardDeclined => ("CARD_DECLINED", "The card was declined. Use another card.".into()),
        Reason::PromoCodeInvalid => (
            "PROMO_CODE_INVALID",
            "The promotion code cannot be used: it has ended, is used up, or is for other customers.".into(),
        ),
        Reason::CodeTaken => ("CODE_TAKEN", "Stripe already has something with this code. Choose another code.".into()),
        Reason::Other => ("PROVIDER_REFUSED", format!("Stripe refuses the change: {}.", refused.code).into()),
    };
    Error::Refused(Refusal { code, field: &[], message, decline_code: refused.decline_code })
}

/// Converts a refusal of a change that involves neither a card nor a promotion code of the caller.
pub(super) fn error_without_card(refused: Refused) -> Error {
    match reason(&refused) {
        Reason::CodeTaken | Reason::Other => error_of_refusal(refused),
        Reason::AuthenticationRequired | Reason::CardDeclined | Reason::PromoCodeInvalid => {
            Error::refused("PROVIDER_REFUSED", &[], format!("Stripe refuses the change: {}.", refused.code))
        }
    }
}

/// Converts the failure of a request that is not recorded in the outbox.
pub(in crate::billing) fn error_of_call(error: CallError) -> Error {
    match error {
        CallError::Unavailable(reason) => Error::Unavailable("Stripe", anyhow::anyhow!(reason)),
        error @ CallError::ErrorRepeated => Error::Unavailable("Stripe", error.into()),
        CallError::NotFound => error_of_refusal(Refused { code: RefusalCode::ResourceMissing, ..Refused::default() }),
        CallError::Refused(refused) if refused.is_final() => error_of_refusal(refused),
        CallError::Refused(refused) => Error::internal(anyhow::anyhow!("Stripe refuses this installation: {refused}")),
    }
}
