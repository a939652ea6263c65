//! Values of errors, as the database stores them.

use crate::text_enum;

text_enum! {
    /// The severity of an error, in ascending order.
    ErrorSeverity {
        Info,
        Warning,
        Error,
        Critical,
    }
}
