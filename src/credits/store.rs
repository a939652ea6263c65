//! Queries on the credit ledger.

use super::posting::Posting;
use super::values::{GrantSource, LedgerBucket};
use crate::auth::{Permission, Scope};
use crate::db::{ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, columns, in_accounts_of};
use crate::error::{Error, Result};
use crate::order;
use chrono::{DateTime, Utc};
use entity::{balances, credit_grants, credit_units, ledger_entries, ledger_txns};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement, Value,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Callers who grant credits see their use.
const WRITERS: &[Permission] = &[Permission::CreditsWrite];

impl Visible for balances::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, balances::Column::AccountId))
    }
}

impl Visible for credit_grants::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, credit_grants::Column::AccountId))
    }
}

impl Visible for ledger_entries::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, ledger_entries::Column::AccountId))
    }
}

impl Visible for ledger_txns::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, ledger_txns::Column::AccountId))
    }
}

/// Balances of an account, one per credit unit that it ever held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Balances {
    /// Only the balance in the unit with this code.
    pub unit: Option<String>,
}

impl Listing for Balances {
    type Entity = balances::Entity;

    fn filter(&self, rows: Select<balances::Entity>) -> Select<balances::Entity> {
        match &self.unit {
            Some(code) => rows.filter(balances::Column::CreditUnitId.in_subquery(unit(code))),
            None => rows,
        }
    }

    fn order(&self) -> Order<balances::Entity> {
        order!(balances, id, false)
    }
}

impl ChildListing for Balances {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        balances::Column::AccountId.into_expr().eq(account)
    }
}

fn unit(code: &str) -> SelectStatement {
    Query::select()
        .column(credit_units::Column::Id)
        .from(credit_units::Entity)
        .and_where(credit_units::Column::Code.eq(code))
        .take()
}

/// Grants to an account, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grants {
    /// Only grants from this source.
    pub source: Option<GrantSource>,
    /// Only grants in the unit with this code.
    pub unit: Option<String>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Grants {
    type Entity = credit_grants::Entity;

    fn filter(&self, mut rows: Select<credit_grants::Entity>) -> Select<credit_grants::Entity> {
        if let Some(source) = self.source {
            rows = rows.filter(credit_grants::Column::Source.eq(source));
        }
        if let Some(code) = &self.unit {
            rows = rows.filter(credit_grants::Column::CreditUnitId.in_subquery(unit(code)));
        }
        rows
    }

    fn order(&self) -> Order<credit_grants::Entity> {
        order!(credit_grants, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for Grants {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        credit_grants::Column::AccountId.into_expr().eq(account)
    }
}

/// Entries of one bucket of an account in one unit, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entries {
    /// The code of the unit.
    pub unit: String,
    /// The bucket.
    pub bucket: LedgerBucket,
}

impl Listing for Entries {
    type Entity = ledger_entries::Entity;

    fn filter(&self, rows: Select<ledger_entries::Entity>) -> Select<ledger_entries::Entity> {
        let unit = SimpleExpr::SubQuery(None, Box::new(unit(&self.unit).into()));
        rows.filter(ledger_entries::Column::CreditUnitId.into_expr().eq(unit))
            .filter(ledger_entries::Column::Bucket.eq(self.bucket))
    }

    fn order(&self) -> Order<ledger_entries::Entity> {
        order!(ledger_entries, unique seq, Seq, true)
    }
}

impl ChildListing for Entries {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        ledger_entries::Column::AccountId.into_expr().eq(account)
    }
}

/// Returns the grant with this id, for any caller.
pub(super) async fn grant_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<credit_grants::Model>> {
    let rows = credit_grants::Entity::visible(Scope::Everything).filter(credit_grants::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Returns the grant with this business key, for any caller.
pub(super) async fn grant_by_key(txn: &Txn, business_key: &str) -> Result<Option<credit_grants::Model>> {
    use credit_grants::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::BusinessKey.eq(business_key)).one(txn).await?)
}

