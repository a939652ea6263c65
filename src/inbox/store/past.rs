//! The queries for facts of the past.

use super::apply::Store;
use crate::error::Result;
use crate::inbox::json::{at, minor};
use crate::inbox::past::Past;
use crate::inbox::state::EventState;
use entity::inbox_events::{Column, Entity};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

impl Store<'_> {
    /// Returns the past of objects: the first of their events of each of `types`, and the largest amount that
    /// one of `charges` was ever shown to have refunded.
    pub(in crate::inbox) async fn past(
        self,
        object_ids: &[String],
        types: &[&str],
        charges: &[String],
    ) -> Result<Past> {
        if object_ids.is_empty() || types.is_empty() {
            return Ok(Past::default());
        }
        let rows = self.told().filter(Column::ObjectId.is_in(object_ids.iter().cloned()));
        let rows = rows.filter(Column::Kind.is_in(types.iter().copied()));
        let rows = rows.select_only().column(Column::ObjectId).column(Column::Kind).column(Column::OccurredAt);
        let rows: Vec<(Option<String>, String, DateTimeWithTimeZone)> = rows.into_tuple().all(self.txn).await?;
        let events = rows.into_iter().filter_map(|(id, kind, at)| Some((id?, kind, at.to_utc())));
        Ok(Past::new(events, self.most_refunded(charges).await?))
    }

    async fn most_refunded(self, charges: &[String]) -> Result<i64> {
        if charges.is_empty() {
            return Ok(0);
        }
        let rows = self.told().filter(Column::ObjectId.is_in(charges.iter().cloned())).all(self.txn).await?;
        let figures = rows.iter().filter_map(|row| minor(at(&row.payload, "data.object.amount_refunded")));
        Ok(figures.max().unwrap_or(0))
    }

    // unscoped: events are applied for no caller
    fn told(self) -> Select<Entity> {
        let rows = Entity::find().filter(Column::Provider.eq(self.provider.name()));
        rows.filter(Column::State.ne(EventState::Ignored.as_str()))
    }
}
