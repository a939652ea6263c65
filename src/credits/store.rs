//! Every query on the credit ledger.

use super::post::{Bucket, Posting};
use crate::auth::Scope;
use crate::db::{ChildListing, Listing, Order, Txn, Visible, in_accounts_of};
use crate::error::{Error, Result};
use crate::order;
use entity::{balances, credit_grants, credit_units, ledger_entries, ledger_txns};
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Select, Statement, Value};
use uuid::Uuid;

impl Visible for balances::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, balances::Column::AccountId))
    }
}

impl Visible for credit_grants::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, credit_grants::Column::AccountId))
    }
}

impl Visible for ledger_entries::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, ledger_entries::Column::AccountId))
    }
}

impl Visible for ledger_txns::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, ledger_txns::Column::AccountId))
    }
}

/// An account's balances, one per credit unit that it ever held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Balances {
    /// The balance in the unit with this code alone.
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

/// Credits granted to an account, by the time of the grant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grants {
    /// Grants from this source alone.
    pub source: Option<&'static str>,
    /// Grants of the unit with this code alone.
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

/// The entries of one bucket of an account in one unit, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entries {
    /// The code of the unit.
    pub unit: String,
    /// The bucket, e.g. `available`.
    pub bucket: &'static str,
}

impl Listing for Entries {
    type Entity = ledger_entries::Entity;

    fn filter(&self, rows: Select<ledger_entries::Entity>) -> Select<ledger_entries::Entity> {
        let unit = SimpleExpr::SubQuery(None, Box::new(unit(&self.unit).into()));
        rows.filter(ledger_entries::Column::CreditUnitId.into_expr().eq(unit))
            .filter(ledger_entries::Column::Bucket.eq(self.bucket))
    }

    fn order(&self) -> Order<ledger_entries::Entity> {
        order!(ledger_entries, seq, Seq, true)
    }
}

impl ChildListing for Entries {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        ledger_entries::Column::AccountId.into_expr().eq(account)
    }
}

/// The grant with this id, whoever asks.
pub(super) async fn grant_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<credit_grants::Model>> {
    let rows = credit_grants::Entity::visible(Scope::Everything).filter(credit_grants::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Moves a balance, making it first where there is none, and gives it as it is after. It stays locked until the commit.
pub(super) async fn move_balance(txn: &Txn, posting: &Posting) -> Result<balances::Model> {
    const SQL: &str = "INSERT INTO balances \
        (id, account_id, credit_unit_id, entry_count, updated_at, available, held, spent, expired, issued, revoked) \
        VALUES ($1, $2, $3, 2, $4, $5, 0, 0, 0, $6, 0) \
        ON CONFLICT (account_id, credit_unit_id) DO UPDATE SET \
        entry_count = balances.entry_count + excluded.entry_count, updated_at = excluded.updated_at, \
        available = balances.available + excluded.available, issued = balances.issued + excluded.issued \
        RETURNING *";
    let values: [Value; 6] = [
        posting.balance_id.into(),
        posting.account_id.into(),
        posting.credit_unit_id.into(),
        posting.at.fixed_offset().into(),
        posting.change(Bucket::Available).into(),
        posting.change(Bucket::Issued).into(),
    ];
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), SQL, values);
    let row = txn.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("an upsert gave no row")))?;
    Ok(balances::Model::from_query_result(&row, "")?)
}
