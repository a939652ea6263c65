//! Sums over payments and subscriptions, and events with the figures about them.

pub mod activity;
pub mod campaign;
pub mod cash;
pub mod consent;
pub mod credits;
pub mod customers;
pub mod dashboard;
pub mod engagement;
pub mod error_group;
pub mod error_mutations;
pub mod event_mutations;
pub mod experiment;
pub mod experiment_mutations;
pub mod experiment_results;
pub mod funnels;
pub mod movement;
pub mod movements;
pub mod partner;
pub mod rates;
pub mod reports;
pub mod summary;
pub mod trials;
pub mod visits;

use crate::auth::Permission;
use crate::graphql::common::ContextExt;
use async_graphql::{Context, MergedObject, Object, Result};

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "AnalyticsQueryRoots")]
pub struct Query(
    AnalyticsQuery,
    experiment::ExperimentQuery,
    error_group::ErrorQuery,
    campaign::CampaignQuery,
    funnels::FunnelQuery,
    engagement::EngagementQuery,
);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "AnalyticsMutationRoots")]
pub struct Mutation(
    event_mutations::EventMutation,
    consent::ConsentMutation,
    experiment_mutations::ExperimentMutation,
    error_mutations::ErrorMutation,
    campaign::CampaignMutation,
    partner::PartnerMutation,
    funnels::FunnelMutation,
    engagement::EngagementMutation,
);

/// Figures over all accounts. Amounts in different currencies are never added.
#[derive(MergedObject, Default)]
pub struct AnalyticsSummary(
    cash::CashFigures,
    summary::RecurringFigures,
    customers::CustomerFigures,
    movements::MovementFigures,
    movement::AccountFigures,
    rates::RateFigures,
    trials::TrialFigures,
    credits::CreditFigures,
    activity::ActivityFigures,
    visits::VisitFigures,
    funnels::FunnelFigures,
    engagement::EngagementFigures,
    reports::ReportFigures,
    experiment_results::ExperimentFigures,
    consent::ConsentFigures,
    error_group::ErrorFigures,
    dashboard::DashboardFigures,
    partner::PartnerFigures,
);

/// The query root of analytics.
#[derive(Default)]
pub struct AnalyticsQuery;

#[Object]
impl AnalyticsQuery {
    /// Figures over all accounts. Requires the scope `analytics:read`.
    async fn analytics(&self, ctx: &Context<'_>) -> Result<AnalyticsSummary> {
        ctx.viewer().require(Permission::AnalyticsRead)?;
        Ok(AnalyticsSummary::default())
    }
}
