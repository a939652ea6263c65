//! Usage: meters, recorded events, the rate cards that turn usage into credits, and sums by day.
//!
//! Invariants: an event is recorded once for its account, meter and dedupe key; events are never changed, and corrected
//! at most once, by a negative event; the sums of a day equal what the events of that day add up to. All events of an
//! account are recorded under the lock on its row, and the database enforces the first two by unique indexes.

mod batch;
mod cards;
mod correct;
mod daily;
mod event;
mod meters;
mod path;
mod rates;
mod record;
mod store;
mod values;

pub use cards::{NewRateCard, create_rate_card, end_rate_card};
pub use correct::{NewCorrection, correct};
pub use event::NewEvent;
pub use meters::{NewMeter, create_feature, create_meter};
pub use rates::Rate;
pub use record::{MAX_EVENTS, Recorded, record};
pub use store::{Corrections, DailySums, Meters, RateCards, UsageEvents};
pub use values::MeterAggregation;
