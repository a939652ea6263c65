//! The history of subscriptions.

use super::discount::SubscriptionArrChange;
use super::status::SubscriptionStatus;
use crate::graphql::common::{Currency, Instant, Json, Money, Row, StoredEnum, all_children, global_id, to_one};
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::plans::plan::PlanVersion;
use crate::order_input;
use crate::subscriptions::ArrChanges;
use async_graphql::{Context, ID, Object, Result};
use entity::subscription_versions;

pub struct SubscriptionVersion(pub(crate) Row<subscription_versions::Entity>);

/// A state of a subscription. The history is append-only: states are added, never changed.
#[Object]
impl SubscriptionVersion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionVersion>(self.0.id)
    }

    /// The time at which it took effect, by the provider's clock.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// The time at which it was recorded here.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// The status of the subscription in this state.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.status)?)
    }

    /// True if the collection of payments was paused.
    async fn paused(&self) -> bool {
        self.0.paused
    }

    /// The version of the plan; null if it is unknown here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// The currency it billed in; null if it is unknown.
    async fn currency(&self) -> Option<Currency> {
        self.0.currency.clone().map(Currency)
    }

    /// The items it billed for: a list with, among others, the price, quantity, interval, and the amount for one
    /// interval in minor units, which is null if it is unknown.
    async fn items_in_force(&self) -> Json {
        Json(self.0.items.clone())
    }

    /// Its discounts: a list with, among others, the scope (`customer`, `subscription` or `item`), the restriction to
    /// products, the percentage or amount with its currency, start and end; null for none.
    async fn discount_in_force(&self) -> Option<Json> {
        self.0.discount.clone().map(Json)
    }

    /// Annual recurring revenue at `effectiveAt` after discounts that last forever; null if an amount is unknown here. It
    /// counts as recurring revenue depending on the status.
    async fn arr(&self) -> Option<Money> {
        Money::known(self.0.arr_minor, self.0.currency.as_deref())
    }

    /// Annual recurring revenue at `effectiveAt` after all discounts in force; null if an amount is unknown here.
    async fn discounted_arr(&self) -> Option<Money> {
        Money::known(self.0.discounted_arr_minor, self.0.currency.as_deref())
    }

    /// Changes of the annual recurring revenue while this state lasts, because a discount begins or ends; earliest first.
    async fn arr_changes(&self, ctx: &Context<'_>) -> Result<Vec<SubscriptionArrChange>> {
        all_children(ctx, (), self.0.id, ArrChanges).await
    }

    /// The cause of the change, such as the type of the provider's event.
    async fn cause(&self) -> &str {
        &self.0.cause
    }

    /// The provider's event that caused it; null if there was none. Requires the scope `billing:read`.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<WebhookEvent>> {
        to_one(ctx, self.0.inbox_event_id).await
    }
}

order_input! {
    /// Order of the history of a subscription.
    SubscriptionVersionOrder by
    /// Fields that the history of a subscription can be ordered by.
    SubscriptionVersionOrderField {
        /// By the time of taking effect.
        EffectiveAt,
    }
}
