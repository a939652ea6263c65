//! Usage: meters, recorded events, the rate cards that turn usage into credits, sums by day, and counters in the windows
//! of limits.
//!
//! Invariants: an event is recorded once for its account, meter and dedupe key; events are never changed, and corrected
//! at most once, by a negative event; the sums of a day equal what the events of that day add up to. All events of an
//! account are recorded under the lock on its row, and the database enforces the first two by unique indexes. A counter
//! belongs to one account, meter and window, has all events of the window, whatever limits held at their time, and is never
//! negative; the units that a window has from those before it are fixed at its first use; a limit that is unlimited is
//! `None`, never a number.

mod banking;
mod batch;
mod cards;
mod correct;
mod count;
mod counters;
mod daily;
mod event;
mod in_force;
mod meters;
mod path;
mod prices;
mod rates;
mod record;
mod slot;
mod spans;
mod store;
mod terms;
mod uses;
mod values;
mod windows;

#[cfg(test)]
mod banking_tests;
#[cfg(test)]
mod windows_tests;

pub use cards::{Charge, NewRateCard, create_rate_card, end_rate_card};
pub use correct::{NewCorrection, correct};
pub use counters::Counters;
pub use event::{NewEvent, Recorded, check_object, event_time};
pub use in_force::{cached_terms, terms, terms_scope};
pub use meters::{NewMeter, create_feature, create_meter};
pub use prices::Prices;
pub use rates::Rate;
pub use record::{MAX_EVENTS, record};
pub use slot::{Count, CountedLimit, Place, Slot};
pub use store::{Corrections, DailySums, Meters, RateCards, UsageEvents};
pub use terms::{AccessRules, FeatureCache, Granted, Limit, Overage, Override, PlanTerms, Readers, Terms};
pub use uses::{Use, Uses, lock_accounts};
pub use values::MeterAggregation;
pub use windows::{Calendar, Period, Window};
