//! Sums over the features, by the definitions in `docs/analytics.md`.
//!
//! Invariants: amounts in different currencies are never added; an instant on a boundary belongs to the later period;
//! no figure depends on the time an event was received, nor on the time at which a job ran. The rows of `revenue_daily`,
//! `mrr_movements`, `mrr_daily` and `mrr_cohorts` follow from the facts. Triggers mark the customers and days that a
//! change touches, in its transaction; what is marked is computed from the facts until `RecomputeRevenue` has made its
//! rows again.

mod active;
mod batch;
pub mod campaigns;
mod cash;
mod cohorts;
mod credits;
mod derived;
pub mod errors;
pub mod engagement;
mod events;
pub mod experiments;
pub mod funnels;
mod jobs;
mod movement_list;
mod movements;
#[cfg(test)]
mod movements_tests;
pub mod partners;
mod person;
mod range;
mod rates;
mod recompute;
mod recurring;
mod reported;
mod reports;
pub mod statistics;
#[cfg(test)]
mod statistics_tests;
mod store;
mod summaries;
mod threshold;
mod trials;
mod values;
mod view;
mod visits;

pub use active::{ActiveDay, active_users};
pub use batch::Tracked;
pub use cash::{Cash, CashOfPlan, revenue, revenue_by_plan};
pub use cohorts::{Cohort, CohortPeriod, cohorts};
pub use credits::{credit_flows, outstanding_credits};
pub use events::{
    EventCount, Funnel, FunnelStep, NewEvent, consent_decisions, event_counts, funnel, identify, record_consent, track,
};
pub use jobs::{RecomputeRevenue, RecomputeVisits, WriteReports};
pub use movement_list::{movement_count, movement_page};
pub use range::check_range;
pub use rates::{RATE_PLACES, Rates, rates, rounded};
pub use recompute::{Progress, Recomputed, rebuild};
pub use recurring::{
    movements_of, recurring, recurring_by_plan, subscriptions_by_status, top_customers, unknown_recurring,
};
pub use reports::{Report, ReportFormat, ReportKind, ReportRequest, report, report_text, save};
pub use store::cash::CashSums;
pub use store::movements::MovementList;
pub use store::recurring::{ActiveCount, OfCustomer, OfPlan, Recurring, Unknown};
pub use summaries::{MovementSum, MovementSummary, movement_summaries};
pub use trials::{TrialCohort, trial_cohorts};
pub use values::{ChurnCause, ConsentDecision, DiscountPolicy, MovementKind, Period};
pub use view::Standing;
pub use visits::{PageViews, RecomputedVisits, SessionDay, page_views, sessions};
