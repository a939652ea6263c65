//! Recurring revenue and subscriptions at an instant, from the history.

use super::derived::movement_row;
use super::movements::movements;
use super::store::facts;
use super::store::recurring::{self as store, ActiveCount, OfCustomer, OfPlan, Recurring, Unknown};
use super::values::DiscountPolicy;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::money;
use chrono::{DateTime, Utc};
use entity::mrr_movements;
use uuid::Uuid;

/// Maximum number of customers in one answer.
const MAX_CUSTOMERS: u32 = 100;

/// Returns the recurring revenue in force at `as_of`, by currency.
pub async fn recurring(
    app: &App,
    viewer: &Viewer,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Recurring>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::recurring(app.db.read(), as_of, policy).await
}

/// Returns the numbers of subscriptions that count at `as_of` but whose amounts are unknown, by currency.
pub async fn unknown_recurring(
    app: &App,
    viewer: &Viewer,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Unknown>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::unknown(app.db.read(), as_of, policy).await
}

/// Counts the subscriptions in each status at `as_of`.
pub async fn subscriptions_by_status(app: &App, viewer: &Viewer, as_of: DateTime<Utc>) -> Result<Vec<ActiveCount>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::subscriptions_by_status(app.db.read(), as_of).await
}

/// Returns the recurring revenue in force at `as_of`, by currency and plan, largest first.
pub async fn recurring_by_plan(
    app: &App,
    viewer: &Viewer,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<OfPlan>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::by_plan(app.db.read(), as_of, policy).await
}

/// Returns at most `count` customers with the most recurring revenue in one currency at `as_of`, largest first.
pub async fn top_customers(
    app: &App,
    viewer: &Viewer,
    currency: &str,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
    count: i32,
) -> Result<Vec<OfCustomer>> {
    viewer.require(Permission::AnalyticsRead)?;
    let count = u32::try_from(count).ok().filter(|count| *count <= MAX_CUSTOMERS);
    let count = count.ok_or_else(|| Error::bad_input("`first` must be between 0 and 100."))?;
    if !money::is_currency(currency) {
        return Err(Error::bad_input("`currency` must be an ISO 4217 code, such as EUR."));
    }
    store::top_customers(app.db.read(), as_of, policy, currency, count).await
}

/// Returns the movements of one account up to today, oldest first.
pub async fn movements_of(
    app: &App,
    viewer: &Viewer,
    account_id: Uuid,
    policy: DiscountPolicy,
) -> Result<Vec<mrr_movements::Model>> {
    viewer.require(Permission::AnalyticsRead)?;
    let today = app.now().date_naive();
    // They are few, and computed as fast as they are read.
    let snapshot = app.db.snapshot().await?;
    let lines = facts::lines(&snapshot, &[account_id]).await?.remove(&account_id).unwrap_or_default();
    let found = movements(&lines)?.into_iter().filter(|movement| movement.discounts == policy && movement.day <= today);
    Ok(found.map(|movement| movement_row(account_id, movement)).collect())
}
