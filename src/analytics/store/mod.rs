//! Sums in SQL that both engines read alike, and the tables that hold them.

pub(super) mod cash;
pub(super) mod consents;
pub(super) mod facts;
pub(super) mod marks;
pub(super) mod movements;
pub(super) mod people;
pub(super) mod recurring;
pub(super) mod retention;
pub(super) mod totals;
pub(super) mod trials;

use crate::auth::{Permission, Scope};
use crate::db::{Visible, unrestricted_only};
use sea_orm::{EntityTrait, QueryFilter, Select};

/// Makes tables visible to callers who may read the figures, and to nobody else.
macro_rules! visible_to_analysts {
    ($($table:ident),* $(,)?) => {$(
        impl Visible for entity::$table::Entity {
            const GUARD: Option<Permission> = Some(Permission::AnalyticsRead);
            const OPEN_TO: &'static [Permission] = &[Permission::AnalyticsRead];

            fn visible(scope: Scope) -> Select<Self> {
                Self::find().filter(unrestricted_only(scope))
            }
        }
    )*};
}

visible_to_analysts!(
    analytics_events,
    consent_decisions,
    email_campaigns,
    error_events,
    error_groups,
    engagement_scores,
    experiment_assignments,
    experiments,
    feature_daily,
    funnels,
    identity_aliases,
    mrr_cohorts,
    mrr_daily,
    mrr_movements,
    partner_daily,
    revenue_daily,
    session_daily,
    visitor_days,
    visitor_sessions,
);
