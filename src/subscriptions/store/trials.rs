//! Who has had a trial: no caller is involved.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use entity::{accounts, subscriptions, trial_claims};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Whether one of these hashes is known.
pub(in crate::subscriptions) async fn is_claimed(db: &impl ConnectionTrait, hashes: &[String]) -> Result<bool> {
    use trial_claims::{Column, Entity};
    // unscoped: nobody sees it
    let rows = Entity::find().filter(Column::IdentityHash.is_in(hashes));
    Ok(rows.one(db).await?.is_some())
}

/// Whether a subscription of an account that a user owns was ever tried.
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

/// Writes a hash down that is not known yet.
pub(in crate::subscriptions) async fn claim(
    txn: &Txn,
    (id, hash): (Uuid, String),
    subscription: &subscriptions::Model,
    at: DateTimeWithTimeZone,
) -> Result<()> {
    use trial_claims::{ActiveModel, Column, Entity};
    let row = ActiveModel {
        id: Set(id),
        identity_hash: Set(hash),
        provider: Set(subscription.provider.clone()),
        subscription_external_id: Set(subscription.external_id.clone()),
        claimed_at: Set(at),
    };
    let once = OnConflict::column(Column::IdentityHash).do_nothing().to_owned();
    Entity::insert(row).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}
