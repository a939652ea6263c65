//! Origins of mirrored records.

use crate::text_enum;

text_enum! {
    /// The system that a record comes from: a payment provider, or this one.
    Origin {
        Stripe,
        Paddle,
        Manual,
    }
}
