//! Mutations of experiments.

use super::experiment::{Experiment, ExperimentVariant};
use crate::analytics::experiments::{self, Assignee, NewExperiment};
use crate::error::Error;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{ContextExt, Instant, StoredEnum, local_id, split_refusal, text};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation roots of experiments.
#[derive(Default)]
pub struct ExperimentMutation;

#[Object]
impl ExperimentMutation {
    /// Creates an experiment, which runs from then on. Requires the scope `catalogue:write`.
    async fn create_experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new experiment.")] input: CreateExperimentInput,
    ) -> Result<Option<CreateExperimentPayload>> {
        let new = NewExperiment {
            code: input.code,
            name: text("name", input.name)?,
            conversion_event: text("conversionEvent", input.conversion_event)?,
            window_seconds: input.window_seconds,
            planned_units: input.planned_unit_count,
            control_weight: input.control_weight,
            treatment_weight: input.treatment_weight,
        };
        let made = experiments::create_experiment(ctx.app(), ctx.viewer(), new).await;
        let (row, user_errors) = split_refusal(made)?;
        Ok(Some(CreateExperimentPayload { experiment: row.map(|row| Experiment(Arc::new(row))), user_errors }))
    }

    /// Ends an experiment: no further unit is assigned. Conversions go on counting in the windows of those who were.
    /// Requires the scope `catalogue:write`.
    async fn end_experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The experiment to end.")] input: EndExperimentInput,
    ) -> Result<Option<EndExperimentPayload>> {
        let id = local_id::<Experiment>(&input.experiment_id)?;
        let (row, user_errors) = split_refusal(experiments::end_experiment(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(EndExperimentPayload { experiment: row.map(|row| Experiment(Arc::new(row))), user_errors }))
    }

    /// Returns the variant of a user or visitor in an experiment, and assigns one by the weights if they have none. The
    /// first assignment stays for ever. A user may ask for themselves; others need the scope `events:write`.
    async fn assign_variant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The experiment and the unit.")] input: AssignVariantInput,
    ) -> Result<Option<AssignVariantPayload>> {
        let assignee = match (input.user_id, input.anonymous_id) {
            (None, None) => Assignee::Caller,
            (Some(id), None) => Assignee::User(local_id::<User>(&id)?),
            (None, Some(id)) => Assignee::Visitor(text("anonymousId", id)?),
            (Some(_), Some(_)) => {
                return Err(Error::bad_input("Pass `userId` or `anonymousId`, but not both.").into());
            }
        };
        let code = text("code", input.code)?;
        let assigned = experiments::assign_variant(ctx.app(), ctx.viewer(), code, assignee).await;
        let (row, user_errors) = split_refusal(assigned)?;
        Ok(Some(AssignVariantPayload {
            variant: row.as_ref().map(|row| ExperimentVariant::read(&row.variant)).transpose()?,
            assigned_at: row.map(|row| row.assigned_at.into()),
            user_errors,
        }))
    }
}

/// A new experiment.
#[derive(InputObject)]
pub struct CreateExperimentInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// The name of the event that is a conversion: 1 to 64 bytes.
    conversion_event: String,
    /// Time from the assignment in which a conversion counts, in seconds: 1 to 31,622,400.
    window_seconds: i64,
    /// The number of units in both variants whose window must be over before anything is decided: 1 to 1,000,000,000.
    planned_unit_count: i64,
    /// The part of units that see the control, relative to the other weight: 1 to 1,000,000.
    #[graphql(default = 1)]
    control_weight: i64,
    /// The part of units that see the treatment, relative to the other weight: 1 to 1,000,000.
    #[graphql(default = 1)]
    treatment_weight: i64,
}

/// The created experiment.
#[derive(SimpleObject)]
pub struct CreateExperimentPayload {
    /// The experiment; null if there are user errors.
    experiment: Option<Experiment>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateExperimentUserError>,
}

user_error! {
    /// A rule that refused to create an experiment.
    CreateExperimentUserError with
    /// The rules that can refuse `createExperiment`.
    CreateExperimentErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another experiment has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// The name of the event is empty, too long, or has control characters or surrounding spaces.
        EventInvalid = "EVENT_INVALID",
        /// The window is out of range.
        WindowInvalid = "WINDOW_INVALID",
        /// The planned number of units is out of range.
        PlannedUnitsInvalid = "PLANNED_UNITS_INVALID",
        /// A weight is out of range.
        WeightInvalid = "WEIGHT_INVALID",
    }
}

/// An experiment to end.
#[derive(InputObject)]
pub struct EndExperimentInput {
    /// The experiment.
    experiment_id: ID,
}

/// The ended experiment.
#[derive(SimpleObject)]
pub struct EndExperimentPayload {
    /// The experiment; null if there are user errors.
    experiment: Option<Experiment>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<EndExperimentUserError>,
}

user_error! {
    /// A rule that refused to end an experiment.
    EndExperimentUserError with
    /// The rules that can refuse `endExperiment`.
    EndExperimentErrorCode {
        /// The experiment does not exist.
        NotFound = "NOT_FOUND",
        /// The experiment has ended.
        AlreadyEnded = "ALREADY_ENDED",
    }
}

/// A unit of an experiment: the caller, unless `userId` or `anonymousId` names another.
#[derive(InputObject)]
pub struct AssignVariantInput {
    /// The code of the experiment.
    code: String,
    /// The user.
    user_id: Option<ID>,
    /// The anonymous id of a visitor, from the host application: 1 to 255 bytes. A visitor who turned out to be a user is that user.
    anonymous_id: Option<String>,
}

/// The variant of a unit.
#[derive(SimpleObject)]
pub struct AssignVariantPayload {
    /// The variant; null if there are user errors.
    variant: Option<ExperimentVariant>,
    /// Time of the assignment; null if there are user errors.
    assigned_at: Option<Instant>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<AssignVariantUserError>,
}

user_error! {
    /// A rule that refused to assign a variant.
    AssignVariantUserError with
    /// The rules that can refuse `assignVariant`.
    AssignVariantErrorCode {
        /// The experiment does not exist.
        NotFound = "NOT_FOUND",
        /// The user does not exist.
        UserNotFound = "USER_NOT_FOUND",
        /// The anonymous id is empty or too long.
        AnonymousIdInvalid = "ANONYMOUS_ID_INVALID",
        /// The experiment has ended, and the unit had no variant before.
        ExperimentEnded = "EXPERIMENT_ENDED",
    }
}
