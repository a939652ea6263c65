//! The events of the payment providers: received, stored whole, and applied to our records in any order.
//!
//! Invariants: an event is stored once; a stored event is applied, waits, or is parked where admins see it; the
//! mirrored rows follow from the newest versions of the providers' objects, whatever order these arrived in.

mod answer;
mod apply;
mod backlog;
mod drift;
mod envelope;
mod event_types;
mod failure;
mod fetch;
mod fold;
mod intake;
mod jobs;
mod json;
mod kinds;
mod legacy;
mod lock;
mod locks;
mod newest;
mod object;
mod paddle;
mod past;
mod projectors;
mod provider;
mod rebuild;
mod receive;
mod reconcile;
mod redact;
mod replay;
mod run;
mod state;
mod store;
mod stripe;
mod version;
mod wait_key;
mod waiting;

pub use answer::{apply_answer, refresh};
pub use backlog::backlog;
pub use drift::{Drift, TableDrift};
pub use intake::Receipt;
pub use jobs::{ApplyObject, ReapplyPrice, WakeWaiting};
pub use kinds::ObjectKind;
pub use rebuild::{Rebuilt, rebuild};
pub use receive::{Declined, Delivery, receive};
pub use reconcile::{Comparison, ReconcileEvents, ReconcileList, Reconciled, SweepObjects, reconcile, resync_account};
pub use replay::{MAX_REPLAYED, Replay, replay_event, replay_events};
pub use state::{EventSource, EventState};
pub use store::{Backlog, Events};
pub use stripe::collection_of;
