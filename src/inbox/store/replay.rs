//! The queries with which events are applied again and compared with a provider's.

use crate::error::{Error, Result};
use crate::inbox::envelope::UNKNOWN_TYPE;
use crate::inbox::jobs::ApplyObject;
use crate::inbox::kinds::ObjectKind;
use crate::inbox::state::{EventState, PENDING};
use crate::providers::Provider;
use chrono::{DateTime, Utc};
use entity::{inbox_events, provider_customers, provider_objects};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// An event that is applied again.
#[derive(Debug, Clone, FromQueryResult)]
pub(in crate::inbox) struct ReplayedEvent {
    pub(in crate::inbox) id: Uuid,
    pub(in crate::inbox) provider: String,
    pub(in crate::inbox) object_kind: String,
    pub(in crate::inbox) object_id: String,
}

impl ReplayedEvent {
    /// Returns the object that the event is about; `None` for one that is not mirrored.
    pub(in crate::inbox) fn object(&self) -> Option<ApplyObject> {
        let provider = Provider::named(&self.provider)?;
        let kind = provider.kind_named(&self.object_kind)?;
        Some(ApplyObject { provider, kind: Some(kind), object_id: self.object_id.clone() })
    }
}

/// Returns up to `limit` of these events that can be applied again, oldest arrival first. Ignored ones can if their
/// types were not known to the version that received them, and are now.
pub(in crate::inbox) async fn replayable(
    db: &DatabaseConnection,
    rows: Select<inbox_events::Entity>,
    limit: u64,
) -> Result<Vec<ReplayedEvent>> {
    use inbox_events::Column;
    let of_provider = |provider: Provider| {
        let kinds = provider.event_types().iter().copied();
        Column::Provider.eq(provider.name()).and(Column::Kind.is_in(kinds))
    };
    let known = Provider::ALL.into_iter().map(of_provider).reduce(|one, other| one.or(other));
    let known_now = Column::Note.eq(UNKNOWN_TYPE).and(known.unwrap_or_else(|| Expr::value(false)));
    let rows = rows.filter(Column::State.ne(EventState::Ignored.as_str()).or(known_now));
    let rows = rows.filter(Column::ObjectId.is_not_null()).filter(Column::ObjectKind.is_not_null());
    let rows = rows.order_by_asc(Column::ReceivedAt).order_by_asc(Column::Id).limit(limit);
    let columns = rows.select_only().columns([Column::Id, Column::Provider, Column::ObjectKind, Column::ObjectId]);
    let mut found = columns.into_model::<ReplayedEvent>().all(db).await?;
    found.retain(|event| event.object().is_some());
    Ok(found)
}

/// Resets events to received, as if they had just arrived.
pub(in crate::inbox) async fn reopen<C: ConnectionTrait>(txn: &C, ids: &[Uuid]) -> Result<()> {
    use inbox_events::{ActiveModel, Column, Entity};
    use sea_orm::ActiveValue::Set;
    let received = ActiveModel {
        state: Set(EventState::Received.as_str().to_owned()),
        attempts: Set(0),
        waits_for: Set(None),
        next_attempt_at: Set(None),
        error: Set(None),
        applied_at: Set(None),
        note: Set(None),
        ..Default::default()
    };
    for ids in ids.chunks(500) {
        Entity::update_many().set(received.clone()).filter(Column::Id.is_in(ids.iter().copied())).exec(txn).await?;
    }
    Ok(())
}

/// Returns the newest event of an object that is still to be applied.
pub(in crate::inbox) async fn pending_event(
    db: &DatabaseConnection,
    provider: Provider,
    kind: ObjectKind,
    object_id: &str,
) -> Result<Option<inbox_events::Model>> {
    use inbox_events::Column;
    // unscoped: events are applied for no caller
    let rows = inbox_events::Entity::find()
        .filter(Column::Provider.eq(provider.name()))
        .filter(Column::ObjectId.eq(object_id))
        .filter(Column::ObjectKind.eq(provider.kind_name(kind)))
        .filter(Column::State.is_in(PENDING));
    Ok(rows.order_by_desc(Column::OccurredAt).one(db).await?)
}

