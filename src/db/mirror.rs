//! Writes rows that mirror another system, and collects the differences.

use super::txn::Txn;
use crate::error::Result;
use chrono::{DurationRound, SecondsFormat, TimeDelta};
use sea_orm::sea_query::sea_value_to_json_value;
use sea_orm::{ActiveModelTrait, ActiveValue, EntityTrait, IntoActiveModel, Iterable, ModelTrait, Value};
use serde_json::Map;
use std::str::FromStr;

/// A mirroring of observed state, inside one transaction.
pub struct Mirror<'a> {
    /// The transaction that the rows are written in.
    pub txn: &'a Txn,
    differences: Vec<Difference>,
}

/// A mirrored row that differed from what was observed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's id at the provider, or another key that is unique there.
    pub external_id: String,
    /// The columns that differed, with their old values; `None` for a row that was missing.
    pub before: Option<Map<String, serde_json::Value>>,
    /// Those columns with their new values; `None` for a row that was deleted.
    pub after: Option<Map<String, serde_json::Value>>,
}

/// A mirrored row, and its relation to the row before.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirrored<M> {
    /// The row after the write.
    pub row: M,
    /// True if the row was missing before.
    pub new: bool,
    /// True if the row was missing, or one of its columns differed.
    pub changed: bool,
}

impl<'a> Mirror<'a> {
    /// Creates a mirror that writes in `txn`.
    pub fn new(txn: &'a Txn) -> Mirror<'a> {
        Mirror { txn, differences: Vec::new() }
    }

    /// Returns the differences found so far.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Returns all differences, in the order of the writes.
    pub fn into_differences(self) -> Vec<Difference> {
        self.differences
    }

    /// Updates `found`, the row known as `external_id`, to `wanted`; inserts `wanted` if `found` is `None`.
    ///
    /// `wanted` sets all columns of a row that is missing. In an existing row, columns that `wanted` does not set keep
    /// their values, and so does `id`; `updated_at` is set when any other column changes.
    pub async fn write<E>(
        &mut self,
        external_id: &str,
        found: Option<E::Model>,
        wanted: E::ActiveModel,
    ) -> Result<Mirrored<E::Model>>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel> + Clone,
        E::ActiveModel: Send,
    {
        let wanted = storable::<E>(wanted);
        let Some(found) = found else {
            let after = columns::<E>(&wanted, |_, _| true);
            let row = E::insert(wanted).exec_with_returning(self.txn).await?;
            self.note::<E>(external_id, None, Some(after));
            return Ok(Mirrored { row, new: true, changed: true });
        };
        let kept = |column: &E::Column| ["id", "updated_at"].contains(&column_name(column).as_str());
        let differs = |column: &E::Column, value: &Value| !kept(column) && found.get(*column) != *value;
        let after = columns::<E>(&wanted, differs);
        if after.is_empty() {
            return Ok(Mirrored { row: found, new: false, changed: false });
        }
        let mut change = found.clone().into_active_model();
        let mut before = Map::new();
        for column in E::Column::iter() {
            if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = wanted.get(column)
                && differs(&column, &value)
            {
                before.insert(column_name(&column), displayed(&found.get(column)));
                change.set(column, value);
            }
        }
        if let Ok(column) = E::Column::from_str("updated_at") {
            change.set(column, self.txn.now().fixed_offset().into());
        }
        let row = E::update(change).validate()?.exec(self.txn).await?;
        self.note::<E>(external_id, Some(before), Some(after));
        Ok(Mirrored { row, new: false, changed: true })
    }

    /// Inserts `row`, known as `external_id`, into an append-only history.
    pub async fn add<E>(&mut self, external_id: &str, row: E::Model) -> Result<()>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel> + Clone,
        E::ActiveModel: Send,
    {
        // In a model turned into an active model all columns are unchanged; a new row sets them all.
        let row = storable::<E>(row.into_active_model().reset_all());
        self.write::<E>(external_id, None, row).await?;
        Ok(())
    }

    /// Records a change of the row known as `external_id` that another function writes; `before` is `None` for a new row.
    pub fn changed<E: EntityTrait>(&mut self, external_id: &str, before: Option<&E::Model>, after: &E::Model) {
        let differs = |column: &E::Column| before.is_none_or(|before| before.get(*column) != after.get(*column));
        let columns: Vec<_> = E::Column::iter().filter(differs).collect();
        let shown =
            |row: &E::Model| columns.iter().map(|column| (column_name(column), displayed(&row.get(*column)))).collect();
        self.note::<E>(external_id, before.map(shown), Some(shown(after)));
    }

    /// Records that `row`, known as `external_id`, was deleted.
    pub fn removed<E: EntityTrait>(&mut self, external_id: &str, row: &E::Model) {
        let columns = E::Column::iter().map(|column| (column_name(&column), displayed(&row.get(column))));
        let before = columns.collect();
        self.note::<E>(external_id, Some(before), None);
    }

    fn note<E: EntityTrait>(
        &mut self,
        external_id: &str,
        before: Option<Map<String, serde_json::Value>>,
        after: Option<Map<String, serde_json::Value>>,
    ) {
        let table = E::default().table_name().to_owned();
        self.differences.push(Difference { table, external_id: external_id.to_owned(), before, after });
    }
}

/// Returns a value as reports show it.
fn displayed(value: &Value) -> serde_json::Value {
    match value {
        Value::ChronoDateTimeWithTimeZone(Some(at)) => at.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        other => sea_value_to_json_value(other),
    }
}

fn column_name<C: sea_orm::IdenStatic>(column: &C) -> String {
    column.as_str().to_owned()
}

/// Returns the columns of `row` that are set and that `wanted` selects, with their values.
fn columns<E: EntityTrait>(
    row: &E::ActiveModel,
    wanted: impl Fn(&E::Column, &Value) -> bool,
) -> Map<String, serde_json::Value> {
    let set = E::Column::iter().filter_map(|column| match row.get(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some((column, value)),
        ActiveValue::NotSet => None,
    });
    let picked = set.filter(|(column, value)| wanted(column, value));
    picked.map(|(column, value)| (column_name(&column), displayed(&value))).collect()
}

/// `row` as both engines can store it: instants to the microsecond, and texts without the character that PostgreSQL
/// refuses. What was read back would otherwise never equal what was observed.
fn storable<E: EntityTrait>(mut row: E::ActiveModel) -> E::ActiveModel {
    for column in E::Column::iter() {
        let ActiveValue::Set(value) = row.get(column) else { continue };
        let stored = match value {
            Value::ChronoDateTimeWithTimeZone(Some(at)) => {
                let at = at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at);
                Value::ChronoDateTimeWithTimeZone(Some(at))
            }
            Value::String(Some(text)) if text.contains('\0') => Value::String(Some(text.replace('\0', ""))),
            Value::Json(Some(json)) => Value::Json(Some(Box::new(without_nul(*json)))),
            other => other,
        };
        row.set(column, stored);
    }
    row
}

fn without_nul(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value::{Array, Object, String};
    match json {
        String(text) => String(text.replace('\0', "")),
        Array(values) => Array(values.into_iter().map(without_nul).collect()),
        Object(fields) => {
            Object(fields.into_iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value))).collect())
        }
        other => other,
    }
}
