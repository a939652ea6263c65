//! Visits and sales through the partners of the host application.
//!
//! Invariants: a partner's day and currency has the figures of the newest report, whatever the order in which reports
//! arrive; amounts in different currencies are never added.

mod day;
mod performance;
mod record;
mod store;

pub use day::PartnerDay;
pub use performance::{PartnerResult, partner_results};
pub use record::{Reported, record_partner_stats};
