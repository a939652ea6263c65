//! Queries on the credit ledger.

pub(super) mod flows;
pub(super) mod outstanding;
pub(super) mod past;
pub(super) mod plans;
pub(super) mod replaced;
pub(super) mod schedules;
pub(super) mod wallets;

use super::values::{GrantSource, HoldState, LedgerBucket};
use crate::auth::{Permission, Scope};
use crate::db::{ChildListing, Listing, Order, Txn, Visible, in_accounts_of};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, Utc};
use entity::{balances, credit_grants, credit_holds, credit_units, ledger_entries, ledger_txns};
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select};
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

impl Visible for credit_holds::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, credit_holds::Column::AccountId))
    }
}

/// Holds of an account, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holds {
    /// Only holds that are in this state at `now`.
    pub state: Option<HoldState>,
    /// The present, at which holds may have timed out that are written as open.
    pub now: DateTime<Utc>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Holds {
    type Entity = credit_holds::Entity;

    fn filter(&self, rows: Select<credit_holds::Entity>) -> Select<credit_holds::Entity> {
        use credit_holds::Column;
        let is = |state: HoldState| Column::State.eq(state);
        let is_over = Column::ExpiresAt.lte(self.now.fixed_offset());
        match self.state {
            Some(HoldState::Open) => rows.filter(is(HoldState::Open)).filter(is_over.not()),
            Some(HoldState::Expired) => rows.filter(is(HoldState::Expired).or(is(HoldState::Open).and(is_over))),
            Some(state) => rows.filter(is(state)),
            None => rows,
        }
    }

    fn order(&self) -> Order<credit_holds::Entity> {
        order!(credit_holds, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for Holds {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        credit_holds::Column::AccountId.into_expr().eq(account)
    }
}

/// Returns the grant with this id, for any caller.
pub(super) async fn grant_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<credit_grants::Model>> {
    let rows = credit_grants::Entity::visible(Scope::Everything).filter(credit_grants::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Returns the grants that a payment bought, for any caller.
pub(super) async fn grants_of_payment(txn: &Txn, payment_id: Uuid) -> Result<Vec<credit_grants::Model>> {
    use credit_grants::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::PaymentId.eq(payment_id)).all(txn).await?)
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
