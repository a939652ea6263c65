//! Values of the kind and severity columns of security events.

use crate::text_enum;

text_enum! {
    /// The kind of a possible attack.
    #[allow(clippy::enum_variant_names, reason = "the first word says what is doubtful")]
    SecurityEventKind {
        /// A webhook without a signature: often a scanner.
        WebhookUnsigned,
        /// A webhook with a wrong signature: a forger, or a wrong secret on our side.
        WebhookForged,
        /// A webhook signed for another time: a replayed copy, or a wrong clock.
        WebhookMistimed,
        /// An object of a provider whose owner is named by the buyer's browser, without a valid signature: a buyer who
        /// names somebody else, or a page of the host application that does not use references yet.
        OwnerUnverified,
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
