//! Issuing licences to existing accounts.

use super::rows::new_row;
use super::store;
use super::values::LicenseSource;
use crate::accounts::AccountKind;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::Result;
use entity::license_keys;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;
use serde_json::json;
use uuid::Uuid;

/// Accounts per transaction.
const BATCH: u64 = 500;

/// A selection of accounts to get licences.
#[derive(Debug, Clone)]
pub struct Backfill {
    /// The kind of the accounts.
    pub kind: AccountKind,
    /// Maximum number of simultaneous devices of each licence.
    pub max_devices: i64,
    /// True to count without writing.
    pub dry_run: bool,
}

/// The result of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// Number of accounts of the kind, without those of erased people.
    pub accounts: u64,
    /// Number of them without a licence.
    pub missing: u64,
    /// Number of licences issued.
    pub issued: u64,
}

/// Issues a licence without a key to every account that never had one, and reports the count so far to `progress`.
///
/// The accounts are processed in the order of their ids, in batches with a transaction each. After an interruption the
/// next call continues: accounts with a licence are skipped.
pub async fn issue_missing(app: &App, viewer: &Viewer, plan: &Backfill, progress: impl Fn(u64, u64)) -> Result<Issued> {
    viewer.require(Permission::KeysWrite)?;
    let (accounts, missing) = store::count_accounts(app.db.read(), plan.kind).await?;
    let mut done = Issued { accounts, missing, issued: 0 };
    progress(0, missing);
    if plan.dry_run {
        return Ok(done);
    }
    let mut after = Uuid::nil();
    loop {
        let batch = Batch { plan: plan.clone(), after, actor: viewer.actor().to_owned() };
        let (last, issued) = app.db.write(move |txn| Box::pin(batch.run(txn))).await?;
        let Some(last) = last else { return Ok(done) };
        after = last;
        done.issued += issued;
        progress(done.issued, missing.max(done.issued));
    }
}

struct Batch {
    plan: Backfill,
    after: Uuid,
    actor: String,
}

impl Batch {
    /// Issues the licences of one batch; returns its last account, and the number of licences issued.
    async fn run(self, txn: &Txn) -> Result<(Option<Uuid>, u64)> {
        let accounts = store::accounts_without_licence(txn, self.plan.kind, self.after, BATCH).await?;
        let last = accounts.last().map(|account| account.id);
        let mut issued = 0;
        for account in accounts {
            issued += issue_to(txn, &self.actor, account.id, self.plan.max_devices).await?;
        }
        Ok((last, issued))
    }
}

/// Issues a licence to an account; returns the number issued, which is 0 if another run was faster.
async fn issue_to(txn: &Txn, actor: &str, account_id: Uuid, max_devices: i64) -> Result<u64> {
    let id = txn.new_id();
    let row = new_row(id, account_id, max_devices, LicenseSource::Backfill, txn.now());
    let insert = license_keys::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    let inserted = insert.exec_without_returning(txn).await?;
    if inserted == 1 {
        let entry = AuditEntry::new("license_keys.issue", "LicenseKey", id).account(account_id);
        txn.audit(actor, entry.after(json!({"maxDevices": max_devices}))).await?;
    }
    Ok(inserted)
}
