//! Cost of a plan change, computed by Stripe.

use super::plan_change_payloads::PlanChangeTiming;
use super::subscription::Subscription;
use crate::billing::{self, PlanChange, Preview};
use crate::graphql::common::{ContextExt, Instant, Money, local_id};
use crate::graphql::plans::parts::Price;
use async_graphql::{Context, ID, Object, Result, SimpleObject};

/// Query fields for previews.
#[derive(Default)]
pub struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// Returns the cost of a plan change, now and at the next renewal, without changing anything. Calls Stripe each
    /// time. Allowed for owners and admins of the subscription's account; with the scope `billing:write` for any
    /// account. A rule that would refuse the change fails the preview with the rule's code in
    /// `ChangePlanErrorCode`.
    async fn preview_plan_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the subscription.")] subscription_id: ID,
        #[graphql(desc = "The id of the new plan's price.")] price_id: ID,
        #[graphql(desc = "The quantity; null keeps the current one. 1 to 1,000,000.")] quantity: Option<i64>,
        #[graphql(desc = "The time at which the change takes effect.", default_with = "PlanChangeTiming::Now")] timing: PlanChangeTiming,
    ) -> Result<PlanChangePreviewTotals> {
        let change = PlanChange {
            subscription_id: local_id::<Subscription>(&subscription_id)?,
            price_id: local_id::<Price>(&price_id)?,
            quantity,
            now: timing == PlanChangeTiming::Now,
            proration_at: None,
        };
        Ok(billing::preview_plan_change(ctx.app(), ctx.viewer(), change).await?.into())
    }
}

/// Cost of a plan change, computed by Stripe.
#[derive(SimpleObject)]
pub struct PlanChangePreviewTotals {
    /// The amount due now; negative for a credit, zero for a change at period end.
    due_now: Money,
    /// The amount due at the next renewal.
    due_at_renewal: Money,
    /// The next renewal; null if the subscription will not renew.
    renews_at: Option<Instant>,
    /// The instant from which proration is computed. Pass it to `changePlan` to be charged the amounts shown here.
    proration_at: Instant,
    /// The lines that add up to the amount due now.
    lines: Vec<PlanChangePreviewLineInfo>,
}

/// A line of the invoice that the change would create.
#[derive(SimpleObject)]
pub struct PlanChangePreviewLineInfo {
    /// The description by Stripe; null if there is none.
    line_description: Option<String>,
    /// The amount; negative for a credit.
    line_amount: Money,
}

impl From<Preview> for PlanChangePreviewTotals {
    fn from(preview: Preview) -> Self {
        let money = |minor| Money::new(minor, &preview.currency);
        let lines = preview.lines.iter().map(|line| PlanChangePreviewLineInfo {
            line_description: line.description.clone(),
            line_amount: money(line.amount_minor),
        });
        PlanChangePreviewTotals {
            due_now: money(preview.due_now_minor),
            due_at_renewal: money(preview.due_at_renewal_minor),
            renews_at: preview.renews_at.map(Instant),
            proration_at: Instant(preview.proration_at),
            lines: lines.collect(),
        }
    }
}
