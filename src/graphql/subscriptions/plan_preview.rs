//! What a change of plan would cost.

use super::plan_change_mutations::PlanChangeTiming;
use super::subscription::Subscription;
use crate::billing::{self, PlanChange, Preview};
use crate::error::Error;
use crate::graphql::common::{BigInt, ContextExt, Instant, Money, local_id};
use crate::graphql::plans::parts::Price;
use async_graphql::{Context, ID, Object, Result, SimpleObject};

/// What can be asked before anything is changed.
#[derive(Default)]
pub struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// What a change of plan would cost, now and at the next renewal; nothing is changed. Stripe is asked each time. For
    /// an owner or admin of the subscription's account, and with the scope `billing:write` for any. What refuses the
    /// change refuses the preview, with the code BAD_USER_INPUT.
    async fn preview_plan_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which subscription.")] subscription_id: ID,
        #[graphql(desc = "The price of the plan that it is to be to.")] price_id: ID,
        #[graphql(desc = "How many; as many as now where it is left out.")] quantity: Option<BigInt>,
        #[graphql(desc = "When.", default_with = "PlanChangeTiming::Now")] timing: PlanChangeTiming,
    ) -> Result<PlanChangePreview> {
        let change = PlanChange {
            subscription_id: local_id::<Subscription>(&subscription_id)?,
            price_id: local_id::<Price>(&price_id)?,
            quantity: quantity.map(|quantity| quantity.0),
            now: timing == PlanChangeTiming::Now,
            proration_at: None,
        };
        match billing::preview_plan_change(ctx.app(), ctx.viewer(), change).await {
            Ok(preview) => Ok(PlanChangePreview::from(preview)),
            Err(Error::Refused(refusal)) => Err(Error::BadInput(refusal.message).into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a change of plan would cost.
#[derive(SimpleObject)]
pub struct PlanChangePreview {
    /// What is due at once; negative where something is credited, and zero for a change at the end of the period.
    due_now: Money,
    /// What is due at the next renewal.
    due_at_renewal: Money,
    /// When the subscription renews next; null where it does not.
    renews_at: Option<Instant>,
    /// As of when the difference is reckoned. Tell it to `changePlan`, so that it costs what is shown here.
    proration_at: Instant,
    /// What makes up what is due at once.
    lines: Vec<PlanChangePreviewLine>,
}

/// One line of the invoice that would be made.
#[derive(SimpleObject)]
pub struct PlanChangePreviewLine {
    /// What it is for, in Stripe's words; null where it says nothing.
    line_description: Option<String>,
    /// How much; negative where it is credited.
    line_amount: Money,
}

impl From<Preview> for PlanChangePreview {
    fn from(preview: Preview) -> Self {
        let money = |minor| Money::new(minor, &preview.currency);
        let lines = preview.lines.iter().map(|line| PlanChangePreviewLine {
            line_description: line.description.clone(),
            line_amount: money(line.amount_minor),
        });
        PlanChangePreview {
            due_now: money(preview.due_now_minor),
            due_at_renewal: money(preview.due_at_renewal_minor),
            renews_at: preview.renews_at.map(Instant),
            proration_at: Instant(preview.proration_at),
            lines: lines.collect(),
        }
    }
}
