//! The states that the movements of customers follow from.

use crate::analytics::movements::{Line, State, Worth};
use crate::db::in_list;
use crate::error::Result;
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, FixedOffset, Utc};
use entity::{subscription_arr_changes, subscription_versions, subscriptions};
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Version {
    id: Uuid,
    account_id: Uuid,
    subscription_id: Uuid,
    effective_at: DateTime<FixedOffset>,
    status: String,
    paused: bool,
    currency: Option<String>,
    arr_minor: Option<i64>,
    discounted_arr_minor: Option<i64>,
    inbox_event_id: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct ArrChange {
    subscription_version_id: Uuid,
    effective_at: DateTime<FixedOffset>,
    arr_minor: Option<i64>,
    discounted_arr_minor: Option<i64>,
}

type Changes = HashMap<Uuid, Vec<(DateTime<Utc>, Worth)>>;

/// Returns the subscriptions that belong, or belonged, to each of these customers.
pub(in crate::analytics) async fn lines(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<Line>>> {
    use subscription_versions::{Column, Entity};
    // unscoped: figures are over everybody
    let rows = Entity::find().filter(Column::SubscriptionId.in_subquery(ever_of(db, accounts)));
    let rows = rows.select_only().columns([
        Column::Id,
        Column::AccountId,
        Column::SubscriptionId,
        Column::EffectiveAt,
        Column::Status,
        Column::Paused,
        Column::Currency,
        Column::ArrMinor,
        Column::DiscountedArrMinor,
        Column::InboxEventId,
    ]);
    // The last one of an effective time counts.
    let rows = rows.order_by_asc(Column::SubscriptionId).order_by_asc(Column::EffectiveAt);
    let rows = rows.order_by_asc(Column::RecordedAt).order_by_asc(Column::Id);
    let versions = rows.into_model::<Version>().all(db).await?;
    let mut changes = changes(db, accounts).await?;
    let paid = first_paid(db, accounts).await?;
    let wanted: BTreeSet<Uuid> = accounts.iter().copied().collect();
    let mut found: BTreeMap<Uuid, Vec<Line>> = accounts.iter().map(|account| (*account, Vec::new())).collect();
    for of_subscription in versions.chunk_by(|one, other| one.subscription_id == other.subscription_id) {
        let subscription_id = of_subscription[0].subscription_id;
        let first_paid_at = paid.get(&subscription_id).copied();
        let owners: BTreeSet<Uuid> = of_subscription.iter().map(|version| version.account_id).collect();
        let taken: HashMap<Uuid, _> =
            of_subscription.iter().filter_map(|version| Some((version.id, changes.remove(&version.id)?))).collect();
        for owner in owners.intersection(&wanted) {
            let states = of_subscription.iter().map(|version| state(version, *owner, &taken));
            let states = states.collect::<Result<_>>()?;
            found.entry(*owner).or_default().push(Line { subscription_id, first_paid_at, states });
        }
    }
    Ok(found)
}

/// Selects the ids of the subscriptions that have a version of one of these accounts.
fn ever_of(db: &impl ConnectionTrait, accounts: &[Uuid]) -> SelectStatement {
    use subscription_versions::{Column, Entity};
    // unscoped: figures are over everybody
    let rows = Entity::find().select_only().column(Column::SubscriptionId).distinct();
    rows.filter(in_list(db, Expr::col((Entity, Column::AccountId)), accounts)).into_query()
}

async fn changes(db: &impl ConnectionTrait, accounts: &[Uuid]) -> Result<Changes> {
    use subscription_arr_changes::{Column, Entity};
    // unscoped: figures are over everybody
    let rows = Entity::find()
        .inner_join(subscription_versions::Entity)
        .filter(subscription_versions::Column::SubscriptionId.in_subquery(ever_of(db, accounts)))
        .select_only()
        .columns([Column::SubscriptionVersionId, Column::EffectiveAt, Column::ArrMinor, Column::DiscountedArrMinor])
        .order_by_asc(Column::EffectiveAt);
    let mut found: Changes = HashMap::new();
    for row in rows.into_model::<ArrChange>().all(db).await? {
        let worth = Worth { forever_only: row.arr_minor, all_active: row.discounted_arr_minor };
        found.entry(row.subscription_version_id).or_default().push((row.effective_at.to_utc(), worth));
    }
    Ok(found)
}

async fn first_paid(db: &impl ConnectionTrait, accounts: &[Uuid]) -> Result<HashMap<Uuid, DateTime<Utc>>> {
    use subscriptions::{Column, Entity};
    // unscoped: figures are over everybody
    let rows = Entity::find().filter(Column::Id.in_subquery(ever_of(db, accounts)));
    let rows = rows.filter(Column::FirstPaidAt.is_not_null()).select_only();
    let rows = rows.column(Column::Id).column(Column::FirstPaidAt).into_tuple::<(Uuid, DateTime<FixedOffset>)>();
    Ok(rows.all(db).await?.into_iter().map(|(id, at)| (id, at.to_utc())).collect())
}

fn state(version: &Version, owner: Uuid, changes: &Changes) -> Result<State> {
    Ok(State {
        version_id: version.id,
        inbox_event_id: version.inbox_event_id,
        effective_at: version.effective_at.to_utc(),
        is_own: version.account_id == owner,
        status: SubscriptionStatus::parse(&version.status)?,
        paused: version.paused,
        currency: version.currency.clone(),
        worth: Worth { forever_only: version.arr_minor, all_active: version.discounted_arr_minor },
        changes: changes.get(&version.id).cloned().unwrap_or_default(),
    })
}
