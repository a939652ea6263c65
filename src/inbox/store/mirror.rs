//! Every query of the engine that applies the inbox.

use crate::db::Txn;
use crate::error::Result;
use crate::inbox::jobs::ApplyObject;
use crate::inbox::object::{Object, Ties};
use crate::providers::Provider;
use entity::{inbox_events, provider_objects};
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement,
    Value,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What one object of a provider was said to be, and what it is tied to.
#[derive(Debug, Clone, Copy)]
pub(in crate::inbox) struct Store<'a> {
    pub(in crate::inbox) txn: &'a Txn,
    pub(in crate::inbox) provider: Provider,
}

/// What objects can be tied to; see [`Ties`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inbox) enum Tie {
    Customer,
    Subscription,
    Invoice,
    Payment,
    Product,
}

impl Store<'_> {
    /// Makes other transactions that name one of `ids` wait until this one ends.
    pub(in crate::inbox) async fn lock(self, ids: &BTreeSet<String>) -> Result<()> {
        if self.txn.get_database_backend() != DbBackend::Postgres {
            return Ok(()); // SQLite has one writer at a time.
        }
        let keys = ids.iter().map(|id| {
            let digest = Sha256::digest(format!("{}:{id}", self.provider.name()));
            i64::from_be_bytes(digest[..8].try_into().expect("eight bytes of a longer digest"))
        });
        // In one order everywhere, so that two transactions do not wait for each other.
        let keys: BTreeSet<i64> = keys.collect();
        let keys = Value::Array(ArrayType::BigInt, Some(Box::new(keys.into_iter().map(Value::from).collect())));
        let sql = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1) AS key";
        self.txn.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [keys])).await?;
        Ok(())
    }

    // unscoped: the inbox is worked off for nobody in particular
    fn events(self, object_id: &str) -> Select<inbox_events::Entity> {
        use inbox_events::Column;
        inbox_events::Entity::find()
            .filter(Column::Provider.eq(self.provider.name()))
            .filter(Column::ObjectId.eq(object_id))
            .filter(Column::State.ne("ignored"))
    }

    /// The events of an object that are still to be applied, oldest first.
    pub(in crate::inbox) async fn pending(self, object_id: &str) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = self.events(object_id).filter(Column::State.is_in(["received", "failed"]));
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// Every event of an object that counts, oldest first.
    pub(in crate::inbox) async fn history(self, object_id: &str) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = self.events(object_id);
        Ok(rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::Id).all(self.txn).await?)
    }

    /// The events of the newest instant of an object, those of `but` left out.
    pub(in crate::inbox) async fn newest(self, object_id: &str, but: &[&str]) -> Result<Vec<inbox_events::Model>> {
        use inbox_events::Column;
        let rows = || self.events(object_id).filter(Column::Kind.is_not_in(but.iter().copied()));
        let last = rows().order_by_desc(Column::OccurredAt).one(self.txn).await?;
        let Some(last) = last else { return Ok(Vec::new()) };
        Ok(rows().filter(Column::OccurredAt.eq(last.occurred_at)).all(self.txn).await?)
    }

    /// Writes down what became of events.
    pub(in crate::inbox) async fn settle(self, ids: &[Uuid], outcome: inbox_events::ActiveModel) -> Result<()> {
        use inbox_events::Column;
        let update = inbox_events::Entity::update_many().set(outcome);
        let update = update.col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1));
        update.filter(Column::Id.is_in(ids.iter().copied())).exec(self.txn).await?;
        Ok(())
    }

    /// Has events applied again, as if they had just arrived.
    pub(in crate::inbox) async fn reopen(self, ids: &[Uuid]) -> Result<()> {
        super::reopen(self.txn, ids).await
    }

    // unscoped: as for the events
    fn objects(self) -> Select<provider_objects::Entity> {
        provider_objects::Entity::find().filter(provider_objects::Column::Provider.eq(self.provider.name()))
    }

    /// The row of an object, as it was last seen.
    pub(in crate::inbox) async fn row(self, external_id: &str) -> Result<Option<provider_objects::Model>> {
        Ok(self.objects().filter(provider_objects::Column::ExternalId.eq(external_id)).one(self.txn).await?)
    }

    /// An object, as it was last seen.
    pub(in crate::inbox) async fn object(self, external_id: &str) -> Result<Option<Object>> {
        Ok(self.row(external_id).await?.map(Object::from))
    }

    /// These objects, as far as they were seen, by id.
    pub(in crate::inbox) async fn objects_of(self, external_ids: &[String]) -> Result<Vec<Object>> {
        use provider_objects::Column;
        if external_ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.objects().filter(Column::ExternalId.is_in(external_ids.iter().cloned()));
        Ok(rows.order_by_asc(Column::ExternalId).all(self.txn).await?.into_iter().map(Object::from).collect())
    }

    /// The objects of these kinds that are tied to `id`, oldest first.
    pub(in crate::inbox) async fn tied(self, tie: Tie, id: &str, kinds: &[&str]) -> Result<Vec<Object>> {
        use provider_objects::Column;
        let column = match tie {
            Tie::Customer => Column::Customer,
            Tie::Subscription => Column::Subscription,
            Tie::Invoice => Column::Invoice,
            Tie::Payment => Column::Payment,
            Tie::Product => Column::Product,
        };
        let rows = self.objects().filter(column.eq(id)).filter(Column::Kind.is_in(kinds.iter().copied()));
        let rows = rows.order_by_asc(Column::OccurredAt).order_by_asc(Column::ExternalId).all(self.txn).await?;
        Ok(rows.into_iter().map(Object::from).collect())
    }
}

