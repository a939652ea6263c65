//! Accounts with long ledgers, which the made-up company does not have by itself.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use sea_orm::{EntityTrait, QueryOrder, QuerySelect};
use tollgate::app::App;
use tollgate::auth::Viewer;
use tollgate::credits::{NewGrant, grant};
use uuid::Uuid;

/// The number of busy accounts.
const ACCOUNTS: u64 = 100;
/// The grants per busy account. A grant is two entries, one of them in the bucket that Q3 reads.
const GRANTS: usize = 200;
/// The number of concurrent grants.
const AT_ONCE: usize = 64;

/// Grants credits to the busy accounts.
pub(crate) async fn make(app: &App) -> anyhow::Result<()> {
    use entity::accounts::{Column, Entity};
    let ids = Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id).limit(ACCOUNTS);
    let ids: Vec<Uuid> = ids.into_tuple().all(app.db.read()).await?;
    eprintln!("Granting credits to {} accounts", ids.len());
    let viewer = Viewer::system("bench");
    let viewer = &viewer;
    // Account by account in each round, so that concurrent callers rarely meet.
    let grants = (0..GRANTS).flat_map(|number| ids.iter().map(move |id| (number, *id)));
    let made = stream::iter(grants).map(|(number, account_id)| async move {
        let unit = "credit".to_owned();
        let new =
            NewGrant { account_id, unit, amount: 1, reason: None, starts_at: None, expires_at: None, priority: 0 };
        grant(app, viewer, new, &format!("busy:{account_id}:{number}")).await
    });
    let made = made.buffer_unordered(AT_ONCE).map(|grant| grant.map(drop));
    made.try_collect::<()>().await.context("Credits could not be granted.")
}
