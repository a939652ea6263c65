//! What the mutations of the catalogue answer.

use super::parts::{CreditUnit, Feature};
use super::plan::{Plan, PlanVersion};
use crate::user_error;
use async_graphql::SimpleObject;

/// The plan that was made.
#[derive(SimpleObject)]
pub struct CreatePlanPayload {
    /// The plan; null where there are user errors.
    pub(crate) plan: Option<Plan>,
    /// Why it was not made; empty where it was.
    pub(crate) user_errors: Vec<CreatePlanUserError>,
}

user_error! {
    /// Why a plan was not made.
    CreatePlanUserError with
    /// The rules that can refuse `createPlan`.
    CreatePlanErrorCode {
        /// The code is not of the form that codes have.
        CodeInvalid = "CODE_INVALID",
        /// Another plan has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
    }
}

/// The plan after the change.
#[derive(SimpleObject)]
pub struct UpdatePlanPayload {
    /// The plan; null where there are user errors.
    pub(crate) plan: Option<Plan>,
    /// Why it was not changed; empty where it was.
    pub(crate) user_errors: Vec<UpdatePlanUserError>,
}

user_error! {
    /// Why a plan was not changed.
    UpdatePlanUserError with
    /// The rules that can refuse `updatePlan`.
    UpdatePlanErrorCode {
        /// There is no such plan.
        NotFound = "NOT_FOUND",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
    }
}

/// The feature that was made.
#[derive(SimpleObject)]
pub struct CreateFeaturePayload {
    /// The feature; null where there are user errors.
    pub(crate) feature: Option<Feature>,
    /// Why it was not made; empty where it was.
    pub(crate) user_errors: Vec<CreateFeatureUserError>,
}

user_error! {
    /// Why a feature was not made.
    CreateFeatureUserError with
    /// The rules that can refuse `createFeature`.
    CreateFeatureErrorCode {
        /// The code is not of the form that codes have.
        CodeInvalid = "CODE_INVALID",
        /// Another feature has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
    }
}

/// The credit unit that was made.
#[derive(SimpleObject)]
pub struct CreateCreditUnitPayload {
    /// The credit unit; null where there are user errors.
    pub(crate) credit_unit: Option<CreditUnit>,
    /// Why it was not made; empty where it was.
    pub(crate) user_errors: Vec<CreateCreditUnitUserError>,
}

user_error! {
    /// Why a credit unit was not made.
    CreateCreditUnitUserError with
    /// The rules that can refuse `createCreditUnit`.
    CreateCreditUnitErrorCode {
        /// The code is not of the form that codes have.
        CodeInvalid = "CODE_INVALID",
        /// Another credit unit has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There are fewer than 0 or more than 12 decimal places.
        DecimalsInvalid = "DECIMALS_INVALID",
    }
}

/// The draft that was made.
#[derive(SimpleObject)]
pub struct CreatePlanVersionPayload {
    /// The version; null where there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// Why it was not made; empty where it was.
    pub(crate) user_errors: Vec<CreatePlanVersionUserError>,
}

user_error! {
    /// Why a version was not made.
    CreatePlanVersionUserError with
    /// The rules that can refuse `createPlanVersion`.
    CreatePlanVersionErrorCode {
        /// There is no such plan.
        NotFound = "NOT_FOUND",
        /// A price is out of range, or stands twice.
        PriceInvalid = "PRICE_INVALID",
        /// A feature is unknown, out of range, or stands twice.
        FeatureInvalid = "FEATURE_INVALID",
        /// A credit allowance is unknown, out of range, or stands twice.
        AllowanceInvalid = "ALLOWANCE_INVALID",
    }
}

/// The draft after the change.
#[derive(SimpleObject)]
pub struct UpdatePlanVersionPayload {
    /// The version; null where there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// Why it was not changed; empty where it was.
    pub(crate) user_errors: Vec<UpdatePlanVersionUserError>,
}

user_error! {
    /// Why a version was not changed.
    UpdatePlanVersionUserError with
    /// The rules that can refuse `updatePlanVersion`.
    UpdatePlanVersionErrorCode {
        /// There is no such version.
        NotFound = "NOT_FOUND",
        /// The version is no draft: a published version never changes.
        AlreadyPublished = "ALREADY_PUBLISHED",
        /// A price is out of range, or stands twice.
        PriceInvalid = "PRICE_INVALID",
        /// A feature is unknown, out of range, or stands twice.
        FeatureInvalid = "FEATURE_INVALID",
        /// A credit allowance is unknown, out of range, or stands twice.
        AllowanceInvalid = "ALLOWANCE_INVALID",
    }
}

/// The version that went on sale.
#[derive(SimpleObject)]
pub struct PublishPlanVersionPayload {
    /// The version; null where there are user errors.
    pub(crate) plan_version: Option<PlanVersion>,
    /// Why it was not published; empty where it was.
    pub(crate) user_errors: Vec<PublishPlanVersionUserError>,
}

user_error! {
    /// Why a version was not published.
    PublishPlanVersionUserError with
    /// The rules that can refuse `publishPlanVersion`.
    PublishPlanVersionErrorCode {
        /// There is no such version.
        NotFound = "NOT_FOUND",
        /// The version is no draft.
        AlreadyPublished = "ALREADY_PUBLISHED",
        /// The version has no price.
        PriceMissing = "PRICE_MISSING",
    }
}
