//! The catalogue: products to buy, their versions, and what these grant.
//!
//! Invariants: a published version never changes, because somebody may have bought it; at most one version of each plan
//! is on sale; codes are unique and never change.

mod define;
mod names;
mod observed;
mod parts;
mod project;
mod spec;
mod store;
mod values;
mod versions;

pub use define::{
    NewCreditUnit, NewFeature, NewPlan, PlanChange, create_credit_unit, create_plan, insert_feature, update_plan,
};
pub use names::{check_code, check_name, code_taken};
pub use observed::{KnownPrice, ObservedPrice, ObservedProduct};
pub use project::{known_credit_unit, known_prices, project_price};
pub use spec::{AccessSpec, AllowanceSpec, FeatureSpec, OverageSpec, PriceSpec, VersionSpec};
pub(crate) use store::mirror::price;
pub use store::{
    Allowances, Features, PlanOfVersion, Plans, Prices, ProviderPrices, ProviderPricesOf, Sold, SoldThere, Versions,
    credit_unit, credits_of_pack, on_sale, products_there, sold, sold_as, unit_ids, version_by_id, versions_of_plans,
};
pub use values::{
    AllowanceCadence, FeatureKind, LimitWindow, OnExceed, OnPlanChange, PriceInterval, ProductKind, VersionStatus,
};
pub use versions::{create_version, publish_version, update_version};