/// Returns the amounts revoked of a grant so far, one per revocation; restored amounts are negative.
pub(super) async fn revocations(txn: &Txn, grant_id: Uuid) -> Result<Vec<i64>> {
    use ledger_entries::{Column, Entity};
    let entries = Entity::visible(Scope::Everything).filter(Column::GrantId.eq(grant_id));
    let entries = entries.filter(Column::Bucket.eq(LedgerBucket::Revoked)).all(txn).await?;
    Ok(entries.into_iter().map(|entry| entry.amount).collect())
}

/// Updates a balance and returns it, locked until the commit. Only newly issued credits create a missing balance.
pub(super) async fn move_balance(txn: &Txn, posting: &Posting) -> Result<balances::Model> {
    // Other postings cannot use the upsert: both engines check the row to be inserted even if there is one to update.
    const OPEN: &str = "INSERT INTO balances \
        (id, account_id, credit_unit_id, entry_count, updated_at, available, held, spent, expired, issued, revoked) \
        VALUES ($8, $1, $2, 2, $3, $4, 0, 0, $5, $6, $7) \
        ON CONFLICT (account_id, credit_unit_id) DO UPDATE SET \
        entry_count = balances.entry_count + 2, updated_at = excluded.updated_at, \
        available = balances.available + excluded.available, expired = balances.expired + excluded.expired, \
        issued = balances.issued + excluded.issued, revoked = balances.revoked + excluded.revoked";
    const MOVE: &str = "UPDATE balances SET entry_count = entry_count + 2, updated_at = $3, \
        available = available + $4, expired = expired + $5, issued = issued + $6, revoked = revoked + $7 \
        WHERE account_id = $1 AND credit_unit_id = $2";
    let (sql, id) = match posting.from {
        LedgerBucket::Issued => (OPEN, Some(txn.new_id())),
        _ => (MOVE, None),
    };
    let values: [Value; 7] = [
        posting.account_id.into(),
        posting.credit_unit_id.into(),
        txn.now().fixed_offset().into(),
        posting.change(LedgerBucket::Available).into(),
        posting.change(LedgerBucket::Expired).into(),
        posting.change(LedgerBucket::Issued).into(),
        posting.change(LedgerBucket::Revoked).into(),
    ];
    let values = values.into_iter().chain(id.map(Value::from));
    let sql = format!("{sql} RETURNING {}", columns::<balances::Entity>());
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, values);
    let row = txn.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("There is no balance to move credits from.")))?;
    Ok(balances::Model::from_query_result(&row, "")?)
}

/// Returns up to `limit` grants with unspent credits whose time is over, in the order of expiry.
pub(super) async fn due(db: &DatabaseConnection, now: DateTime<Utc>, limit: u64) -> Result<Vec<credit_grants::Model>> {
    use credit_grants::{Column, Entity};
    let due = Entity::visible(Scope::Everything)
        .filter(Column::ExpiresAt.lte(now.fixed_offset()))
        .filter(Expr::cust("remaining > 0"))
        .order_by_asc(Column::ExpiresAt)
        .order_by_asc(Column::Id);
    Ok(due.limit(limit).all(db).await?)
}

/// Locks every balance of these accounts until the commit, in the same order for all callers.
pub(super) async fn lock_balances(txn: &Txn, accounts: impl Iterator<Item = Uuid>) -> Result<()> {
    use balances::{Column, Entity};
    let balances = Entity::visible(Scope::Everything).filter(Column::AccountId.is_in(accounts));
    balances.order_by_asc(Column::Id).lock(ROW_LOCK).all(txn).await?;
    Ok(())
}

/// Returns the remaining credits of these grants.
pub(super) async fn remaining(txn: &Txn, grants: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, i64>> {
    use credit_grants::{Column, Entity};
    let grants = Entity::visible(Scope::Everything).filter(Column::Id.is_in(grants)).all(txn).await?;
    Ok(grants.into_iter().map(|grant| (grant.id, grant.remaining)).collect())
}

/// Updates the remaining credits of a grant, under the lock of its balance.
pub(super) async fn set_remaining(txn: &Txn, grant_id: Uuid, remaining: i64) -> Result<()> {
    use credit_grants::{Column, Entity};
    let change = Entity::update_many().col_expr(Column::Remaining, Expr::value(remaining));
    change.filter(Column::Id.eq(grant_id)).exec(txn).await?;
    Ok(())
}
