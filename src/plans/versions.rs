//! Versions of plans: drafted, changed while they are drafts, published once.

use super::parts::Parts;
use super::store::{has_price, lock_plan, lock_version, newest_version};
use super::values::VersionStatus;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::jobs::Job;
use crate::money::is_currency;
use entity::{credit_allowances, prices, product_features, product_versions};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

/// The largest amount of a price, in minor units; far from the range of 64 bits.
const LARGEST_AMOUNT: i64 = 1_000_000_000_000;

/// The most prices, features or allowances of one version.
const MOST_PARTS: usize = 100;

/// A price of a version.
#[derive(Debug, Clone, Serialize)]
pub struct PriceSpec {
    /// ISO 4217, upper case.
    pub currency: String,
    /// For one unit and one interval, in minor units.
    pub unit_amount_minor: i64,
    /// `day`, `week`, `month`, `year` or `one_time`.
    pub interval: &'static str,
    /// Every how many intervals it is due.
    pub interval_count: i64,
    /// How long it may be tried first, in days; `None` for not at all.
    pub trial_days: Option<i64>,
}

/// A feature that a version grants.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureSpec {
    /// The code of a known feature.
    pub feature: String,
    /// The value of a `config` feature.
    pub value: Option<String>,
    /// How much of it; `None` for without limit.
    pub limit: Option<i64>,
    /// The window that the limit counts in; `None` for a feature that is not counted.
    pub window: Option<&'static str>,
    /// How much of an unused limit is kept for the next window; `None` for nothing.
    pub rollover_cap: Option<i64>,
    /// What happens past the limit: `block`, `warn` or `overage`; `None` for `block`.
    pub on_exceed: Option<&'static str>,
}

/// Credits that a version grants.
#[derive(Debug, Clone, Serialize)]
pub struct AllowanceSpec {
    /// The code of a known credit unit.
    pub unit: String,
    /// How many, in the smallest step of the unit.
    pub amount: i64,
    /// How often: `once`, `billing`, `month` or `day`.
    pub cadence: &'static str,
    /// After how many days they are gone; `None` for never.
    pub expires_after_days: Option<i64>,
    /// How many unused ones are kept; `None` for all of them.
    pub rollover_cap: Option<i64>,
    /// Lower numbers are spent first.
    pub priority: i64,
}

/// What a version consists of.
#[derive(Debug, Clone, Serialize)]
pub struct VersionSpec {
    /// What it costs.
    pub prices: Vec<PriceSpec>,
    /// What it allows.
    pub features: Vec<FeatureSpec>,
    /// Which credits it brings.
    pub allowances: Vec<AllowanceSpec>,
}

/// Drafts the next version of a plan.
pub async fn create_version(
    app: &App,
    viewer: &Viewer,
    plan_id: Uuid,
    spec: VersionSpec,
) -> Result<product_versions::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    check(&spec)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                lock_plan(txn, plan_id).await?.ok_or(Error::refused(
                    "NOT_FOUND",
                    &["planId"],
                    "there is no such plan",
                ))?;
                let number = newest_version(txn, plan_id).await?.map_or(0, |version| version.number) + 1;
                let id = txn.new_id();
                let row = product_versions::ActiveModel {
                    id: Set(id),
                    product_id: Set(plan_id),
                    number: Set(number),
                    status: Set(VersionStatus::Draft.to_string()),
                    created_at: Set(txn.now().fixed_offset()),
                    published_at: Set(None),
                };
                let version = product_versions::Entity::insert(row).exec_with_returning(txn).await?;
                Parts::new(txn, id).insert(&spec).await?;
                let entry = AuditEntry::new("plan_versions.create", "PlanVersion", id);
                txn.audit(&actor, entry.after(json!(spec))).await?;
                Ok(version)
            })
        })
        .await
}

/// Puts other contents into a draft.
pub async fn update_version(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    spec: VersionSpec,
) -> Result<product_versions::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    check(&spec)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let version = draft(lock_version(txn, id).await?)?;
                prices::Entity::delete_many().filter(prices::Column::ProductVersionId.eq(id)).exec(txn).await?;
                let of_version = product_features::Column::ProductVersionId.eq(id);
                product_features::Entity::delete_many().filter(of_version).exec(txn).await?;
                let of_version = credit_allowances::Column::ProductVersionId.eq(id);
                credit_allowances::Entity::delete_many().filter(of_version).exec(txn).await?;
                Parts::new(txn, id).insert(&spec).await?;
                let entry = AuditEntry::new("plan_versions.update", "PlanVersion", id);
                txn.audit(&actor, entry.after(json!(spec))).await?;
                Ok(version)
            })
        })
        .await
}

