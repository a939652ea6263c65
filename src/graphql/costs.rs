//! The costs of the API's fields where the general rules of [`directives`](super::engine::cost::directives) do not fit.

use crate::app::App;
use crate::db::DEFAULT_PAGE_SIZE;
use crate::graphql::engine::cost::CostSettings;
use crate::graphql::engine::cost::directives::CostRules;

/// The rules. A list without pages gets its usual length here: too low an estimate is caught by the budget while an
/// operation runs, too high a one refuses documents that would be cheap.
pub const RULES: CostRules = CostRules {
    page_size: DEFAULT_PAGE_SIZE,
    length: 10,
    lengths: &[
        ("Account.creditBalances", 5),
        ("Account.entitlements", 20),
        ("Coupon.promoCodes", 10),
        ("Entitlement.unlockedBy", 3),
        ("Entitlement.windows", 2),
        ("ExperimentResult.variants", 2),
        ("Live.entitlementsChanged", 20),
        ("Payment.disputes", 1),
        ("PlanVersion.prices", 5),
        ("PlanVersion.providerPrices", 5),
        ("PlanVersion.creditAllowances", 5),
        ("Price.providerPrices", 3),
        ("Subscription.discounts", 2),
        ("Subscription.items", 3),
        ("Subscription.scheduledChanges", 2),
        ("SubscriptionVersion.arrChanges", 3),
        ("AnalyticsSummary.activeUsers", 30),
        ("AnalyticsSummary.cohorts", 30),
        ("AnalyticsSummary.consentDecisions", 10),
        ("AnalyticsSummary.creditSummaries", 5),
        ("AnalyticsSummary.customerMovements", 10),
        ("AnalyticsSummary.errorRates", 30),
        ("AnalyticsSummary.engagement", 30),
        ("AnalyticsSummary.eventCounts", 100),
        ("AnalyticsSummary.funnel", 5),
        ("AnalyticsSummary.movements", 30),
        ("AnalyticsSummary.outstandingCredits", 10),
        ("AnalyticsSummary.partners", 20),
        ("AnalyticsSummary.pageViews", 10),
        ("AnalyticsSummary.recurringRevenueByPlan", 20),
        ("AnalyticsSummary.revenue", 100),
        ("AnalyticsSummary.revenueByPlan", 100),
        ("AnalyticsSummary.sessions", 30),
        ("AnalyticsSummary.storedFunnel", 5),
        ("EngagementScore.weights", 5),
        ("Funnel.steps", 5),
        ("AnalyticsSummary.topCustomers", 20),
        ("Dashboard.errorRates", 30),
        ("Dashboard.movements", 2),
        ("Dashboard.rates", 2),
        ("Dashboard.recurringRevenue", 2),
        ("Dashboard.trialCohorts", 3),
        ("AnalyticsSummary.trialCohorts", 15),
        ("ReconciliationSummary.differences", 100),
        ("RevenueCohort.periods", 12),
        ("Viewer.entitlements", 20),
        ("WebhookReplayResult.differences", 100),
    ],
    weights: &[
        // Each counts rows of a whole list.
        ("*.totalCount", "1"),
        // Each sums a whole table, or all that changed since its sums were made.
        ("AnalyticsSummary.activeUsers", "100"),
        ("AnalyticsSummary.cohorts", "100"),
        ("AnalyticsSummary.consentDecisions", "10"),
        ("AnalyticsSummary.engagement", "100"),
        ("AnalyticsSummary.eventCounts", "100"),
        ("AnalyticsSummary.allMovements", "100"),
        ("AnalyticsSummary.errorRates", "100"),
        ("AnalyticsSummary.funnel", "100"),
        ("AnalyticsSummary.partners", "100"),
        ("Dashboard.activeUsers", "100"),
        ("Dashboard.errorRates", "100"),
        ("Dashboard.movements", "100"),
        ("Dashboard.openErrorGroupCount", "10"),
        ("Dashboard.rates", "100"),
        ("Dashboard.recurringRevenue", "100"),
        ("Dashboard.revenue", "100"),
        ("Dashboard.subscriptionCounts", "100"),
        ("Dashboard.trialCohorts", "100"),
        ("AnalyticsSummary.movements", "100"),
        ("AnalyticsSummary.outstandingCredits", "100"),
        ("AnalyticsSummary.pageViews", "100"),
        ("AnalyticsSummary.sessions", "100"),
        ("AnalyticsSummary.storedFunnel", "100"),
        // Sums, and a text of up to 2,000 rows.
        ("AnalyticsSummary.exportReport", "2100"),
        ("AnalyticsSummary.creditSummaries", "100"),
        ("AnalyticsSummary.customerMovements", "10"),
        ("AnalyticsSummary.experiment", "100"),
        ("AnalyticsSummary.rates", "100"),
        ("AnalyticsSummary.revenue", "100"),
        ("AnalyticsSummary.revenueByPlan", "100"),
        ("AnalyticsSummary.recurringRevenueByPlan", "100"),
        ("AnalyticsSummary.topCustomers", "100"),
        ("AnalyticsSummary.trialCohorts", "100"),
        ("AnalyticsSummary.recurringRevenue", "100"),
        ("AnalyticsSummary.subscriptionCounts", "100"),
        ("AnalyticsSummary.unknownRecurringRevenue", "100"),
        // Requests to Stripe.
        ("Query.previewPlanChange", "100"),
        // Long values.
        ("JSON", "1"),
    ],
    mutation: "10",
};

/// Returns the limits and rules of costs that hold for every caller.
pub fn settings(app: &App) -> CostSettings {
    let costs = &app.config.costs;
    CostSettings { rules: RULES, reply_bytes: costs.reply_bytes, running: costs.running, report: costs.report }
}
