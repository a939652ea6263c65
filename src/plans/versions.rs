//! Versions of plans: drafted, changed as drafts, and published once.

use super::parts::Parts;
use super::spec::VersionSpec;
use super::store::{has_price, lock_plan, lock_version, newest_version, version_by_id};
use super::values::VersionStatus;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::jobs::Job;
use entity::{credit_allowances, prices, product_features, product_versions};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// Creates the next version of a plan as a draft.
pub async fn create_version(
    app: &App,
    viewer: &Viewer,
    plan_id: Uuid,
    spec: VersionSpec,
) -> Result<product_versions::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    spec.check()?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                lock_plan(txn, plan_id).await?.ok_or(Error::refused("NOT_FOUND", &["planId"], "Plan not found."))?;
                let number = newest_version(txn, plan_id).await?.map_or(0, |version| version.number) + 1;
                let id = txn.new_id();
                let row = product_versions::ActiveModel {
                    id: Set(id),
                    product_id: Set(plan_id),
                    number: Set(number),
                    status: Set(VersionStatus::Draft.to_string()),
                    created_at: Set(txn.now().fixed_offset()),
                    published_at: Set(None),
                    past_due_grace_days: Set(spec.access.past_due_grace_days),
                    access_while_paused: Set(spec.access.while_paused),
                    access_in_trial: Set(spec.access.in_trial),
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

/// Replaces the contents of a draft.
pub async fn update_version(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    spec: VersionSpec,
) -> Result<product_versions::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    spec.check()?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                check_draft(lock_version(txn, id).await?)?;
                let access = product_versions::ActiveModel {
                    id: Set(id),
                    past_due_grace_days: Set(spec.access.past_due_grace_days),
                    access_while_paused: Set(spec.access.while_paused),
                    access_in_trial: Set(spec.access.in_trial),
                    ..Default::default()
                };
                let version = product_versions::Entity::update(access).exec(txn).await?;
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

/// Publishes a draft in place of the version on sale, which its subscribers keep, and enqueues the job that `follow`
/// returns.
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
                let plan_id = check_draft(version_by_id(txn, id).await?)?.product_id;
                // The lock on the plan publishes its versions one after the other, since each replaces the one before.
                lock_plan(txn, plan_id).await?;
                let version = check_draft(lock_version(txn, id).await?)?;
                if !has_price(txn, id).await? {
                    let message = "A version needs a price to be published: give a free one the price 0.";
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

fn check_draft(found: Option<product_versions::Model>) -> Result<product_versions::Model> {
    let version = found.ok_or(Error::refused("NOT_FOUND", &["planVersionId"], "Plan version not found."))?;
    if VersionStatus::parse(&version.status)? != VersionStatus::Draft {
        let message = "A published version never changes, since somebody may have bought it: create a new one.";
        return Err(Error::refused("ALREADY_PUBLISHED", &["planVersionId"], message));
    }
    Ok(version)
}
