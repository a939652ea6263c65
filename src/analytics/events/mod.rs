//! Events of the users and visitors of the host application, and the figures about them.
//!
//! Invariants: an event is recorded once for its person and dedupe key, and never changed; a person is a user, or a
//! visitor who is not signed in; a visitor who turned out to be a user stays that user, and all the visitor's events are the
//! user's, also the earlier ones; no event is recorded of a person whose newest decision is a refusal. `visitor_days` holds each day on which a person has an event, written with the event.

mod consent;
mod counts;
mod event;
mod funnel;
mod identify;
mod page;
mod store;
mod track;

pub use consent::{consent_decisions, record_consent};
pub use counts::{EventCount, event_counts};
pub use event::NewEvent;
pub(in crate::analytics) use event::{Recorder, check_names, is_event_name, user_not_found};
pub use funnel::{Funnel, FunnelStep, funnel};
pub(in crate::analytics) use funnel::{check_steps, check_window};
pub use identify::identify;
pub use track::track;
