//! Lists of prices at the payment providers.

use super::visible::{WRITERS, published};
use crate::auth::{Permission, Scope};
use crate::db::{ChildListing, Listing, Order, Visible};
use crate::order;
use entity::{provider_prices, subscription_items, subscriptions};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

impl Visible for provider_prices::Entity {
    const OPEN_TO: &[Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, provider_prices::Column::ProductVersionId))
    }
}

/// Prices at the payment providers, in the order in which they became known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderPrices;

/// The parent of a list of prices at the payment providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderPricesOf {
    /// The version of a plan that they sell.
    Version,
    /// The price of ours that they sell.
    Price,
    /// The subscription item that bills one of them.
    SubscriptionItem,
}

impl Listing for ProviderPrices {
    type Entity = provider_prices::Entity;

    fn filter(&self, rows: Select<provider_prices::Entity>) -> Select<provider_prices::Entity> {
        rows
    }

    fn order(&self) -> Order<provider_prices::Entity> {
        order!(provider_prices, id, false)
    }
}

impl ChildListing for ProviderPrices {
    type Of = ProviderPricesOf;

    fn belongs_to(of: ProviderPricesOf, parent: SimpleExpr) -> SimpleExpr {
        use provider_prices::Column;
        match of {
            ProviderPricesOf::Version => Column::ProductVersionId.into_expr().eq(parent),
            ProviderPricesOf::Price => Column::PriceId.into_expr().eq(parent),
            ProviderPricesOf::SubscriptionItem => {
                let billed = Query::select()
                    .column((subscriptions::Entity, subscriptions::Column::Provider))
                    .column((subscription_items::Entity, subscription_items::Column::PriceExternalId))
                    .from(subscription_items::Entity)
                    .inner_join(
                        subscriptions::Entity,
                        Expr::col((subscriptions::Entity, subscriptions::Column::Id))
                            .equals((subscription_items::Entity, subscription_items::Column::SubscriptionId)),
                    )
                    .and_where(subscription_items::Column::Id.into_expr().eq(parent))
                    .take();
                Expr::tuple([Column::Provider.into_expr(), Column::ExternalId.into_expr()]).in_subquery(billed)
            }
        }
    }
}
