//! The states of an event in the inbox, and the ways in which it is learned of.

use crate::text_enum;

text_enum! {
    /// The state of an event in the inbox.
    EventState {
        Received,
        Applied,
        Ignored,
        Failed,
        Parked,
    }
}

/// The states in which an event is still to be applied.
pub(super) const PENDING: [EventState; 2] = [EventState::Received, EventState::Failed];

text_enum! {
    /// The way in which an event was learned of.
    EventSource {
        Webhook,
        Listed,
        Fetched,
        Answered,
    }
}
