//! Sums in SQL that both engines read alike, and the tables that hold them.

pub(super) mod cash;
mod cash_facts;
pub(super) mod consents;
pub(super) mod facts;
pub(super) mod marks;
pub(super) mod movements;
pub(super) mod people;
pub(super) mod recurring;
pub(super) mod retention;
pub(super) mod totals;
pub(super) mod trials;
pub(super) mod weekly;

use crate::auth::{Permission, Scope};
use crate::db::{Txn, Visible, in_list, insert_all, unrestricted_only, whole_rows};
use crate::error::Result;
use chrono::NaiveDate;
use sea_orm::sea_query::Expr;
use sea_orm::{DbBackend, EntityTrait, IntoActiveModel, QueryFilter, Select, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Makes tables visible to callers who may read the figures, and to nobody else.
macro_rules! visible_to_analysts {
    ($($table:ident),* $(,)?) => {$(
        impl Visible for entity::$table::Entity {
            const GUARD: Option<Permission> = Some(Permission::AnalyticsRead);
            const OPEN_TO: &'static [Permission] = &[Permission::AnalyticsRead];

            fn visible(scope: Scope) -> Select<Self> {
                Self::find().filter(unrestricted_only(scope))
            }
        }
    )*};
}

visible_to_analysts!(
    active_users_daily,
    analytics_events,
    consent_decisions,
    email_campaigns,
    error_events,
    error_groups,
    engagement_scores,
    experiment_assignments,
    experiments,
    feature_daily,
    funnels,
    identity_aliases,
    mrr_cohorts,
    mrr_daily,
    mrr_movements,
    partner_daily,
    revenue_daily,
    session_daily,
    visitor_days,
    visitor_sessions,
);

/// Returns the selection of the days of the JSON list `$1`, which [`day_list`] makes.
pub(super) fn listed_days(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT CAST(value AS date) AS day FROM jsonb_array_elements_text($1::jsonb) AS d(value)"
        }
        _ => "SELECT value AS day FROM json_each($1)",
    }
}

/// Returns days as the parameter of a statement with [`listed_days`].
pub(super) fn day_list<'d>(days: impl IntoIterator<Item = &'d NaiveDate>) -> Value {
    Value::from(serde_json::json!(days.into_iter().collect::<Vec<_>>()).to_string())
}

/// Makes the rows `known` into those of `wanted`, both by id, and returns the number of rows that differ.
pub(super) async fn replace<E>(
    txn: &Txn,
    id: E::Column,
    known: BTreeMap<Uuid, E::Model>,
    mut wanted: BTreeMap<Uuid, E::Model>,
) -> Result<usize>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + PartialEq,
{
    let mut gone = Vec::new();
    for (key, row) in known {
        if wanted.get(&key) == Some(&row) {
            wanted.remove(&key);
        } else {
            gone.push(key);
        }
    }
    let differing = wanted.len() + gone.iter().filter(|key| !wanted.contains_key(key)).count();
    if !gone.is_empty() {
        E::delete_many().filter(in_list(txn, Expr::col(id), &gone)).exec(txn).await?;
    }
    insert_all::<E>(txn, whole_rows(wanted.into_values().collect())).await?;
    Ok(differing)
}
