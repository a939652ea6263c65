//! Inputs of the catalogue's mutations.

use super::parts::{AllowanceCadence, FeatureKind, LimitWindow, OnExceed, OnPlanChange, PriceInterval};
use super::plan::PlanKind;
use crate::graphql::common::{BigInt, Currency, StoredEnum, optional_text, text};
use crate::plans::{AllowanceSpec, FeatureSpec, OverageSpec, PriceSpec};
use async_graphql::{ID, InputObject, MaybeUndefined, Result};

/// A new plan.
#[derive(InputObject)]
pub struct CreatePlanInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    pub(super) code: String,
    /// The kind of product.
    pub(super) kind: PlanKind,
    /// The display name: 1 to 200 characters.
    pub(super) name: String,
    /// A description for display.
    pub(super) description: Option<String>,
    /// The rank among plans: of several plans that an account holds, the one with the highest rank is its current plan.
    pub(super) rank: i64,
}

/// Changes to a plan. Fields left out stay as they are.
#[derive(InputObject)]
pub struct UpdatePlanInput {
    /// The plan to change.
    pub(super) plan_id: ID,
    /// The display name: 1 to 200 characters.
    pub(super) name: Option<String>,
    /// A description for display; null removes it.
    pub(super) description: MaybeUndefined<String>,
    /// The rank among plans.
    pub(super) rank: Option<i64>,
    /// True to sell the plan, false to stop. Existing subscriptions keep it either way.
    pub(super) active: Option<bool>,
}

/// A new feature.
#[derive(InputObject)]
pub struct CreateFeatureInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    pub(super) code: String,
    /// The kind of entitlement.
    pub(super) kind: FeatureKind,
    /// The display name: 1 to 200 characters.
    pub(super) name: String,
    /// The unit that a limit counts, e.g. `messages`.
    pub(super) unit: Option<String>,
    /// The code of the meter that limits count on, for a feature of the kind LIMIT. By default that with the feature's
    /// own code, which is created if there is none and sums the values of its events.
    pub(super) meter: Option<String>,
}

/// A new credit unit.
#[derive(InputObject)]
pub struct CreateCreditUnitInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    pub(super) code: String,
    /// The display name: 1 to 200 characters.
    pub(super) name: String,
    /// Decimal places for display, 0 to 12. Amounts count the smallest step.
    #[graphql(default = 0)]
    pub(super) decimals: i32,
}

/// A draft of the next version of a plan.
#[derive(InputObject)]
pub struct CreatePlanVersionInput {
    /// The plan.
    pub(super) plan_id: ID,
    /// The prices: one for each currency and interval.
    pub(super) prices: Vec<PriceInput>,
    /// The features that it grants; none by default.
    pub(super) features: Option<Vec<PlanFeatureInput>>,
    /// The credits that it grants; none by default.
    pub(super) credit_allowances: Option<Vec<CreditAllowanceInput>>,
    /// Days of access to the features after a payment failed, 0 to 365; for as long as it is due by default.
    pub(super) past_due_grace_days: Option<i64>,
    /// True for access to the features while the subscription is paused.
    #[graphql(default = false)]
    pub(super) access_while_paused: bool,
    /// True for access to the features in a trial.
    #[graphql(default = true)]
    pub(super) access_in_trial: bool,
}

/// The complete new contents of a draft.
#[derive(InputObject)]
pub struct UpdatePlanVersionInput {
    /// The draft to change.
    pub(super) plan_version_id: ID,
    /// The prices: one for each currency and interval.
    pub(super) prices: Vec<PriceInput>,
    /// The features that it grants; none by default.
    pub(super) features: Option<Vec<PlanFeatureInput>>,
    /// The credits that it grants; none by default.
    pub(super) credit_allowances: Option<Vec<CreditAllowanceInput>>,
    /// Days of access to the features after a payment failed, 0 to 365; for as long as it is due by default.
    pub(super) past_due_grace_days: Option<i64>,
    /// True for access to the features while the subscription is paused.
    #[graphql(default = false)]
    pub(super) access_while_paused: bool,
    /// True for access to the features in a trial.
    #[graphql(default = true)]
    pub(super) access_in_trial: bool,
}

