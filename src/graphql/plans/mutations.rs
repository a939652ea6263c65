//! Mutations of the catalogue.

use super::inputs::{
    CreateCreditUnitInput, CreateFeatureInput, CreatePlanInput, CreatePlanVersionInput, CreditAllowanceInput,
    PlanFeatureInput, PriceInput, PublishPlanVersionInput, UpdatePlanInput, UpdatePlanVersionInput,
};
use super::parts::{CreditUnit, Feature};
use super::payloads::{
    CreateCreditUnitPayload, CreateFeaturePayload, CreatePlanPayload, CreatePlanVersionPayload,
    PublishPlanVersionPayload, UpdatePlanPayload, UpdatePlanVersionPayload,
};
use super::plan::{Plan, PlanVersion};
use crate::billing;
use crate::graphql::common::{ContextExt, StoredEnum, local_id, optional_text, split_refusal, text};
use crate::plans::{self, AccessSpec, NewCreditUnit, NewFeature, NewPlan, PlanChange, VersionSpec};
use crate::usage;
use async_graphql::{Context, MaybeUndefined, Object, Result};
use std::sync::Arc;

/// The mutation roots of the catalogue. All of them need the scope `catalogue:write`.
#[derive(Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Creates a plan without a version: nobody sees or buys it yet. Requires the scope `catalogue:write`.
    async fn create_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new plan.")] input: CreatePlanInput,
    ) -> Result<Option<CreatePlanPayload>> {
        let new = NewPlan {
            code: input.code,
            kind: input.kind.stored(),
            name: text("name", input.name)?,
            description: optional_text("description", input.description)?,
            rank: input.rank,
        };
        let (plan, user_errors) = split_refusal(plans::create_plan(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreatePlanPayload { plan: plan.map(|row| Plan(Arc::new(row))), user_errors }))
    }

    /// Changes the display of a plan and whether it is sold. Requires the scope `catalogue:write`.
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
        let (plan, user_errors) = split_refusal(billing::update_plan(ctx.app(), ctx.viewer(), id, change).await)?;
        Ok(Some(UpdatePlanPayload { plan: plan.map(|row| Plan(Arc::new(row))), user_errors }))
    }

    /// Creates a feature for versions of plans to grant. Requires the scope `catalogue:write`.
    async fn create_feature(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new feature.")] input: CreateFeatureInput,
    ) -> Result<Option<CreateFeaturePayload>> {
        let new = NewFeature {
            code: input.code,
            kind: input.kind.stored(),
            name: text("name", input.name)?,
            unit: optional_text("unit", input.unit)?,
        };
        let meter = optional_text("meter", input.meter)?;
        let (made, user_errors) = split_refusal(usage::create_feature(ctx.app(), ctx.viewer(), new, meter).await)?;
        Ok(Some(CreateFeaturePayload { feature: made.map(|row| Feature(Arc::new(row))), user_errors }))
    }

    /// Creates a credit unit. Requires the scope `catalogue:write`.
    async fn create_credit_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new credit unit.")] input: CreateCreditUnitInput,
    ) -> Result<Option<CreateCreditUnitPayload>> {
        // A number that does not fit is refused like one out of range.
        let decimals = i16::try_from(input.decimals).unwrap_or(-1);
        let new = NewCreditUnit { code: input.code, name: text("name", input.name)?, decimals };
        let (made, user_errors) = split_refusal(plans::create_credit_unit(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateCreditUnitPayload { credit_unit: made.map(|row| CreditUnit(Arc::new(row))), user_errors }))
    }

    /// Creates a draft of the next version of a plan. Requires the scope `catalogue:write`.
    async fn create_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The prices and contents of the version.")] input: CreatePlanVersionInput,
    ) -> Result<Option<CreatePlanVersionPayload>> {
        let plan_id = local_id::<Plan>(&input.plan_id)?;
        let access = AccessSpec {
            past_due_grace_days: input.past_due_grace_days,
            while_paused: input.access_while_paused,
            in_trial: input.access_in_trial,
        };
        let spec = contents(input.prices, input.features, input.credit_allowances, access)?;
        let made = plans::create_version(ctx.app(), ctx.viewer(), plan_id, spec).await;
        let (version, user_errors) = split_refusal(made)?;
        Ok(Some(CreatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Replaces the contents of a draft. Requires the scope `catalogue:write`.
    async fn update_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The complete new prices and contents.")] input: UpdatePlanVersionInput,
    ) -> Result<Option<UpdatePlanVersionPayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let access = AccessSpec {
            past_due_grace_days: input.past_due_grace_days,
            while_paused: input.access_while_paused,
            in_trial: input.access_in_trial,
        };
        let spec = contents(input.prices, input.features, input.credit_allowances, access)?;
        let (version, user_errors) = split_refusal(plans::update_version(ctx.app(), ctx.viewer(), id, spec).await)?;
        Ok(Some(UpdatePlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }

    /// Publishes a draft: it goes on sale in place of the current version. Requires the scope `catalogue:write`.
    async fn publish_plan_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The draft to publish.")] input: PublishPlanVersionInput,
    ) -> Result<Option<PublishPlanVersionPayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let (version, user_errors) = split_refusal(billing::publish_version(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(PublishPlanVersionPayload { plan_version: version.map(|row| PlanVersion(Arc::new(row))), user_errors }))
    }
}

fn contents(
    prices: Vec<PriceInput>,
    features: Option<Vec<PlanFeatureInput>>,
    allowances: Option<Vec<CreditAllowanceInput>>,
    access: AccessSpec,
) -> Result<VersionSpec> {
    let features = features.unwrap_or_default().into_iter().map(PlanFeatureInput::spec);
    let allowances = allowances.unwrap_or_default().into_iter().map(CreditAllowanceInput::spec);
    Ok(VersionSpec {
        prices: prices.into_iter().map(PriceInput::spec).collect(),
        features: features.collect::<Result<_>>()?,
        allowances: allowances.collect::<Result<_>>()?,
        access,
    })
}
