//! What can be bought, and what it grants.
//!
//! Invariants: a version that has been published never changes, because someone may have bought it; of each plan at
//! most one version is on sale; codes are unique and never change.

mod define;
mod parts;
mod project;
mod store;
mod values;
mod versions;

pub use define::{
    NewCreditUnit, NewFeature, NewPlan, PlanChange, create_credit_unit, create_feature, create_plan, update_plan,
};
pub use project::{KnownPrice, ObservedPrice, ObservedProduct, known_credit_unit, known_prices, project_price};
pub use store::{
    Allowances, Features, PlanOfVersion, Plans, Prices, ProviderPrices, ProviderPricesOf, Sold, SoldThere, Versions,
    credit_unit, credits_of_pack, on_sale, products_there, sold, sold_as, version_by_id, versions_of_plans,
};
pub use values::{AllowanceCadence, FeatureKind, LimitWindow, OnExceed, PriceInterval, ProductKind, VersionStatus};
pub use versions::{
    AllowanceSpec, FeatureSpec, PriceSpec, VersionSpec, create_version, publish_version, update_version,
};

use crate::error::{Error, Result};

/// A code is a stable name for machines: lower case letters, digits, `-`, `_` and `.`, starting with a letter.
fn checked_code(code: &str, field: &'static [&'static str]) -> Result<String> {
    let valid = code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_lowercase())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
    if valid {
        return Ok(code.to_owned());
    }
    let message = "a code is up to 64 lower case letters, digits, '-', '_' and '.', and starts with a letter";
    Err(Error::refused("CODE_INVALID", field, message))
}

/// A name for people: 1 to 200 characters.
fn checked_name(name: &str, field: &'static [&'static str]) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains('\0') {
        return Err(Error::refused("NAME_INVALID", field, "a name has 1 to 200 characters"));
    }
    Ok(name.to_owned())
}
