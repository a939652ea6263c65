//! Values of the kind columns of the ledger.

use crate::text_enum;

text_enum! {
    /// The source of a grant.
    GrantSource {
        Plan,
        Purchase,
        Promo,
        Gift,
        Refund,
        Admin,
        Transfer,
    }
}

text_enum! {
    /// The kind of a ledger transaction.
    LedgerOperation {
        Grant,
        Spend,
        Hold,
        Capture,
        Release,
        Expire,
        Revoke,
        Reverse,
        Transfer,
        Repay,
    }
}

text_enum! {
    /// A bucket of an account's credits in one unit.
    LedgerBucket {
        Available,
        Held,
        Spent,
        Expired,
        /// Credits given out so far: negative, the other side of every grant.
        Issued,
        /// Credits taken back with the money that was paid for them.
        Revoked,
        /// Credits taken back after they were spent: negative until grants repay them.
        Owed,
    }
}

text_enum! {
    /// The state of a hold.
    HoldState {
        Open,
        Captured,
        Released,
        Expired,
    }
}
