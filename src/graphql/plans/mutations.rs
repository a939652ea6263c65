//! Changes to what is sold.

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

/// What can be done with the catalogue. All of it needs the scope `catalogue:write`.
#[derive(Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Makes a plan. It has no version yet, so that nobody sees or buys it. Needs the scope `catalogue:write`.
    async fn create_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the plan is to be.")] input: CreatePlanInput,
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

    /// Changes how a plan is shown and whether it is sold. Needs the scope `catalogue:write`.
    async fn update_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UpdatePlanInput,
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

    /// Makes a feature known, for versions of plans to grant. Needs the scope `catalogue:write`.
    async fn create_feature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the feature is to be.")] input: CreateFeatureInput,
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

    /// Makes a credit unit known. Needs the scope `catalogue:write`.
    async fn create_credit_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the credit unit is to be.")] input: CreateCreditUnitInput,
    ) -> Result<Option<CreateCreditUnitPayload>> {
        // What does not fit is refused with the numbers out of range.
        let decimals = i16::try_from(input.decimals).unwrap_or(-1);
        let new = NewCreditUnit { code: input.code, name: text("name", input.name)?, decimals };
        let (made, user_errors) = settle(feature::create_credit_unit(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateCreditUnitPayload { credit_unit: made.map(|row| CreditUnit(Arc::new(row))), user_errors }))
    }

    /// Drafts the next version of a plan. Needs the scope `catalogue:write`.
    async fn create_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the version costs and grants.")] input: CreatePlanVersionInput,
    ) -> Result<Option<CreatePlanVersionPayload>> {
        let plan_id = local_id::<Plan>(&input.plan_id)?;
        let spec = contents(input.prices, input.features, input.credit_allowances)?;
        let made = feature::create_version(ctx.app(), ctx.viewer(), plan_id, spec).await;
        let (version, user_errors) = settle(made)?;
        Ok(Some(CreatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Puts other contents into a draft. Needs the scope `catalogue:write`.
    async fn update_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the draft costs and grants, whole.")] input: UpdatePlanVersionInput,
    ) -> Result<Option<UpdatePlanVersionPayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let spec = contents(input.prices, input.features, input.credit_allowances)?;
        let (version, user_errors) = settle(feature::update_version(ctx.app(), ctx.viewer(), id, spec).await)?;
        Ok(Some(UpdatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Puts a draft on sale, in place of the version before it. Needs the scope `catalogue:write`.
    async fn publish_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which draft.")] input: PublishPlanVersionInput,
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

/// What a new plan is to be.
#[derive(InputObject)]
pub struct CreatePlanInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// What kind of thing it is.
    kind: PlanKind,
    /// The name for people: 1 to 200 characters.
    name: String,
    /// What it is, for people.
    description: Option<String>,
    /// Where it stands among the plans: of several that someone holds, the highest rank wins.
    rank: i64,
}

/// What is to change of a plan. What is left out stays as it is.
#[derive(InputObject)]
pub struct UpdatePlanInput {
    /// The plan's id.
    plan_id: ID,
    /// The name for people: 1 to 200 characters.
    name: Option<String>,
    /// What it is, for people; null takes it away.
    description: MaybeUndefined<String>,
    /// Where it stands among the plans.
    rank: Option<i64>,
    /// Whether it is sold. Who has it keeps it either way.
    active: Option<bool>,
}

/// What a new feature is to be.
#[derive(InputObject)]
pub struct CreateFeatureInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// What it is about.
    kind: FeatureKind,
    /// The name for people: 1 to 200 characters.
    name: String,
    /// What a limit counts, e.g. `messages`.
    unit: Option<String>,
}

/// What a new credit unit is to be.
#[derive(InputObject)]
pub struct CreateCreditUnitInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The name for people: 1 to 200 characters.
    name: String,
    /// How many decimal places people see, 0 to 12. Amounts count the smallest step.
    #[graphql(default = 0)]
    decimals: i32,
}

/// The next version of a plan.
#[derive(InputObject)]
pub struct CreatePlanVersionInput {
    /// The plan's id.
    plan_id: ID,
    /// What it costs: one price for each currency and interval.
    prices: Vec<PriceInput>,
    /// What it allows; nothing where it is left out.
    features: Option<Vec<PlanFeatureInput>>,
    /// The credits it brings; none where it is left out.
    credit_allowances: Option<Vec<CreditAllowanceInput>>,
}

/// Other contents for a draft, in place of all it had.
#[derive(InputObject)]
pub struct UpdatePlanVersionInput {
    /// The draft's id.
    plan_version_id: ID,
    /// What it costs: one price for each currency and interval.
    prices: Vec<PriceInput>,
    /// What it allows; nothing where it is left out.
    features: Option<Vec<PlanFeatureInput>>,
    /// The credits it brings; none where it is left out.
    credit_allowances: Option<Vec<CreditAllowanceInput>>,
}

/// Which draft to put on sale.
#[derive(InputObject)]
pub struct PublishPlanVersionInput {
    /// The draft's id.
    plan_version_id: ID,
}

/// A price of a version.
#[derive(InputObject)]
pub struct PriceInput {
    /// The currency.
    currency: Currency,
    /// What one unit costs for one interval, in minor units; 0 for a free plan.
    unit_amount: BigInt,
    /// How often it is due.
    interval: PriceInterval,
    /// Every how many intervals it is due, 1 to 365.
    #[graphql(default = 1)]
    interval_count: i64,
    /// How long it may be tried first, 1 to 730 days; not at all where it is left out.
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
    /// The code of a known feature.
    feature: String,
    /// The setting of a feature of the kind CONFIG.
    value: Option<String>,
    /// How much of it, in the feature's unit; without limit where it is left out.
    limit: Option<BigInt>,
    /// The window that the limit counts in.
    window: Option<LimitWindow>,
    /// How much of an unused limit is kept for the next window, in the feature's unit; nothing where it is left out.
    rollover_cap: Option<BigInt>,
    /// What happens past the limit; BLOCK where it is left out.
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

/// Credits that a version brings.
#[derive(InputObject)]
pub struct CreditAllowanceInput {
    /// The code of a known credit unit.
    unit: String,
    /// How many, in the smallest step of the unit.
    amount: BigInt,
    /// How often.
    cadence: AllowanceCadence,
    /// After how many days they are gone; never where it is left out.
    expires_after_days: Option<i64>,
    /// How many unused ones are kept at the next grant; all of them where it is left out.
    rollover_cap: Option<BigInt>,
    /// Credits with a lower number are spent first.
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
