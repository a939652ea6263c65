//! Mutations of the catalogue.

use super::parts::{AllowanceCadence, CreditUnit, Feature, FeatureKind, LimitWindow, OnExceed, PriceInterval};
use super::payloads::{
    CreateCreditUnitPayload, CreateFeaturePayload, CreatePlanPayload, CreatePlanVersionPayload,
    PublishPlanVersionPayload, UpdatePlanPayload, UpdatePlanVersionPayload,
};
use super::plan::{Plan, PlanKind, PlanVersion};
use crate::billing;
use crate::graphql::common::{BigInt, ContextExt, Currency, Word, local_id, optional_text, settle, text};
use crate::plans::{
    self as feature, AllowanceSpec, FeatureSpec, NewCreditUnit, NewFeature, NewPlan, PlanChange, PriceSpec, VersionSpec,
};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use std::sync::Arc;

/// The mutation roots of the catalogue. All of them need the scope `catalogue:write`.
#[derive(Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Creates a plan without a version: nobody sees or buys it yet. Needs the scope `catalogue:write`.
    async fn create_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new plan.")] input: CreatePlanInput,
    ) -> Result<Option<CreatePlanPayload>> {
        let new = NewPlan {
            code: input.code,
            kind: input.kind.word(),
            name: text("name", input.name)?,
            description: optional_text("description", input.description)?,
            rank: input.rank,
        };
        let (plan, user_errors) = settle(feature::create_plan(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreatePlanPayload { plan: plan.map(|row| Plan(Arc::new(row))), user_errors }))
    }

    /// Changes the display of a plan and whether it is sold. Needs the scope `catalogue:write`.
    async fn update_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdatePlanInput,
    ) -> Result<Option<UpdatePlanPayload>> {
        let id = local_id::<Plan>(&input.plan_id)?;
        let description = match input.description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(value) => Some(Some(text("description", value)?)),
        };
        let change = PlanChange {
            name: optional_text("name", input.name)?,
            description,
            rank: input.rank,
            active: input.active,
        };
        let (plan, user_errors) = settle(billing::update_plan(ctx.app(), ctx.viewer(), id, change).await)?;
        Ok(Some(UpdatePlanPayload { plan: plan.map(|row| Plan(Arc::new(row))), user_errors }))
    }

    /// Creates a feature for versions of plans to grant. Needs the scope `catalogue:write`.
    async fn create_feature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new feature.")] input: CreateFeatureInput,
    ) -> Result<Option<CreateFeaturePayload>> {
        let new = NewFeature {
            code: input.code,
            kind: input.kind.word(),
            name: text("name", input.name)?,
            unit: optional_text("unit", input.unit)?,
        };
        let (made, user_errors) = settle(feature::create_feature(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateFeaturePayload { feature: made.map(|row| Feature(Arc::new(row))), user_errors }))
    }

    /// Creates a credit unit. Needs the scope `catalogue:write`.
    async fn create_credit_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new credit unit.")] input: CreateCreditUnitInput,
    ) -> Result<Option<CreateCreditUnitPayload>> {
        // A number that does not fit is refused like one out of range.
        let decimals = i16::try_from(input.decimals).unwrap_or(-1);
        let new = NewCreditUnit { code: input.code, name: text("name", input.name)?, decimals };
        let (made, user_errors) = settle(feature::create_credit_unit(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateCreditUnitPayload { credit_unit: made.map(|row| CreditUnit(Arc::new(row))), user_errors }))
    }

    /// Creates a draft of the next version of a plan. Needs the scope `catalogue:write`.
    async fn create_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The prices and contents of the version.")] input: CreatePlanVersionInput,
    ) -> Result<Option<CreatePlanVersionPayload>> {
        let plan_id = local_id::<Plan>(&input.plan_id)?;
        let spec = contents(input.prices, input.features, input.credit_allowances)?;
        let made = feature::create_version(ctx.app(), ctx.viewer(), plan_id, spec).await;
        let (version, user_errors) = settle(made)?;
        Ok(Some(CreatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Replaces the contents of a draft. Needs the scope `catalogue:write`.
    async fn update_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The complete new prices and contents.")] input: UpdatePlanVersionInput,
    ) -> Result<Option<UpdatePlanVersionPayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let spec = contents(input.prices, input.features, input.credit_allowances)?;
        let (version, user_errors) = settle(feature::update_version(ctx.app(), ctx.viewer(), id, spec).await)?;
        Ok(Some(UpdatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Publishes a draft: it goes on sale in place of the current version. Needs the scope `catalogue:write`.
    async fn publish_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The draft to publish.")] input: PublishPlanVersionInput,
    ) -> Result<Option<PublishPlanVersionPayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let (version, user_errors) = settle(billing::publish_version(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(PublishPlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }
}

fn contents(
    prices: Vec<PriceInput>,
    features: Option<Vec<PlanFeatureInput>>,
    allowances: Option<Vec<CreditAllowanceInput>>,
) -> Result<VersionSpec> {
    let features = features.unwrap_or_default().into_iter().map(PlanFeatureInput::spec);
    let allowances = allowances.unwrap_or_default().into_iter().map(CreditAllowanceInput::spec);
    Ok(VersionSpec {
        prices: prices.into_iter().map(PriceInput::spec).collect(),
        features: features.collect::<Result<_>>()?,
        allowances: allowances.collect::<Result<_>>()?,
    })
}

/// A new plan.
#[derive(InputObject)]
pub struct CreatePlanInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The kind of product.
    kind: PlanKind,
    /// The display name: 1 to 200 characters.
    name: String,
    /// A description for display.
    description: Option<String>,
    /// The rank among plans: of several plans that an account holds, the one with the highest rank is its current plan.
    rank: i64,
}

/// Changes to a plan. Fields left out stay as they are.
#[derive(InputObject)]
pub struct UpdatePlanInput {
    /// The plan to change.
    plan_id: ID,
    /// The display name: 1 to 200 characters.
    name: Option<String>,
    /// A description for display; null removes it.
    description: MaybeUndefined<String>,
    /// The rank among plans.
    rank: Option<i64>,
    /// Whether the plan is sold. Existing subscriptions keep it either way.
    active: Option<bool>,
}

/// A new feature.
#[derive(InputObject)]
pub struct CreateFeatureInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The kind of entitlement.
    kind: FeatureKind,
    /// The display name: 1 to 200 characters.
    name: String,
    /// The unit that a limit counts, e.g. `messages`.
    unit: Option<String>,
}

/// A new credit unit.
#[derive(InputObject)]
pub struct CreateCreditUnitInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// Decimal places for display, 0 to 12. Amounts count the smallest step.
    #[graphql(default = 0)]
    decimals: i32,
}

/// A draft of the next version of a plan.
#[derive(InputObject)]
pub struct CreatePlanVersionInput {
    /// The plan.
    plan_id: ID,
    /// The prices: one for each currency and interval.
    prices: Vec<PriceInput>,
    /// The features that it grants; none by default.
    features: Option<Vec<PlanFeatureInput>>,
    /// The credits that it grants; none by default.
    credit_allowances: Option<Vec<CreditAllowanceInput>>,
}

/// The complete new contents of a draft.
#[derive(InputObject)]
pub struct UpdatePlanVersionInput {
    /// The draft to change.
    plan_version_id: ID,
    /// The prices: one for each currency and interval.
    prices: Vec<PriceInput>,
    /// The features that it grants; none by default.
    features: Option<Vec<PlanFeatureInput>>,
    /// The credits that it grants; none by default.
    credit_allowances: Option<Vec<CreditAllowanceInput>>,
}

/// A draft to put on sale.
#[derive(InputObject)]
pub struct PublishPlanVersionInput {
    /// The draft.
    plan_version_id: ID,
}

/// A price of a version.
#[derive(InputObject)]
pub struct PriceInput {
    /// The currency.
    currency: Currency,
    /// The price of one unit for one interval, in minor units; 0 for a free plan.
    unit_amount: BigInt,
    /// The billing interval.
    interval: PriceInterval,
    /// Intervals between charges, 1 to 365.
    #[graphql(default = 1)]
    interval_count: i64,
    /// Days of free trial, 1 to 730; no trial by default.
    trial_days: Option<i64>,
}

impl PriceInput {
    fn spec(self) -> PriceSpec {
        PriceSpec {
            currency: self.currency.0,
            unit_amount_minor: self.unit_amount.0,
            interval: self.interval.word(),
            interval_count: self.interval_count,
            trial_days: self.trial_days,
        }
    }
}

/// A feature that a version grants.
#[derive(InputObject)]
pub struct PlanFeatureInput {
    /// The code of an existing feature.
    feature: String,
    /// The value of a feature of the kind CONFIG.
    value: Option<String>,
    /// The limit, in the feature's unit; unlimited by default.
    limit: Option<BigInt>,
    /// The window in which the limit counts.
    window: Option<LimitWindow>,
    /// The unused part of a limit that carries over to the next window, in the feature's unit; none by default.
    rollover_cap: Option<BigInt>,
    /// The behaviour past the limit; BLOCK by default.
    on_exceed: Option<OnExceed>,
}

impl PlanFeatureInput {
    fn spec(self) -> Result<FeatureSpec> {
        Ok(FeatureSpec {
            feature: text("feature", self.feature)?,
            value: optional_text("value", self.value)?,
            limit: self.limit.map(|limit| limit.0),
            window: self.window.map(Word::word),
            rollover_cap: self.rollover_cap.map(|cap| cap.0),
            on_exceed: self.on_exceed.map(Word::word),
        })
    }
}

/// Credits that a version grants.
#[derive(InputObject)]
pub struct CreditAllowanceInput {
    /// The code of an existing credit unit.
    unit: String,
    /// The amount per grant, in the smallest step of the unit.
    amount: BigInt,
    /// The rhythm of the grants.
    cadence: AllowanceCadence,
    /// Days until granted credits expire; they never expire by default.
    expires_after_days: Option<i64>,
    /// The unused credits that carry over at the next grant, in the smallest step of the unit; all of them by default.
    rollover_cap: Option<BigInt>,
    /// The order of spending: credits with a lower number are spent first.
    #[graphql(default = 0)]
    priority: i64,
}

impl CreditAllowanceInput {
    fn spec(self) -> Result<AllowanceSpec> {
        Ok(AllowanceSpec {
            unit: text("unit", self.unit)?,
            amount: self.amount.0,
            cadence: self.cadence.word(),
            expires_after_days: self.expires_after_days,
            rollover_cap: self.rollover_cap.map(|cap| cap.0),
            priority: self.priority,
        })
    }
}
