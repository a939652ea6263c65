//! The sums of movements, by day and by cohort.

use crate::analytics::derived::{self, Sums, in_cohort, in_daily};
use crate::analytics::range::Range;
use crate::analytics::values::DiscountPolicy;
use crate::auth::Scope;
use crate::db::{Txn, Visible, in_list, insert_all, update_all, whole_rows};
use crate::error::Result;
use chrono::NaiveDate;
use entity::{mrr_cohorts, mrr_daily, mrr_movements};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, Iterable,
    ModelTrait, PrimaryKeyToColumn, QueryFilter, Statement, Value,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Adds `changes` to the sums, by id.
pub(in crate::analytics) async fn apply<E>(txn: &Txn, changes: BTreeMap<Uuid, E::Model>) -> Result<()>
where
    E: Sums + Visible,
    E::Model: IntoActiveModel<E::ActiveModel> + Send + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let ids: Vec<Uuid> = changes.keys().copied().collect();
    let known = with_ids::<E>(txn, &ids).await?;
    let mut wanted = changes;
    for (id, row) in &known {
        if let Some(change) = wanted.get_mut(id) {
            derived::add::<E>(change, row.clone())?;
        }
    }
    write::<E>(txn, known, wanted).await
}

/// Makes the rows of `known` into those of `wanted`.
async fn write<E>(txn: &Txn, known: BTreeMap<Uuid, E::Model>, mut wanted: BTreeMap<Uuid, E::Model>) -> Result<()>
where
    E: Sums + Visible,
    E::Model: IntoActiveModel<E::ActiveModel> + Send + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    wanted.retain(|_, row| !derived::is_empty::<E>(row));
    let gone: Vec<Uuid> = known.keys().filter(|id| !wanted.contains_key(id)).copied().collect();
    if !gone.is_empty() {
        E::delete_many().filter(in_list(txn, id_column::<E>(), &gone)).exec(txn).await?;
    }
    let (changed, added): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(id, _)| known.contains_key(id));
    update_all::<E>(txn, whole_rows(changed.into_iter().map(|(_, row)| row).collect())).await?;
    insert_all::<E>(txn, whole_rows(added.into_iter().map(|(_, row)| row).collect())).await
}

async fn with_ids<E>(txn: &Txn, ids: &[Uuid]) -> Result<BTreeMap<Uuid, E::Model>>
where
    E: Sums + Visible,
{
    let rows = E::visible(Scope::Everything).filter(in_list(txn, id_column::<E>(), ids)).all(txn).await?;
    Ok(rows.into_iter().map(|row| (E::id(&row), row)).collect())
}

fn id_column<E: EntityTrait>() -> Expr {
    let id = E::PrimaryKey::iter().next().expect("every table has a primary key").into_column();
    Expr::col((E::default(), id))
}

/// Recurring revenue at the end of a day in one currency.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics) struct Standing {
    pub(in crate::analytics) currency: String,
    pub(in crate::analytics) arr_minor: i64,
    pub(in crate::analytics) customers: i64,
}

/// Returns the recurring revenue before `day`, by the stored movements.
pub(in crate::analytics) async fn before(
    db: &impl ConnectionTrait,
    policy: DiscountPolicy,
    day: NaiveDate,
) -> Result<Vec<Standing>> {
    let sql = "SELECT currency, CAST(SUM(new_minor + expansion_minor + reactivation_minor + contraction_minor + \
         churn_minor) AS BIGINT) AS arr_minor, CAST(SUM(new_count + reactivation_count - churn_count) AS BIGINT) \
         AS customers FROM mrr_daily WHERE discounts = $1 AND day < $2 GROUP BY currency";
    let values: [Value; 2] = [policy.into(), day.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(Standing::from_query_result(row, "")?)).collect()
}

/// Returns the sums of the stored movements in `range`.
pub(in crate::analytics) async fn daily(
    db: &impl ConnectionTrait,
    policy: DiscountPolicy,
    range: Range,
) -> Result<Vec<mrr_daily::Model>> {
    use mrr_daily::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Discounts.eq(policy));
    Ok(rows.filter(Column::Day.gte(range.from)).filter(Column::Day.lt(range.to)).all(db).await?)
}

/// Returns the sums of the stored movements of the cohorts that began in `range`.
pub(in crate::analytics) async fn cohorts(
    db: &impl ConnectionTrait,
    policy: DiscountPolicy,
    range: Range,
) -> Result<Vec<mrr_cohorts::Model>> {
    use mrr_cohorts::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Discounts.eq(policy));
    Ok(rows.filter(Column::CohortOn.gte(range.from)).filter(Column::CohortOn.lt(range.to)).all(db).await?)
}

/// Equal movements of a day and a cohort, as one row.
#[derive(FromQueryResult)]
struct Group {
    discounts: String,
    day: NaiveDate,
    currency: String,
    kind: String,
    cohort_on: NaiveDate,
    count: i64,
    arr_change_minor: i64,
}

/// Sums all movements anew, corrects the rows that differ, and returns their number.
pub(in crate::analytics) async fn sum_all(txn: &Txn) -> Result<usize> {
    let sql = "SELECT discounts, day, currency, kind, cohort_on, COUNT(*) AS count, \
         CAST(SUM(arr_after_minor - arr_before_minor) AS BIGINT) AS arr_change_minor \
         FROM mrr_movements GROUP BY 1, 2, 3, 4, 5";
    let rows = txn.query_all_raw(Statement::from_string(txn.get_database_backend(), sql)).await?;
    let groups = rows.iter().map(|row| Ok(Group::from_query_result(row, "")?)).collect::<Result<Vec<_>>>()?;
    let daily = groups.iter().map(|group| in_daily(&group.movement(), group.count, group.arr_change_minor));
    let cohorts = groups.iter().map(|group| in_cohort(&group.movement(), group.count, group.arr_change_minor));
    let (daily, cohorts) =
        (derived::collect::<mrr_daily::Entity>(daily)?, derived::collect::<mrr_cohorts::Entity>(cohorts)?);
    Ok(correct::<mrr_daily::Entity>(txn, daily).await? + correct::<mrr_cohorts::Entity>(txn, cohorts).await?)
}

async fn correct<E>(txn: &Txn, mut wanted: BTreeMap<Uuid, E::Model>) -> Result<usize>
where
    E: Sums + Visible,
    E::Model: IntoActiveModel<E::ActiveModel> + ModelTrait<Entity = E> + PartialEq + Send + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let rows = E::visible(Scope::Everything).all(txn).await?;
    let mut known: BTreeMap<Uuid, E::Model> = rows.into_iter().map(|row| (E::id(&row), row)).collect();
    known.retain(|id, row| match wanted.get(id) == Some(row) {
        true => wanted.remove(id).is_none(),
        false => true,
    });
    let differing = known.keys().chain(wanted.keys().filter(|id| !known.contains_key(id))).count();
    write::<E>(txn, known, wanted).await?;
    Ok(differing)
}

impl Group {
    /// Returns one of the movements, as far as the sums depend on it.
    fn movement(&self) -> mrr_movements::Model {
        mrr_movements::Model {
            id: Uuid::nil(),
            account_id: Uuid::nil(),
            currency: self.currency.clone(),
            discounts: self.discounts.clone(),
            day: self.day,
            kind: self.kind.clone(),
            cause: None,
            arr_before_minor: 0,
            arr_after_minor: 0,
            cohort_on: self.cohort_on,
            subscription_id: Uuid::nil(),
            subscription_version_id: Uuid::nil(),
            inbox_event_id: None,
        }
    }
}
