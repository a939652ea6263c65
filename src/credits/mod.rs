//! The append-only double-entry credit ledger.
//!
//! Invariants: the entries of a transaction add up to zero; a balance equals the sum of its entries, and no bucket but
//! `issued` and `owed` is ever negative; `remaining` of a grant is its amount less its entries. The database enforces the
//! first two; `wallet` ensures the rest, and the property tests check all of them against a model.
//!
//! A balance changes by operations and by time: grants begin and expire, holds time out, allowances are due. All changes
//! by time up to an instant are applied in the order of their instants before anything else is, in memory for a reader
//! and in the same transaction for a writer. So an answer does not depend on when a job ran. The effective time of the
//! entries of a balance never decreases, and every change happens under the lock of the balance.

mod balance_at;
mod checks;
mod execute;
mod flows;
mod grant;
mod jobs;
mod ledger;
mod next_due;
mod operation;
mod outstanding;
mod past;
mod plans;
mod purchase;
mod refundable;
mod reversal;
mod schedule;
mod settle;
mod settled;
mod store;
mod term;
mod time_zone;
mod values;
mod verbs;
mod wallet;

pub use balance_at::BalanceAt;
pub use flows::{Flows, Standing, flows};
pub use grant::{NewGrant, grant};
pub use jobs::SettleBalances;
pub use ledger::{Ledger, Spend, is_due};
pub use next_due::{NextDue, next_due};
pub use operation::Moved;
pub use outstanding::{Outstanding, outstanding};
pub use past::balances_at;
pub use plans::note_plans;
pub use purchase::{ObservedPurchase, Purchase, credits_kept, find_purchase, project_purchase};
pub use refundable::refuse_spent;
pub use reversal::{Reversal, reverse};
pub use settle::settle_all;
pub use settled::settled;
pub use store::{Balances, Entries, Grants, Holds};
pub use time_zone::set_time_zone;
pub use values::{GrantSource, HoldState, LedgerBucket, LedgerOperation};
pub use verbs::{Note, Request, change, change_all};
