//! Errors of the host application, in groups of one cause.
//!
//! Invariants: an error is recorded once for its user and dedupe key; the count, times and severity of a group follow from
//! its errors, whatever their order; a group is resolved while no error of it is later than its resolution.

mod fingerprint;
mod log;
mod new_error;
mod rates;
mod resolve;
mod store;
mod values;

pub use log::log_errors;
pub use new_error::NewError;
pub use rates::{ErrorDay, error_rates};
pub use resolve::resolve_error_group;
pub use store::{ErrorGroups, GroupErrors, is_resolved};
pub use values::ErrorSeverity;
