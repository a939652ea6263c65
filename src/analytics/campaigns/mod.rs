//! E-mail campaigns of the host application, and the response to them.
//!
//! Invariants: a campaign has the figures of its newest report, whatever the order in which reports arrive; nothing is
//! counted here, so that a report that is repeated changes nothing.

mod record;
mod store;

pub use record::{CampaignReport, record_email_campaign};
pub use store::EmailCampaigns;
