//! Plans, and the features and credit units that their versions refer to.

use super::names::{check_code, check_name, code_taken};
use super::store::lock_plan;
use super::values::{FeatureKind, ProductKind};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::jobs::Job;
use entity::{credit_units, features, meters, products};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// A plan to be created.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// The stable code.
    pub code: String,
    /// The kind of product.
    pub kind: ProductKind,
    /// A name for people to read.
    pub name: String,
    /// A description for people to read.
    pub description: Option<String>,
    /// Its rank among the plans: of several subscriptions the highest rank decides.
    pub rank: i64,
}

/// Creates a plan without versions, which therefore nobody sees or buys yet.
pub async fn create_plan(app: &App, viewer: &Viewer, new: NewPlan) -> Result<products::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = check_code(&new.code, &["code"])?;
    let name = check_name(&new.name, &["name"])?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                #[allow(clippy::needless_update, reason = "a new column is null until an input sets it")]
                let row = products::ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    kind: Set(new.kind.to_string()),
                    rank: Set(new.rank),
                    name: Set(name),
                    description: Set(new.description),
                    active: Set(true),
                    created_at: Set(now),
                    updated_at: Set(now),
                    ..Default::default()
                };
                let plan = products::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let entry = AuditEntry::new("plans.create", "Plan", plan.id).after(summary(&plan));
                txn.audit(&actor, entry).await?;
                Ok(plan)
            })
        })
        .await
}

/// A change of a plan; `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub struct PlanChange {
    /// A name for people to read.
    pub name: Option<String>,
    /// A description for people to read; the inner `None` removes it.
    pub description: Option<Option<String>>,
    /// Its rank among the plans.
    pub rank: Option<i64>,
    /// True to put it on sale, false to end its sale; subscribers keep it in either case.
    pub active: Option<bool>,
}

/// Changes how a plan is shown and whether it is sold, and enqueues the job that `follow` returns.
pub async fn update_plan<J: Job>(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    change: PlanChange,
    follow: impl FnOnce(&products::Model) -> Option<J> + Send + 'static,
) -> Result<products::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let name = change.name.map(|name| check_name(&name, &["name"])).transpose()?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = lock_plan(txn, id).await?;
                let before = found.ok_or(Error::refused("NOT_FOUND", &["planId"], "Plan not found."))?;
                let row = products::ActiveModel {
                    id: Set(id),
                    name: Set(name.unwrap_or_else(|| before.name.clone())),
                    description: Set(change.description.unwrap_or_else(|| before.description.clone())),
                    rank: Set(change.rank.unwrap_or(before.rank)),
                    active: Set(change.active.unwrap_or(before.active)),
                    updated_at: Set(txn.now().fixed_offset()),
                    ..Default::default()
                };
                let plan = products::Entity::update(row).exec(txn).await?;
                if let Some(job) = follow(&plan) {
                    txn.enqueue(&job).await?;
                }
                let entry = AuditEntry::new("plans.update", "Plan", id);
                txn.audit(&actor, entry.before(summary(&before)).after(summary(&plan))).await?;
                Ok(plan)
            })
        })
        .await
}

fn summary(plan: &products::Model) -> serde_json::Value {
    json!({
        "code": plan.code, "kind": plan.kind, "name": plan.name, "description": plan.description,
        "rank": plan.rank, "active": plan.active,
    })
}

/// A feature to be created, for versions of plans to grant.
#[derive(Debug, Clone)]
pub struct NewFeature {
    /// The stable code.
    pub code: String,
    /// Its kind.
    pub kind: FeatureKind,
    /// A name for people to read.
    pub name: String,
    /// The unit of a limit, such as `messages`; `None` for features that count nothing.
    pub unit: Option<String>,
}

impl NewFeature {
    /// Checks the code and the name.
    pub fn check(self) -> Result<NewFeature> {
        let code = check_code(&self.code, &["code"])?;
        let name = check_name(&self.name, &["name"])?;
        Ok(NewFeature { code, name, ..self })
    }
}

/// Inserts a checked feature, whose limits count on `meter`.
pub async fn insert_feature(
    txn: &Txn,
    actor: &str,
    new: NewFeature,
    meter: Option<&meters::Model>,
) -> Result<features::Model> {
    let row = features::ActiveModel {
        id: Set(txn.new_id()),
        code: Set(new.code),
        kind: Set(new.kind.to_string()),
        name: Set(new.name),
        unit: Set(new.unit),
        created_at: Set(txn.now().fixed_offset()),
        meter_id: Set(meter.map(|meter| meter.id)),
    };
    let feature = features::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
    let meter = meter.map(|meter| &meter.code);
    let after = json!({"code": feature.code, "kind": feature.kind, "name": feature.name, "meter": meter});
    txn.audit(actor, AuditEntry::new("features.create", "Feature", feature.id).after(after)).await?;
    Ok(feature)
}

/// A credit unit to be created.
#[derive(Debug, Clone)]
pub struct NewCreditUnit {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// Decimal places shown to people: amounts count the smallest step.
    pub decimals: i16,
}

/// Creates a credit unit.
pub async fn create_credit_unit(app: &App, viewer: &Viewer, new: NewCreditUnit) -> Result<credit_units::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    if !(0..=12).contains(&new.decimals) {
        return Err(Error::refused("DECIMALS_INVALID", &["decimals"], "`decimals` must be 0 to 12."));
    }
    let code = check_code(&new.code, &["code"])?;
    let name = check_name(&new.name, &["name"])?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let row = credit_units::ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    name: Set(name),
                    decimals: Set(new.decimals),
                    created_at: Set(txn.now().fixed_offset()),
                };
                let unit = credit_units::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let after = json!({"code": unit.code, "name": unit.name, "decimals": unit.decimals});
                let entry = AuditEntry::new("credit_units.create", "CreditUnit", unit.id).after(after);
                txn.audit(&actor, entry).await?;
                Ok(unit)
            })
        })
        .await
}
