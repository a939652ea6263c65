//! The processes that involve several objects: payments, periods, changes, cancellations, schedules.

pub(crate) mod cancel;
pub(crate) mod changes;
pub(crate) mod checkout;
pub(crate) mod due;
pub(crate) mod ending;
pub(crate) mod payments;
pub(crate) mod pending;
pub(crate) mod periods;
pub(crate) mod phase_effects;
pub(crate) mod phases;
pub(crate) mod portal;
pub(crate) mod previews;
pub(crate) mod schedules;
pub(crate) mod subscribe;
