//! The database: one file with one writer on SQLite, a pool on PostgreSQL, behind one interface.
//!
//! Reads go to [`Db::read`]; every change goes through [`Db::write`], which returns only after a durable commit.

mod bulk;
mod collectors;
mod combine;
mod commit_listener;
mod commit_signal;
mod connect;
mod dialect;
mod errors;
mod flush;
mod handle;
mod idempotency;
mod installation;
mod lane;
mod list;
mod mirror;
mod order;
mod page;
mod text_enum;
mod turn;
mod txn;
mod visible;
mod watch;
mod work;
mod write;

pub use bulk::{find_matching, insert_all, insert_new, insert_new_ids, update_all, upsert_all, whole_rows};
pub use combine::Combined;
pub use commit_listener::CommitListener;
pub use commit_signal::CommitSignal;
pub use dialect::{ROW_LOCK, columns, in_list, skip_locked, stored_instant, utc_day};
pub use errors::{is_duplicate, is_worth_repeating, overtaken};
pub use handle::Db;
pub use idempotency::{IdempotencyKey, purge, stored_response};
pub use installation::{claim_reference_key, installation_id, reference_key};
pub use list::{ChildListing, Listing, all_each, count, count_each, page, page_each, page_with, within};
pub use mirror::{Difference, Mirror, Mirrored};
pub use order::{Key, Order, Sorted, cursor_tag};
pub use page::{Between, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageArgs, Slice};
pub use txn::Txn;
pub use visible::{
    Visible, accounts_of, by_ids, has_external_id, in_accounts_of, rows_for, scope_for, unrestricted_only,
};
