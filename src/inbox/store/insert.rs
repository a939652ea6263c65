//! The insertion of events.

use crate::db::Txn;
use crate::error::Result;
use entity::inbox_events::{Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryTrait};
use std::collections::HashSet;
use uuid::Uuid;

/// Inserts the events whose ids at their providers do not exist yet, in one statement, and returns our ids of these.
pub(in crate::inbox) async fn insert_events(txn: &Txn, rows: &[&Model]) -> Result<HashSet<Uuid>> {
    let once = OnConflict::columns([Column::Provider, Column::ExternalId]).do_nothing().to_owned();
    let rows = rows.iter().map(|row| (*row).clone().into_active_model().reset_all());
    let mut insert = Entity::insert_many(rows).on_conflict(once).into_query();
    insert.returning_col(Column::Id);
    let found = txn.query_all_raw(txn.get_database_backend().build(&insert)).await?;
    Ok(found.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}