impl From<provider_objects::Model> for Object {
    fn from(row: provider_objects::Model) -> Object {
        Object {
            kind: row.kind,
            external_id: row.external_id,
            api_version: row.api_version,
            payload: row.payload,
            deleted: row.deleted,
            occurred_at: row.occurred_at.to_utc(),
            ties: Ties {
                customer: row.customer,
                subscription: row.subscription,
                invoice: row.invoice,
                payment: row.payment,
                charge: row.charge,
                product: row.product,
            },
        }
    }
}

/// The objects whose events wait for `key`.
pub(in crate::inbox) async fn waiting_for(txn: &Txn, key: &str) -> Result<Vec<ApplyObject>> {
    // unscoped: the inbox is worked off for nobody in particular
    let rows = inbox_events::Entity::find().filter(inbox_events::Column::WaitsFor.eq(key));
    waiting_objects(txn, rows).await
}

/// The objects whose events wait for what is already here.
pub(in crate::inbox) async fn waiting_in_vain(txn: &Txn) -> Result<Vec<ApplyObject>> {
    const HERE: &str = "waits_for LIKE 'user:%' AND EXISTS (SELECT 1 FROM user_identities \
         WHERE subject = substr(waits_for, 6)) \
         OR waits_for LIKE 'customer:%' AND EXISTS (SELECT 1 FROM provider_customers \
         WHERE provider = inbox_events.provider AND external_id = substr(waits_for, 10)) \
         OR waits_for LIKE 'object:%' AND EXISTS (SELECT 1 FROM provider_objects \
         WHERE provider = inbox_events.provider AND external_id = substr(waits_for, 8))";
    // unscoped: as for those that wait for one key
    let rows = inbox_events::Entity::find().filter(inbox_events::Column::WaitsFor.is_not_null());
    waiting_objects(txn, rows.filter(Expr::cust(format!("({HERE})")))).await
}

async fn waiting_objects(txn: &Txn, rows: Select<inbox_events::Entity>) -> Result<Vec<ApplyObject>> {
    use inbox_events::Column;
    let rows = rows.select_only().column(Column::Provider).column(Column::ObjectId).distinct();
    let rows: Vec<(String, Option<String>)> = rows.into_tuple().all(txn).await?;
    let objects = rows.into_iter().filter_map(|(provider, object_id)| {
        Some(ApplyObject { provider: Provider::named(&provider)?, object_id: object_id? })
    });
    Ok(objects.collect())
}
