//! Plans, and the features and credit units that their versions speak of.

use super::store::lock_plan;
use super::{checked_code, checked_name};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::is_duplicate;
use crate::error::{Error, Result};
use crate::jobs::Job;
use entity::{credit_units, features, products};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// What a new plan is to be.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// The stable name for machines.
    pub code: String,
    /// `plan`, `addon`, `credit_pack` or `gift`.
    pub kind: &'static str,
    /// The name for people.
    pub name: String,
    /// What it is, for people; `None` for nothing to say.
    pub description: Option<String>,
    /// Where it stands among the plans: of several, the highest rank wins.
    pub rank: i64,
}

/// Makes a plan without versions, which therefore nobody sees or buys yet.
pub async fn create_plan(app: &App, viewer: &Viewer, new: NewPlan) -> Result<products::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = checked_code(&new.code, &["code"])?;
    let name = checked_name(&new.name, &["name"])?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                let row = products::ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    kind: Set(new.kind.to_owned()),
                    rank: Set(new.rank),
                    name: Set(name),
                    description: Set(new.description),
                    active: Set(true),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                let plan = products::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let entry = AuditEntry::new("plans.create", "Plan", plan.id).after(summary(&plan));
                txn.audit(&actor, entry).await?;
                Ok(plan)
            })
        })
        .await
}

/// What is to change of a plan; `None` leaves a thing as it is.
#[derive(Debug, Clone, Default)]
pub struct PlanChange {
    /// The name for people.
    pub name: Option<String>,
    /// What it is, for people; the inner `None` takes it away.
    pub description: Option<Option<String>>,
    /// Where it stands among the plans.
    pub rank: Option<i64>,
    /// Whether it is sold; who has it keeps it.
    pub active: Option<bool>,
}

/// Changes what may change of a plan: how it is shown and whether it is sold. The job of `follow` is enqueued with it.
pub async fn update_plan<J: Job>(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    change: PlanChange,
    follow: impl FnOnce(&products::Model) -> Option<J> + Send + 'static,
) -> Result<products::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let name = change.name.map(|name| checked_name(&name, &["name"])).transpose()?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = lock_plan(txn, id).await?;
                let before = found.ok_or(Error::refused("NOT_FOUND", &["planId"], "there is no such plan"))?;
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

/// Something that versions of plans can grant.
#[derive(Debug, Clone)]
pub struct NewFeature {
    /// The stable name for machines.
    pub code: String,
    /// `switch`, `limit`, `config` or `credit`.
    pub kind: &'static str,
    /// The name for people.
    pub name: String,
    /// What a limit counts, e.g. `messages`; `None` for features that count nothing.
    pub unit: Option<String>,
}

/// Makes a feature known.
pub async fn create_feature(app: &App, viewer: &Viewer, new: NewFeature) -> Result<features::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = checked_code(&new.code, &["code"])?;
    let name = checked_name(&new.name, &["name"])?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let row = features::ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    kind: Set(new.kind.to_owned()),
                    name: Set(name),
                    unit: Set(new.unit),
                    created_at: Set(txn.now().fixed_offset()),
                };
                let feature = features::Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let after = json!({"code": feature.code, "kind": feature.kind, "name": feature.name});
                let entry = AuditEntry::new("features.create", "Feature", feature.id).after(after);
                txn.audit(&actor, entry).await?;
                Ok(feature)
            })
        })
        .await
}

/// Something that credits are counted in.
#[derive(Debug, Clone)]
pub struct NewCreditUnit {
    /// The stable name for machines.
    pub code: String,
    /// The name for people.
    pub name: String,
    /// How many decimal places people see: amounts count the smallest step.
    pub decimals: i16,
}

/// Makes a credit unit known.
pub async fn create_credit_unit(app: &App, viewer: &Viewer, new: NewCreditUnit) -> Result<credit_units::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    if !(0..=12).contains(&new.decimals) {
        return Err(Error::refused("DECIMALS_INVALID", &["decimals"], "a unit has 0 to 12 decimal places"));
    }
    let code = checked_code(&new.code, &["code"])?;
    let name = checked_name(&new.name, &["name"])?;
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

fn code_taken(error: DbErr) -> Error {
    if is_duplicate(&error) {
        return Error::refused("CODE_TAKEN", &["code"], "this code is taken; codes are unique and never change");
    }
    error.into()
}
