//! States of calls, as the column of `outbox_calls` stores them.

use crate::text_enum;

text_enum! {
    /// The state of a call.
    CallState {
        Pending,
        Done,
        Refused,
        Abandoned,
        Unresolved,
    }
}
