//! Filters and orders of subscriptions.

use super::status::SubscriptionStatus;
use crate::graphql::common::{DateTimeRange, StoredEnum, optional_text, texts};
use crate::order_input;
use crate::subscriptions::Subscriptions;
use async_graphql::InputObject;

/// Conditions that subscriptions must meet to be listed.
#[derive(InputObject, Default)]
pub struct SubscriptionFilter {
    /// Has one of these statuses.
    status: Option<Vec<SubscriptionStatus>>,
    /// Is for a plan with one of these codes.
    plan: Option<Vec<String>>,
    /// Has this id at its provider.
    external_id: Option<String>,
    /// Created within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of subscriptions.
    SubscriptionOrder by
    /// Fields that subscriptions can be ordered by.
    SubscriptionOrderField {
        /// By creation time.
        CreatedAt,
    }
}

impl SubscriptionFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<SubscriptionOrder>) -> crate::error::Result<Subscriptions> {
        let filter = filter.unwrap_or_default();
        Ok(Subscriptions {
            statuses: StoredEnum::stored_list(filter.status),
            plans: texts("plan", filter.plan)?,
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: SubscriptionOrder::descending(order, true),
        })
    }
}
