//! Values of the status and kind columns of accounts.

use crate::text_enum;

text_enum! {
    /// The kind of an account.
    AccountKind {
        Individual,
        Couple,
        Team,
        Organisation,
    }
}

text_enum! {
    /// The role of a user in an account.
    MemberRole {
        Owner,
        Admin,
        Member,
    }
}

text_enum! {
    /// The role of a user in the whole installation.
    UserRole {
        User,
        Admin,
    }
}
