//! The queries with which events are applied.

use crate::db::Txn;
use crate::error::Result;
use crate::inbox::jobs::ApplyObject;
use crate::inbox::kinds::{ObjectKind, Reference};
use crate::inbox::lock::LockKey;
use crate::inbox::object::Object;
use crate::inbox::state::{EventState, PENDING};
use crate::inbox::wait_key::WaitKey;
use crate::providers::Provider;
use chrono::{DateTime, Utc};
use entity::{inbox_events, provider_objects};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    Statement, Value,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The events and objects of a provider, in a transaction.
#[derive(Debug, Clone, Copy)]
pub(in crate::inbox) struct Store<'a> {
    pub(in crate::inbox) txn: &'a Txn,
    pub(in crate::inbox) provider: Provider,
}

impl Store<'_> {
    /// Takes locks until the transaction ends.
    pub(in crate::inbox) async fn lock(self, locks: &BTreeSet<LockKey>) -> Result<()> {
        if self.txn.get_database_backend() != DbBackend::Postgres || locks.is_empty() {
            return Ok(()); // SQLite has one writer at a time.
        }
        let keys = locks.iter().map(|LockKey { group, id }| {
            let digest = Sha256::digest(format!("{}:{}:{id}", self.provider.name(), group.name()));
            i64::from_be_bytes(digest[..8].try_into().expect("eight bytes of a longer digest"))
        });
        // In one order everywhere, so that two transactions never wait for each other.
        let keys: BTreeSet<i64> = keys.collect();
        let keys = Value::Array(ArrayType::BigInt, Some(Box::new(keys.into_iter().map(Value::from).collect())));
        let sql = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1) AS key";
        self.txn.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [keys])).await?;
        Ok(())
    }

    // unscoped: events are applied for no caller
    fn events_of_id(self, object_id: &str) -> Select<inbox_events::Entity> {
        use inbox_events::Column;
        inbox_events::Entity::find()
            .filter(Column::Provider.eq(self.provider.name()))
            .filter(Column::ObjectId.eq(object_id))
            .filter(Column::State.ne(EventState::Ignored.as_str()))
    }

    /// Selects the events of an object, and those of its id that a node of an older version stored without a kind.
    fn events(self, kind: ObjectKind, object_id: &str) -> Select<inbox_events::Entity> {
        use inbox_events::Column;
        let of_kind = Column::ObjectKind.eq(self.provider.kind_name(kind)).or(Column::ObjectKind.is_null());
        self.events_of_id(object_id).filter(of_kind)
    }

    /// Returns the events of an object that are still to be applied, oldest first.
    pub(in crate::inbox) async fn pending(self, kind: ObjectKind, object_id: &str) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = self.events(kind, object_id).filter(Column::State.is_in(PENDING));
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// Returns every event of an object that is not ignored, oldest first.
    pub(in crate::inbox) async fn history(self, kind: ObjectKind, object_id: &str) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = self.events(kind, object_id);
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// Returns the events of an object that are not ignored, from the last instant before `since` on, oldest first.
    pub(in crate::inbox) async fn history_from(
        self,
        kind: ObjectKind,
        object_id: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = || self.events(kind, object_id);
        let before = rows().filter(Column::OccurredAt.lt(since.fixed_offset()));
        let before = before.select_only().column(Column::OccurredAt).order_by_desc(Column::OccurredAt);
        let before: Option<DateTimeWithTimeZone> = before.into_tuple().one(self.txn).await?;
        let rows = rows().filter(Column::OccurredAt.gte(before.unwrap_or(since.fixed_offset())));
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// Returns the events of an object's newest instant, without those of the types `except`.
    pub(in crate::inbox) async fn newest(
        self,
        kind: ObjectKind,
        object_id: &str,
        except: &[&str],
    ) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = || self.events(kind, object_id).filter(Column::Kind.is_not_in(except.iter().copied()));
        let last = rows().select_only().column(Column::OccurredAt).order_by_desc(Column::OccurredAt).limit(1);
        Ok(rows().filter(Column::OccurredAt.in_subquery(last.into_query())).all(self.txn).await?)
    }

    /// Returns the events that are still to be applied of all objects with this id, oldest first.
    pub(in crate::inbox) async fn pending_of_any_kind(self, object_id: &str) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = self.events_of_id(object_id).filter(Column::State.is_in(PENDING));
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// Stores the outcome of an attempt to apply events.
    pub(in crate::inbox) async fn finish(self, ids: &[Uuid], outcome: inbox_events::ActiveModel) -> Result<()> {
        use inbox_events::Column;
        if ids.is_empty() {
            return Ok(());
        }
        let update = inbox_events::Entity::update_many().set(outcome);
        let update = update.col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1));
        update.filter(Column::Id.is_in(ids.iter().copied())).exec(self.txn).await?;
        Ok(())
    }

    /// Resets events to received.
    pub(in crate::inbox) async fn reopen(self, ids: &[Uuid]) -> Result<()> {
        super::replay::reopen(self.txn, ids).await
    }

    // unscoped: objects are read for no caller
    fn objects(self) -> Select<provider_objects::Entity> {
        provider_objects::Entity::find().filter(provider_objects::Column::Provider.eq(self.provider.name()))
    }

    /// Returns the row of an object.
    pub(in crate::inbox) async fn row(
        self,
        kind: ObjectKind,
        external_id: &str,
    ) -> Result<Option<provider_objects::Model>> {
        use provider_objects::Column;
        let rows = self.objects().filter(Column::Kind.eq(self.provider.kind_name(kind)));
        Ok(rows.filter(Column::ExternalId.eq(external_id)).one(self.txn).await?)
    }

    /// Returns an object.
    pub(in crate::inbox) async fn object(self, kind: ObjectKind, external_id: &str) -> Result<Option<Object>> {
        Ok(self.row(kind, external_id).await?.and_then(|row| self.read(row)))
    }

    /// Returns the objects of these kinds with these ids, as far as they exist, by id.
    pub(in crate::inbox) async fn objects_of(
        self,
        kinds: &[ObjectKind],
        external_ids: &[String],
    ) -> Result<Vec<Object>> {
        use provider_objects::Column;
        if external_ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.objects().filter(Column::Kind.is_in(self.names(kinds)));
        let rows = rows.filter(Column::ExternalId.is_in(external_ids.iter().cloned()));
        let rows = rows.order_by_asc(Column::ExternalId).all(self.txn).await?;
        Ok(rows.into_iter().filter_map(|row| self.read(row)).collect())
    }

    /// Returns the objects of these kinds that refer to the object `id`, oldest first.
    pub(in crate::inbox) async fn referencing(
        self,
        reference: Reference,
        id: &str,
        kinds: &[ObjectKind],
    ) -> Result<Vec<Object>> {
        use provider_objects::Column;
        let column = match reference {
            Reference::Customer => Column::Customer,
            Reference::Subscription => Column::Subscription,
            Reference::Invoice => Column::Invoice,
            Reference::Payment => Column::Payment,
            Reference::Product => Column::Product,
            Reference::PromotionCode => Column::PromotionCode,
        };
        let names = self.names(kinds);
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.objects().filter(column.eq(id)).filter(Column::Kind.is_in(names));
        let rows = rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::ExternalId).all(self.txn).await?;
        Ok(rows.into_iter().filter_map(|row| self.read(row)).collect())
    }

    /// Returns the provider's names of these kinds, without those that it does not have.
    fn names(self, kinds: &[ObjectKind]) -> Vec<&'static str> {
        kinds.iter().filter_map(|kind| self.provider.kind_entry(*kind)).map(|entry| entry.name).collect()
    }

    /// Reads a row; `None` for one of a kind that is not mirrored any more.
    fn read(self, row: provider_objects::Model) -> Option<Object> {
        Some(Object::from_row(self.provider.kind_named(&row.kind)?, row))
    }
}

