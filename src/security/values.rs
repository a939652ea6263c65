//! Values of the kind and severity columns of security events.

use crate::text_enum;

text_enum! {
    /// The kind of a possible attack.
    #[allow(clippy::enum_variant_names, reason = "the first word says where it was noticed")]
    SecurityEventKind {
        /// A webhook without a signature: often a scanner.
        WebhookUnsigned,
        /// A webhook with a wrong signature: a forger, or a wrong secret on our side.
        WebhookForged,
        /// A webhook signed for another time: a replayed copy, or a wrong clock.
        WebhookMistimed,
    }
}

text_enum! {
    /// The severity of a security event.
    Severity {
        Low,
        Medium,
        High,
        Critical,
    }
}
