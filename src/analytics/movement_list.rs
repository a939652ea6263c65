//! The single movements of all customers.

use super::store::movements::MovementList;
use super::view::View;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::{self, PageArgs, Slice};
use crate::error::Result;
use entity::mrr_movements;

/// Returns a page of the movements.
pub async fn movement_page(
    app: &App,
    viewer: &Viewer,
    list: &MovementList,
    args: &PageArgs,
) -> Result<Slice<mrr_movements::Model>> {
    viewer.require(Permission::AnalyticsRead)?;
    let view = View::open(app).await?;
    let fresh = view.fresh.values().filter(|row| list.has(row)).cloned();
    db::page_with(&view.snapshot, viewer, list, args, fresh).await
}

/// Returns the number of the movements.
pub async fn movement_count(app: &App, viewer: &Viewer, list: &MovementList) -> Result<i64> {
    viewer.require(Permission::AnalyticsRead)?;
    let view = View::open(app).await?;
    let fresh = view.fresh.values().filter(|row| list.has(row)).count();
    let stored = db::count(&view.snapshot, viewer, list).await?;
    Ok(stored + i64::try_from(fresh).unwrap_or(i64::MAX))
}
