//! Payloads and user errors of the catalogue's mutations.

use super::parts::{CreditUnit, Feature};
use super::plan::{Plan, PlanVersion};
use crate::user_error;
use async_graphql::SimpleObject;

/// The created plan.
#[derive(SimpleObject)]
pub struct CreatePlanPayload {
    /// The plan; null if there are user errors.
    pub(crate) plan: Option<Plan>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<CreatePlanUserError>,
}

user_error! {
    /// A rule that refused to create a plan.
    CreatePlanUserError with
    /// The rules that can refuse `createPlan`.
    CreatePlanErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another plan has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
    }
}

/// The changed plan.
#[derive(SimpleObject)]
pub struct UpdatePlanPayload {
    /// The plan; null if there are user errors.
    pub(crate) plan: Option<Plan>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<UpdatePlanUserError>,
}

user_error! {
    /// A rule that refused to change a plan.
    UpdatePlanUserError with
    /// The rules that can refuse `updatePlan`.
    UpdatePlanErrorCode {
        /// The plan does not exist.
        NotFound = "NOT_FOUND",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
    }
}

/// The created feature.
#[derive(SimpleObject)]
pub struct CreateFeaturePayload {
    /// The feature; null if there are user errors.
    pub(crate) feature: Option<Feature>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<CreateFeatureUserError>,
}

user_error! {
    /// A rule that refused to create a feature.
    CreateFeatureUserError with
    /// The rules that can refuse `createFeature`.
    CreateFeatureErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another feature has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// The meter does not exist.
        MeterNotFound = "METER_NOT_FOUND",
        /// A feature of this kind counts on no meter.
        MeterInvalid = "METER_INVALID",
    }
}

/// The created credit unit.
#[derive(SimpleObject)]
pub struct CreateCreditUnitPayload {
    /// The credit unit; null if there are user errors.
    pub(crate) credit_unit: Option<CreditUnit>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<CreateCreditUnitUserError>,
}

user_error! {
    /// A rule that refused to create a credit unit.
    CreateCreditUnitUserError with
    /// The rules that can refuse `createCreditUnit`.
    CreateCreditUnitErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another credit unit has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There are fewer than 0 or more than 12 decimal places.
        DecimalsInvalid = "DECIMALS_INVALID",
    }
}

/// The created draft.
#[derive(SimpleObject)]
pub struct CreatePlanVersionPayload {
    /// The version; null if there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<CreatePlanVersionUserError>,
}

user_error! {
    /// A rule that refused to create a version.
    CreatePlanVersionUserError with
    /// The rules that can refuse `createPlanVersion`.
    CreatePlanVersionErrorCode {
        /// The plan does not exist.
        NotFound = "NOT_FOUND",
        /// A price is out of range or given twice.
        PriceInvalid = "PRICE_INVALID",
        /// A feature is unknown, out of range or given twice.
        FeatureInvalid = "FEATURE_INVALID",
        /// The days of access after a payment failed are out of range.
        GraceDaysInvalid = "GRACE_DAYS_INVALID",
        /// A credit allowance is unknown, out of range or given twice.
        AllowanceInvalid = "ALLOWANCE_INVALID",
    }
}

/// The changed draft.
#[derive(SimpleObject)]
pub struct UpdatePlanVersionPayload {
    /// The version; null if there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<UpdatePlanVersionUserError>,
}

user_error! {
    /// A rule that refused to change a version.
    UpdatePlanVersionUserError with
    /// The rules that can refuse `updatePlanVersion`.
    UpdatePlanVersionErrorCode {
        /// The version does not exist.
        NotFound = "NOT_FOUND",
        /// The version is not a draft: a published version never changes.
        AlreadyPublished = "ALREADY_PUBLISHED",
        /// A price is out of range or given twice.
        PriceInvalid = "PRICE_INVALID",
        /// A feature is unknown, out of range or given twice.
        FeatureInvalid = "FEATURE_INVALID",
        /// The days of access after a payment failed are out of range.
        GraceDaysInvalid = "GRACE_DAYS_INVALID",
        /// A credit allowance is unknown, out of range or given twice.
        AllowanceInvalid = "ALLOWANCE_INVALID",
    }
}

/// The published version.
#[derive(SimpleObject)]
pub struct PublishPlanVersionPayload {
    /// The version; null if there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// The rules that refused the request; empty on success.
    pub(crate) user_errors: Vec<PublishPlanVersionUserError>,
}

user_error! {
    /// A rule that refused to publish a version.
    PublishPlanVersionUserError with
    /// The rules that can refuse `publishPlanVersion`.
    PublishPlanVersionErrorCode {
        /// The version does not exist.
        NotFound = "NOT_FOUND",
        /// The version is not a draft.
        AlreadyPublished = "ALREADY_PUBLISHED",
        /// The version has no price.
        PriceMissing = "PRICE_MISSING",
    }
}
