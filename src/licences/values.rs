//! Values of the status and kind columns of licences.

use crate::text_enum;

text_enum! {
    /// The status of a licence.
    LicenseStatus {
        Active,
        Revoked,
    }
}

text_enum! {
    /// The source of a licence.
    LicenseSource {
        Purchase,
        Admin,
        Backfill,
    }
}

text_enum! {
    /// The party that revoked a licence.
    RevokedBy {
        Provider,
        Admin,
    }
}
