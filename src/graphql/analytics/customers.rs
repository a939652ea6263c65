//! Recurring revenue by plan and by account.

use super::movements::RecurringRevenueStanding;
use super::summary::DiscountPolicy;
use crate::analytics;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, Currency, Instant, to_one};
use crate::graphql::plans::plan::Plan;
use async_graphql::{Context, Object, Result};

pub struct PlanRevenue(analytics::OfPlan);

/// Recurring revenue of one plan in one currency.
#[Object]
impl PlanRevenue {
    /// The plan; null for subscriptions whose plan is not known here.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        to_one(ctx, self.0.product_id).await
    }

    /// The currency.
    async fn currency(&self) -> Currency {
        Currency(self.0.recurring.currency.clone())
    }

    /// Recurring revenue of its subscriptions, their add-ons included.
    async fn recurring(&self) -> RecurringRevenueStanding {
        standing(&self.0.recurring)
    }

    /// The number of contributing subscriptions.
    async fn subscription_count(&self) -> i64 {
        self.0.recurring.subscriptions
    }
}

pub struct CustomerRevenue(analytics::OfCustomer);

/// Recurring revenue of one account in one currency.
#[Object]
impl CustomerRevenue {
    /// The account; null if the caller may not see it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, Some(self.0.account_id)).await
    }

    /// Recurring revenue of its subscriptions.
    async fn recurring(&self) -> RecurringRevenueStanding {
        standing(&self.0.recurring)
    }

    /// The number of contributing subscriptions.
    async fn subscription_count(&self) -> i64 {
        self.0.recurring.subscriptions
    }
}

fn standing(recurring: &analytics::Recurring) -> RecurringRevenueStanding {
    let standing = analytics::Standing { arr_minor: recurring.arr_minor, customers: recurring.customers };
    RecurringRevenueStanding::new(standing, &recurring.currency)
}

/// Recurring revenue by plan and by account.
#[derive(Default)]
pub struct CustomerFigures;

#[Object]
impl CustomerFigures {
    /// Recurring revenue at an instant by currency and plan of the subscription, largest first. The plans of a currency add
    /// up to `recurringRevenue`, except `customerCount`: an account with two plans counts in both.
    async fn recurring_revenue_by_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<PlanRevenue>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = analytics::recurring_by_plan(ctx.app(), ctx.viewer(), as_of, discounts.into()).await?;
        Ok(rows.into_iter().map(PlanRevenue).collect())
    }

    /// The accounts with the most recurring revenue in one currency at an instant, largest first.
    async fn top_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency.")] currency: Currency,
        #[graphql(desc = "The number of accounts, at most 100.", default = 20)] first: i32,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<CustomerRevenue>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        let rows = analytics::top_customers(app, viewer, &currency.0, as_of, discounts.into(), first).await?;
        Ok(rows.into_iter().map(CustomerRevenue).collect())
    }
}
