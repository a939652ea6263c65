//! Values of the status column of gifts.

use crate::text_enum;

text_enum! {
    /// The status of a gift.
    GiftStatus {
        Open,
        Paid,
        Redeemed,
        Refunded,
        Abandoned,
    }
}