/// Returns every object that has events, in the order of their first arrival.
pub(in crate::inbox) async fn objects(db: &DatabaseConnection) -> Result<Vec<ApplyObject>> {
    const SQL: &str = "SELECT provider, object_kind, object_id FROM inbox_events \
         WHERE object_id IS NOT NULL AND object_kind IS NOT NULL AND state <> 'ignored' \
         GROUP BY provider, object_kind, object_id ORDER BY MIN(received_at), provider, object_kind, object_id";
    jobs(db.query_all_raw(Statement::from_string(db.get_database_backend(), SQL)).await?)
}

/// Returns every object that has waiting events, in the order of their ids.
pub(in crate::inbox) async fn waiting_objects(db: &DatabaseConnection) -> Result<Vec<ApplyObject>> {
    const SQL: &str = "SELECT DISTINCT provider, object_kind, object_id FROM inbox_events \
         WHERE object_id IS NOT NULL AND object_kind IS NOT NULL AND waits_for IS NOT NULL \
         ORDER BY provider, object_kind, object_id";
    jobs(db.query_all_raw(Statement::from_string(db.get_database_backend(), SQL)).await?)
}

fn jobs(rows: Vec<sea_orm::QueryResult>) -> Result<Vec<ApplyObject>> {
    let job = |row: sea_orm::QueryResult| {
        let name: String = row.try_get("", "provider")?;
        let provider =
            Provider::named(&name).ok_or_else(|| Error::internal(anyhow::anyhow!("unknown provider {name}")))?;
        let kind: String = row.try_get("", "object_kind")?;
        Ok(ApplyObject { provider, kind: provider.kind_named(&kind), object_id: row.try_get("", "object_id")? })
    };
    let jobs: Result<Vec<_>> = rows.into_iter().map(job).collect();
    // Events of kinds that are not mirrored have nothing to apply.
    Ok(jobs?.into_iter().filter(|job| job.kind.is_some()).collect())
}

/// Returns the ids, of these, of events that are in the inbox.
pub(in crate::inbox) async fn known_ids(
    db: &DatabaseConnection,
    provider: Provider,
    external_ids: &[String],
) -> Result<HashSet<String>> {
    use inbox_events::Column;
    // unscoped: the comparison with a provider has no caller
    let rows = inbox_events::Entity::find()
        .filter(Column::Provider.eq(provider.name()))
        .filter(Column::ExternalId.is_in(external_ids.iter().cloned()));
    let ids: Vec<String> = rows.select_only().column(Column::ExternalId).into_tuple().all(db).await?;
    Ok(ids.into_iter().collect())
}

/// Returns the payloads of these objects by kind and id, each with true where the object is deleted.
pub(in crate::inbox) async fn payloads(
    db: &DatabaseConnection,
    provider: Provider,
    external_ids: &[String],
) -> Result<HashMap<(String, String), (Value, bool)>> {
    use provider_objects::Column;
    // unscoped: the comparison with a provider has no caller
    let rows = provider_objects::Entity::find()
        .filter(Column::Provider.eq(provider.name()))
        .filter(Column::ExternalId.is_in(external_ids.iter().cloned()));
    let rows = rows.all(db).await?.into_iter();
    Ok(rows.map(|row| ((row.kind, row.external_id), (row.payload, row.deleted))).collect())
}

/// Returns the time of the newest event about `object_id`.
pub(in crate::inbox) async fn watermark(
    db: &DatabaseConnection,
    provider: Provider,
    object_id: &str,
) -> Result<Option<DateTime<Utc>>> {
    use inbox_events::Column;
    // unscoped: the marks of comparisons belong to nobody
    let rows = inbox_events::Entity::find()
        .filter(Column::Provider.eq(provider.name()))
        .filter(Column::ObjectId.eq(object_id));
    let last = rows.order_by_desc(Column::OccurredAt).one(db).await?;
    Ok(last.map(|event| event.occurred_at.to_utc()))
}

/// Returns the ids of an account's customers at a provider.
pub(in crate::inbox) async fn customers_of(
    db: &DatabaseConnection,
    provider: Provider,
    account_id: Uuid,
) -> Result<Vec<String>> {
    use provider_customers::Column;
    // unscoped: the verb is for admins, who name the account
    let rows = provider_customers::Entity::find()
        .filter(Column::Provider.eq(provider.name()))
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Deleted.eq(false));
    let rows = rows.select_only().column(Column::ExternalId).order_by_asc(Column::ExternalId);
    Ok(rows.into_tuple().all(db).await?)
}
