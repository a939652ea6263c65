//! The rows that follow from movements. Their ids follow from their keys, so that a row that is made again is the same.

use super::movements::Movement;
use super::values::{MovementKind, month_of};
use crate::error::{Error, Result};
use crate::money;
use entity::{mrr_cohorts, mrr_daily, mrr_movements};
use sea_orm::EntityTrait;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::{Builder, Uuid};

/// Returns the id of the row of `table` with this key.
pub(super) fn row_id(table: &str, key: &[&str]) -> Uuid {
    let digest = Sha256::digest(format!("{table}\n{}", key.join("\n")));
    let bytes = digest[..16].try_into().expect("sixteen bytes of a longer digest");
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Returns the row of a customer's movement.
pub(super) fn movement_row(account_id: Uuid, movement: Movement) -> mrr_movements::Model {
    let Movement { currency, discounts, day, kind, cause, cohort_on, subscription_id, inbox_event_id, .. } = movement;
    let key = [&account_id.to_string(), &*currency, discounts.as_str(), &day.to_string()];
    mrr_movements::Model {
        id: row_id("mrr_movements", &key),
        account_id,
        currency,
        discounts: discounts.to_string(),
        day,
        kind: kind.to_string(),
        cause: cause.map(|cause| cause.to_string()),
        arr_before_minor: movement.arr_before_minor,
        arr_after_minor: movement.arr_after_minor,
        cohort_on,
        subscription_id,
        subscription_version_id: movement.version_id,
        inbox_event_id,
    }
}

/// A table of sums. Rows of sums that are all zero do not exist.
pub(super) trait Sums: EntityTrait<Model: Clone> {
    /// Returns the id, which follows from the key.
    fn id(row: &Self::Model) -> Uuid;
    /// Returns the sums.
    fn sums(row: &mut Self::Model) -> Vec<&mut i64>;
}

/// Adds the sums of `other`, which has the same key.
pub(super) fn add<E: Sums>(row: &mut E::Model, mut other: E::Model) -> Result<()> {
    for (sum, more) in E::sums(row).into_iter().zip(E::sums(&mut other)) {
        *sum = money::add(*sum, *more)?;
    }
    Ok(())
}

/// Returns whether all sums are zero.
pub(super) fn is_empty<E: Sums>(row: &mut E::Model) -> bool {
    E::sums(row).into_iter().all(|sum| *sum == 0)
}

/// Sums rows with one key.
pub(super) fn collect<E: Sums>(rows: impl IntoIterator<Item = Result<E::Model>>) -> Result<BTreeMap<Uuid, E::Model>> {
    let mut found: BTreeMap<Uuid, E::Model> = BTreeMap::new();
    for row in rows {
        let row = row?;
        match found.get_mut(&E::id(&row)) {
            Some(known) => add::<E>(known, row)?,
            None => {
                found.insert(E::id(&row), row);
            }
        }
    }
    found.retain(|_, row| !is_empty::<E>(row));
    Ok(found)
}

impl Sums for mrr_daily::Entity {
    fn id(row: &mrr_daily::Model) -> Uuid {
        row.id
    }

    fn sums(row: &mut mrr_daily::Model) -> Vec<&mut i64> {
        vec![
            &mut row.new_minor,
            &mut row.expansion_minor,
            &mut row.reactivation_minor,
            &mut row.contraction_minor,
            &mut row.churn_minor,
            &mut row.new_count,
            &mut row.expansion_count,
            &mut row.reactivation_count,
            &mut row.contraction_count,
            &mut row.churn_count,
        ]
    }
}

impl Sums for mrr_cohorts::Entity {
    fn id(row: &mrr_cohorts::Model) -> Uuid {
        row.id
    }

    fn sums(row: &mut mrr_cohorts::Model) -> Vec<&mut i64> {
        vec![&mut row.started_count, &mut row.started_minor, &mut row.customer_change, &mut row.arr_change_minor]
    }
}

/// Returns an empty row of a day's sums.
pub(super) fn daily_row(movement: &mrr_movements::Model) -> mrr_daily::Model {
    let mrr_movements::Model { day, currency, discounts, .. } = movement;
    mrr_daily::Model {
        id: row_id("mrr_daily", &[discounts, &day.to_string(), currency]),
        day: *day,
        currency: currency.clone(),
        discounts: discounts.clone(),
        new_minor: 0,
        expansion_minor: 0,
        reactivation_minor: 0,
        contraction_minor: 0,
        churn_minor: 0,
        new_count: 0,
        expansion_count: 0,
        reactivation_count: 0,
        contraction_count: 0,
        churn_count: 0,
    }
}

/// Returns the share of `count` movements in the sums of their day: of one that is added, or with −1 of one that is
/// removed. `arr_change_minor` is that of all of them.
pub(super) fn in_daily(movement: &mrr_movements::Model, count: i64, arr_change_minor: i64) -> Result<mrr_daily::Model> {
    let mut row = daily_row(movement);
    let (sum, number) = match MovementKind::parse(&movement.kind)? {
        MovementKind::New => (&mut row.new_minor, &mut row.new_count),
        MovementKind::Expansion => (&mut row.expansion_minor, &mut row.expansion_count),
        MovementKind::Reactivation => (&mut row.reactivation_minor, &mut row.reactivation_count),
        MovementKind::Contraction => (&mut row.contraction_minor, &mut row.contraction_count),
        MovementKind::Churn => (&mut row.churn_minor, &mut row.churn_count),
    };
    (*sum, *number) = (arr_change_minor, count);
    Ok(row)
}

/// Like [`in_daily`], for the sums of the customer's cohort.
pub(super) fn in_cohort(
    movement: &mrr_movements::Model,
    count: i64,
    arr_change_minor: i64,
) -> Result<mrr_cohorts::Model> {
    let mrr_movements::Model { day, currency, discounts, cohort_on, .. } = movement;
    let month_on = month_of(*day);
    let mut row = mrr_cohorts::Model {
        id: row_id("mrr_cohorts", &[discounts, &cohort_on.to_string(), &month_on.to_string(), currency]),
        cohort_on: *cohort_on,
        month_on,
        currency: currency.clone(),
        discounts: discounts.clone(),
        started_count: 0,
        started_minor: 0,
        customer_change: 0,
        arr_change_minor,
    };
    match MovementKind::parse(&movement.kind)? {
        MovementKind::New => {
            (row.started_count, row.started_minor) = (count, arr_change_minor);
            row.customer_change = count;
        }
        MovementKind::Reactivation => row.customer_change = count,
        MovementKind::Churn => row.customer_change = -count,
        MovementKind::Expansion | MovementKind::Contraction => {}
    }
    Ok(row)
}

/// Returns the change of annual revenue that a movement is.
pub(super) fn arr_change(movement: &mrr_movements::Model) -> Result<i64> {
    let change = movement.arr_after_minor.checked_sub(movement.arr_before_minor);
    change.ok_or_else(|| Error::internal(anyhow::anyhow!("A movement exceeds 64 bits.")))
}
