//! Queries on trials: no caller is involved.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use entity::{accounts, subscriptions, trial_claims};
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Returns whether one of these hashes has claimed a trial.
pub(in crate::subscriptions) async fn is_claimed(db: &impl ConnectionTrait, hashes: &[String]) -> Result<bool> {
    use trial_claims::{Column, Entity};
    // unscoped: is shown to nobody
    let rows = Entity::find().filter(Column::IdentityHash.is_in(hashes));
    Ok(rows.one(db).await?.is_some())
}

/// Returns whether a subscription of an account that a user owns ever had a trial.
pub(in crate::subscriptions) async fn tried_by(db: &impl ConnectionTrait, owner_id: Uuid) -> Result<bool> {
    use subscriptions::{Column, Entity};
    let owned = Query::select()
        .column(accounts::Column::Id)
        .from(accounts::Entity)
        .and_where(accounts::Column::OwnerId.eq(owner_id))
        .take();
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.in_subquery(owned));
    Ok(rows.filter(Column::TrialStart.is_not_null()).one(db).await?.is_some())
}

/// Inserts a hash unless it is known already.
pub(in crate::subscriptions) async fn claim(
    txn: &Txn,
    hash: String,
    subscription: &subscriptions::Model,
) -> Result<()> {
    use trial_claims::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        id: Set(txn.new_id()),
        identity_hash: Set(hash),
        provider: Set(subscription.provider.clone()),
        subscription_external_id: Set(subscription.external_id.clone()),
        claimed_at: Set(txn.now().fixed_offset()),
    };
    let once = OnConflict::column(Column::IdentityHash).do_nothing().to_owned();
    Entity::insert(row).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}