/// Returns the objects whose events wait for `key`.
pub(in crate::inbox) async fn waiting_for(txn: &Txn, key: &WaitKey) -> Result<Vec<ApplyObject>> {
    // unscoped: events are applied for no caller
    let rows = inbox_events::Entity::find().filter(inbox_events::Column::WaitsFor.eq(key.to_string()));
    waiting_objects(txn, rows).await
}

/// Returns the objects whose events wait for something that exists.
pub(in crate::inbox) async fn waiting_in_vain(txn: &Txn) -> Result<Vec<ApplyObject>> {
    const HERE: &str = "waits_for LIKE 'user:%' AND EXISTS (SELECT 1 FROM user_identities \
         WHERE subject = substr(waits_for, 6)) \
         OR waits_for LIKE 'customer:%' AND EXISTS (SELECT 1 FROM provider_customers \
         WHERE provider = inbox_events.provider AND external_id = substr(waits_for, 10)) \
         OR waits_for LIKE 'object:%' AND EXISTS (SELECT 1 FROM provider_objects \
         WHERE provider = inbox_events.provider AND external_id = substr(waits_for, 8))";
    // unscoped: events are applied for no caller
    let rows = inbox_events::Entity::find().filter(inbox_events::Column::WaitsFor.is_not_null());
    waiting_objects(txn, rows.filter(Expr::cust(format!("({HERE})")))).await
}

async fn waiting_objects(txn: &Txn, rows: Select<inbox_events::Entity>) -> Result<Vec<ApplyObject>> {
    use inbox_events::Column;
    let rows = rows.select_only().columns([Column::Provider, Column::ObjectKind, Column::ObjectId]).distinct();
    let rows: Vec<(String, Option<String>, Option<String>)> = rows.into_tuple().all(txn).await?;
    let objects = rows.into_iter().filter_map(|(provider, kind, object_id)| {
        let provider = Provider::named(&provider)?;
        Some(ApplyObject { provider, kind: provider.kind_named(&kind?), object_id: object_id? })
    });
    Ok(objects.collect())
}
