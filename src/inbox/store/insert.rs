//! The insertion of events.

use crate::db::{Txn, insert_new_ids, whole_rows};
use crate::error::Result;
use entity::inbox_events::{Entity, Model};
use std::collections::HashSet;
use uuid::Uuid;

/// Inserts the events whose ids at their providers do not exist yet, and returns our ids of these.
pub(in crate::inbox) async fn insert_events(txn: &Txn, rows: &[&Model]) -> Result<HashSet<Uuid>> {
    insert_new_ids::<Entity>(txn, whole_rows(rows.iter().map(|row| (*row).clone()).collect())).await
}
