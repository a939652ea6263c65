//! The credits of an account in one unit, as rows in memory.

use crate::credits::schedule::Schedule;
use chrono::{DateTime, Utc};
use entity::{balances, credit_grants, credit_holds, ledger_entries, ledger_txns};
use std::collections::HashMap;
use uuid::Uuid;

/// The time and the source of ids of an operation.
#[derive(Clone, Copy)]
pub(in crate::credits) struct Moment<'a> {
    /// The present.
    pub(in crate::credits) now: DateTime<Utc>,
    /// Returns a new id that sorts by time.
    pub(in crate::credits) new_id: &'a (dyn Fn() -> Uuid + Send + Sync),
}

/// A row in memory, with its relation to the one in the database.
#[derive(Debug, Clone)]
pub(in crate::credits) struct Tracked<T> {
    pub(in crate::credits) row: T,
    pub(in crate::credits) state: RowState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credits) enum RowState {
    New,
    Changed,
    Stored,
}

impl<T> Tracked<T> {
    pub(in crate::credits) fn new(row: T) -> Self {
        Tracked { row, state: RowState::New }
    }

    pub(in crate::credits) fn stored(row: T) -> Self {
        Tracked { row, state: RowState::Stored }
    }

    /// Returns the row to change it.
    pub(in crate::credits) fn change(&mut self) -> &mut T {
        if self.state == RowState::Stored {
            self.state = RowState::Changed;
        }
        &mut self.row
    }
}

/// The credits of an account in one unit.
#[derive(Debug, Clone)]
pub(in crate::credits) struct Wallet {
    pub(in crate::credits) balance: Tracked<balances::Model>,
    /// Grants with credits left, and those that an operation needs.
    pub(in crate::credits) grants: Vec<Tracked<credit_grants::Model>>,
    /// Open holds, as far as they are due or an operation needs them.
    pub(in crate::credits) holds: Vec<Tracked<credit_holds::Model>>,
    /// The instant at which the next hold that is not in memory times out.
    pub(in crate::credits) next_hold: Option<DateTime<Utc>>,
    /// The allowances of the account's plans in this unit.
    pub(in crate::credits) schedules: Vec<Schedule>,
    /// The transactions and entries to write.
    pub(in crate::credits) txns: Vec<ledger_txns::Model>,
    pub(in crate::credits) entries: Vec<ledger_entries::Model>,
}

impl Wallet {
    /// Returns a wallet with this balance, its grants in the order of spending.
    pub(in crate::credits) fn new(balance: Tracked<balances::Model>, grants: Vec<credit_grants::Model>) -> Wallet {
        let mut wallet = Wallet {
            balance,
            grants: grants.into_iter().map(Tracked::stored).collect(),
            holds: Vec::new(),
            next_hold: None,
            schedules: Vec::new(),
            txns: Vec::new(),
            entries: Vec::new(),
        };
        wallet.sort_grants();
        wallet
    }

    /// Returns the balance of an account that holds nothing in the unit yet.
    pub(in crate::credits) fn empty(account_id: Uuid, credit_unit_id: Uuid, at: Moment<'_>) -> balances::Model {
        balances::Model {
            id: (at.new_id)(),
            account_id,
            credit_unit_id,
            entry_count: 0,
            updated_at: at.now.fixed_offset(),
            available: 0,
            held: 0,
            spent: 0,
            expired: 0,
            issued: 0,
            revoked: 0,
            owed: 0,
            next_due_at: None,
        }
    }

    /// Ends grants of earlier plans, by id with the instant of the change of plan: what is left of them expires, and what
    /// comes back to them later expires at once.
    pub(in crate::credits) fn end_replaced(&mut self, replaced: &HashMap<Uuid, DateTime<Utc>>) {
        for grant in &mut self.grants {
            if let Some(changed_at) = replaced.get(&grant.row.id) {
                let end = changed_at.fixed_offset().max(grant.row.starts_at);
                grant.change().expires_at = Some(end);
                let due = &mut self.balance.change().next_due_at;
                *due = Some(due.map_or(end, |due| due.min(end)));
            }
        }
        self.sort_grants();
    }

    /// Returns the grant with this id.
    pub(in crate::credits) fn grant_mut(&mut self, id: Uuid) -> Option<&mut Tracked<credit_grants::Model>> {
        self.grants.iter_mut().find(|grant| grant.row.id == id)
    }

    /// Sorts the grants in the order of spending: the soonest expiry first, then the lowest priority, then the oldest.
    pub(in crate::credits) fn sort_grants(&mut self) {
        self.grants.sort_by(|one, other| place(&one.row).cmp(&place(&other.row)));
    }

    /// Adds a grant at its place in the order of spending.
    pub(in crate::credits) fn insert_grant(&mut self, grant: Tracked<credit_grants::Model>) {
        let index = self.grants.partition_point(|earlier| place(&earlier.row) < place(&grant.row));
        self.grants.insert(index, grant);
    }
}

/// Returns the place of a grant in the order of spending.
fn place(grant: &credit_grants::Model) -> impl Ord {
    (grant.expires_at.is_none(), grant.expires_at, grant.priority, grant.created_at, grant.id)
}