/// Puts a draft on sale in place of the version before it, which its subscribers keep. The job of `follow` is enqueued
/// with it.
pub async fn publish_version<J: Job>(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    follow: impl FnOnce(&product_versions::Model) -> Option<J> + Send + 'static,
) -> Result<product_versions::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                use product_versions::{ActiveModel, Column, Entity};
                let plan_id = draft(lock_version(txn, id).await?)?.product_id;
                // One version of a plan after another, since each takes the place of the one before.
                lock_plan(txn, plan_id).await?;
                let version = draft(lock_version(txn, id).await?)?;
                if !has_price(txn, id).await? {
                    let message = "a version needs a price to be sold; a free one has the price 0";
                    return Err(Error::refused("PRICE_MISSING", &["planVersionId"], message));
                }
                let superseded =
                    ActiveModel { status: Set(VersionStatus::Superseded.to_string()), ..Default::default() };
                let before = Column::ProductId.eq(version.product_id).and(Column::Status.eq(VersionStatus::Published));
                Entity::update_many().set(superseded).filter(before).exec(txn).await?;
                let published = ActiveModel {
                    id: Set(id),
                    status: Set(VersionStatus::Published.to_string()),
                    published_at: Set(Some(txn.now().fixed_offset())),
                    ..Default::default()
                };
                let version = Entity::update(published).exec(txn).await?;
                if let Some(job) = follow(&version) {
                    txn.enqueue(&job).await?;
                }
                let entry = AuditEntry::new("plan_versions.publish", "PlanVersion", id);
                let after = json!({"number": version.number, "publishedAt": version.published_at});
                txn.audit(&actor, entry.after(after)).await?;
                Ok(version)
            })
        })
        .await
}

fn draft(found: Option<product_versions::Model>) -> Result<product_versions::Model> {
    let version = found.ok_or(Error::refused("NOT_FOUND", &["planVersionId"], "there is no such version"))?;
    if VersionStatus::parse(&version.status)? != VersionStatus::Draft {
        let message = "a published version never changes, since someone may have bought it; draft a new one";
        return Err(Error::refused("ALREADY_PUBLISHED", &["planVersionId"], message));
    }
    Ok(version)
}

/// Checks what can be checked without the database.
fn check(spec: &VersionSpec) -> Result<()> {
    let mut seen = HashSet::new();
    for price in &spec.prices {
        let refuse = |message| Err(Error::refused("PRICE_INVALID", &["prices"], message));
        if seen.len() == MOST_PARTS {
            return refuse("a version has at most 100 prices");
        }
        if !is_currency(&price.currency) {
            return refuse("a currency is an ISO 4217 code in upper case, such as USD");
        }
        if !(0..=LARGEST_AMOUNT).contains(&price.unit_amount_minor) {
            return refuse("an amount is 0 to 1,000,000,000,000 minor units");
        }
        if !(1..=365).contains(&price.interval_count) || price.trial_days.is_some_and(|days| !(1..=730).contains(&days))
        {
            return refuse("an interval count is 1 to 365, and a trial 1 to 730 days");
        }
        if !seen.insert((&price.currency, price.interval, price.interval_count)) {
            return refuse("there is one price for each currency and interval");
        }
    }
    let mut seen = HashSet::new();
    for feature in &spec.features {
        let refuse = |message| Err(Error::refused("FEATURE_INVALID", &["features"], message));
        if seen.len() == MOST_PARTS {
            return refuse("a version has at most 100 features");
        }
        if [feature.limit, feature.rollover_cap].into_iter().flatten().any(|number| number < 0) {
            return refuse("limits and caps are not negative; leave a limit out for unlimited");
        }
        if !seen.insert((&feature.feature, feature.window)) {
            return refuse("a feature stands once for each window");
        }
    }
    let mut seen = HashSet::new();
    for allowance in &spec.allowances {
        let refuse = |message| Err(Error::refused("ALLOWANCE_INVALID", &["creditAllowances"], message));
        if seen.len() == MOST_PARTS {
            return refuse("a version has at most 100 credit allowances");
        }
        let days = allowance.expires_after_days.is_some_and(|days| !(1..=36_500).contains(&days));
        if !(1..=LARGEST_AMOUNT).contains(&allowance.amount)
            || days
            || allowance.rollover_cap.is_some_and(|cap| cap < 0)
        {
            return refuse("an amount is 1 to 1,000,000,000,000 steps, an expiry 1 to 36,500 days, a cap not negative");
        }
        if !seen.insert((&allowance.unit, allowance.cadence)) {
            return refuse("a unit stands once for each cadence");
        }
    }
    Ok(())
}
