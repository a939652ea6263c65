//! The queries on events and objects.

mod apply;
mod insert;
mod list;
mod past;
mod replay;

pub use list::{Backlog, Events};

pub(super) use apply::{Store, waiting_for, waiting_in_vain};
pub(super) use insert::insert_events;
pub(super) use list::backlog;
pub(super) use replay::{
    ReplayedEvent, customers_of, known_ids, objects, payloads, pending_event, reopen, replayable, waiting_objects,
    watermark,
};