/// A draft to put on sale.
#[derive(InputObject)]
pub struct PublishPlanVersionInput {
    /// The draft.
    pub(super) plan_version_id: ID,
}

/// A price of a version.
#[derive(InputObject)]
pub struct PriceInput {
    /// The currency.
    pub(super) currency: Currency,
    /// The price of one unit for one interval, in minor units; 0 for a free plan.
    pub(super) unit_amount: BigInt,
    /// The billing interval.
    pub(super) interval: PriceInterval,
    /// Intervals between charges, 1 to 365.
    #[graphql(default = 1)]
    pub(super) interval_count: i64,
    /// Days of free trial, 1 to 730; no trial by default.
    pub(super) trial_days: Option<i64>,
}

impl PriceInput {
    pub(super) fn spec(self) -> PriceSpec {
        PriceSpec {
            currency: self.currency.0,
            unit_amount_minor: self.unit_amount.0,
            interval: self.interval.stored(),
            interval_count: self.interval_count,
            trial_days: self.trial_days,
        }
    }
}

/// A feature that a version grants.
#[derive(InputObject)]
pub struct PlanFeatureInput {
    /// The code of an existing feature.
    pub(super) feature: String,
    /// The value of a feature of the kind CONFIG.
    pub(super) value: Option<String>,
    /// The limit, in the feature's unit; unlimited by default.
    pub(super) limit: Option<BigInt>,
    /// The window in which the limit counts.
    pub(super) window: Option<LimitWindow>,
    /// The unused part of a limit that carries over to the next window, in the feature's unit; none by default.
    pub(super) rollover_cap: Option<BigInt>,
    /// The behaviour past the limit; BLOCK by default.
    pub(super) on_exceed: Option<OnExceed>,
    /// The credits that pay for units past the limit, with OVERAGE; by default none do, and the host application charges.
    pub(super) overage: Option<OverageInput>,
}

/// The price, in credits, of units past a limit.
#[derive(InputObject)]
pub struct OverageInput {
    /// The code of an existing credit unit.
    pub(super) unit: String,
    /// Credits for each unit of the feature, in the smallest step of the credit unit.
    pub(super) credits: BigInt,
}

impl PlanFeatureInput {
    pub(super) fn spec(self) -> Result<FeatureSpec> {
        Ok(FeatureSpec {
            feature: text("feature", self.feature)?,
            value: optional_text("value", self.value)?,
            limit: self.limit.map(|limit| limit.0),
            window: self.window.map(StoredEnum::stored),
            rollover_cap: self.rollover_cap.map(|cap| cap.0),
            on_exceed: self.on_exceed.map(StoredEnum::stored),
            overage: self.overage.map(OverageInput::spec).transpose()?,
        })
    }
}

impl OverageInput {
    fn spec(self) -> Result<OverageSpec> {
        Ok(OverageSpec { unit: text("unit", self.unit)?, credits: self.credits.0 })
    }
}

/// Credits that a version grants.
#[derive(InputObject)]
pub struct CreditAllowanceInput {
    /// The code of an existing credit unit.
    pub(super) unit: String,
    /// The amount per grant, in the smallest step of the unit.
    pub(super) amount: BigInt,
    /// The rhythm of the grants.
    pub(super) cadence: AllowanceCadence,
    /// Days until granted credits expire; they never expire by default.
    pub(super) expires_after_days: Option<i64>,
    /// The unused credits that carry over at the next grant, in the smallest step of the unit; all of them by default.
    pub(super) rollover_cap: Option<BigInt>,
    /// The order of spending: credits with a lower number are spent first.
    #[graphql(default = 0)]
    pub(super) priority: i64,
    /// The fate of the unused rest when the subscription changes to another plan. Add-ons keep theirs.
    #[graphql(default_with = "OnPlanChange::Replace")]
    pub(super) on_plan_change: OnPlanChange,
}

impl CreditAllowanceInput {
    pub(super) fn spec(self) -> Result<AllowanceSpec> {
        Ok(AllowanceSpec {
            unit: text("unit", self.unit)?,
            amount: self.amount.0,
            cadence: self.cadence.stored(),
            expires_after_days: self.expires_after_days,
            rollover_cap: self.rollover_cap.map(|cap| cap.0),
            priority: self.priority,
            on_plan_change: self.on_plan_change.stored(),
        })
    }
}
