//! The time zone of an account, in which the days of its allowances and limits begin.

use super::plans::note_plans;
use crate::accounts;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::changes::{self, Change};
use crate::error::{Error, Result};
use chrono_tz::Tz;
use entity::accounts::Model;
use serde_json::json;
use uuid::Uuid;

/// Sets the time zone of an account. A local day that was granted an allowance is granted none again.
pub async fn set_time_zone(app: &App, viewer: &Viewer, account_id: Uuid, time_zone: String) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    if time_zone.parse::<Tz>().is_err() {
        let message = "`timeZone` must be a name of the IANA database, such as `Europe/Berlin`.";
        return Err(Error::refused("TIME_ZONE_INVALID", &["timeZone"], message));
    }
    let actor = viewer.actor().to_owned();
    let work = app.db.write(move |txn| {
        Box::pin(async move {
            let found = accounts::set_time_zone(txn, account_id, &time_zone).await?;
            let account = found.ok_or(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found."))?;
            note_plans(txn, account_id).await?;
            changes::record(txn, Change::EntitlementsChanged(account_id)).await?;
            let entry = AuditEntry::new("accounts.set_time_zone", "Account", account_id).account(account_id);
            txn.audit(&actor, entry.after(json!({"timeZone": account.time_zone}))).await?;
            Ok(account)
        })
    });
    work.await
}
