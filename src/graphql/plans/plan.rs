//! Products for sale, and their versions.

use super::parts::{CreditAllowance, PlanFeature, Price};
use super::provider_price::ProviderPrice;
use crate::graphql::common::{
    Connection, Instant, Row, StoredEnum, all_children, child_page, global_id, optional_text, page_args, public_page,
    to_exactly_one,
};
use crate::plans::{Allowances, Features, Plans, Prices, ProductKind, ProviderPrices, ProviderPricesOf, Versions};
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{product_versions, products};

pub struct Plan(pub(crate) Row<products::Entity>);

stored_enum! {
    /// The kind of a product.
    PlanKind: crate::plans::ProductKind {
        /// A subscription that gives an account its plan.
        Plan,
        /// An extra beside a plan.
        Addon,
        /// Credits, bought once.
        CreditPack,
        /// A product bought for someone else.
        Gift,
    }
}

/// A product: a plan, an add-on, a pack of credits or a gift. Visible to everyone once it was published.
#[Object]
impl Plan {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Plan>(self.0.id)
    }

    /// The stable name for machines; it never changes.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The kind of product.
    async fn kind(&self) -> Result<PlanKind> {
        Ok(PlanKind::read(&self.0.kind)?)
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A description for display; null if there is none.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The rank among plans: of several plans that an account holds, the one with the highest rank is its current plan.
    async fn rank(&self) -> i64 {
        self.0.rank
    }

    /// True if it is currently sold. Existing subscriptions keep it either way.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of the last change.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }

    /// The version on sale; null if there is none.
    async fn current_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        Ok(all_children(ctx, (), self.0.id, Versions { current: true }).await?.pop())
    }

    /// All versions, newest first. Drafts are included only for callers with the scope `billing:read` or
    /// `catalogue:write`.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<PlanVersion>> {
        child_page(ctx, (), self.0.id, Versions { current: false }, page_args(first, after, last, before)).await
    }
}

pub struct PlanVersion(pub(crate) Row<product_versions::Entity>);

stored_enum! {
    /// The stage of a version.
    PlanVersionStage: crate::plans::VersionStatus {
        /// In preparation; nobody can buy it.
        Draft,
        /// On sale.
        Published,
        /// Replaced by a newer version; existing subscriptions keep it.
        Superseded,
    }
}

/// The prices and contents of a plan at one time. A published version never changes: existing subscriptions keep it.
#[Object]
impl PlanVersion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<PlanVersion>(self.0.id)
    }

    /// The plan.
    async fn version_of(&self, ctx: &Context<'_>) -> Result<Plan> {
        to_exactly_one(ctx, self.0.product_id).await
    }

    /// The number of the version within its plan, from 1.
    async fn version_number(&self) -> i64 {
        self.0.number
    }

    /// The stage of the version.
    async fn stage(&self) -> Result<PlanVersionStage> {
        Ok(PlanVersionStage::read(&self.0.status)?)
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of publication; null for a draft.
    async fn published_at(&self) -> Option<Instant> {
        self.0.published_at.map(Instant::from)
    }

    /// Days of access to the features after a payment failed; null for as long as it is due.
    async fn past_due_grace_days(&self) -> Option<i64> {
        self.0.past_due_grace_days
    }

    /// True for access to the features while the subscription is paused.
    async fn access_while_paused(&self) -> bool {
        self.0.access_while_paused
    }

    /// True for access to the features in a trial.
    async fn access_in_trial(&self) -> bool {
        self.0.access_in_trial
    }

    /// The prices, smallest amount first.
    async fn prices(&self, ctx: &Context<'_>) -> Result<Vec<Price>> {
        all_children(ctx, (), self.0.id, Prices).await
    }

    /// The prices at the payment providers that sell the version, including tiered and other prices without one amount
    /// per unit.
    async fn provider_prices(&self, ctx: &Context<'_>) -> Result<Vec<ProviderPrice>> {
        all_children(ctx, ProviderPricesOf::Version, self.0.id, ProviderPrices).await
    }

    /// The features that it grants.
    async fn features(&self, ctx: &Context<'_>) -> Result<Vec<PlanFeature>> {
        all_children(ctx, (), self.0.id, Features).await
    }

    /// The credits that it grants, in the order in which they are spent.
    async fn credit_allowances(&self, ctx: &Context<'_>) -> Result<Vec<CreditAllowance>> {
        all_children(ctx, (), self.0.id, Allowances).await
    }
}

/// Conditions on products; a product must meet all that are given.
#[derive(InputObject, Default)]
pub struct PlanFilter {
    /// Products of these kinds; plans only by default.
    kind: Option<Vec<PlanKind>>,
    /// True for products that are currently sold, the default; false for the others.
    active: Option<bool>,
}

order_input! {
    /// The order of a list of plans.
    PlanOrder by
    /// The fields that plans can be ordered by.
    PlanOrderField {
        /// The rank.
        Rank,
    }
}

/// The query roots of the catalogue. Open to everyone.
#[derive(Default)]
pub struct PlanQuery;

#[Object]
impl PlanQuery {
    /// Products on sale. Open to everyone. Products that were never published are included only for callers with the
    /// scope `billing:read` or `catalogue:write`.
    async fn plans(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the plans.")] filter: Option<PlanFilter>,
        #[graphql(desc = "The order; lowest rank first by default.")] order_by: Option<PlanOrder>,
    ) -> Result<Connection<Plan>> {
        let filter = filter.unwrap_or_default();
        let kinds = filter.kind.unwrap_or_else(|| vec![PlanKind::Plan]);
        let list = Plans {
            kinds: StoredEnum::stored_list(Some(kinds)),
            active: Some(filter.active.unwrap_or(true)),
            code: None,
            descending: PlanOrder::descending(order_by, false),
        };
        public_page(ctx, list, page_args(first, after, last, before)).await
    }

    /// A product by its code; null if there is none or it was never published. Open to everyone.
    async fn plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The product's code.")] code: String,
    ) -> Result<Option<Plan>> {
        let kinds = vec![ProductKind::Plan, ProductKind::Addon, ProductKind::CreditPack, ProductKind::Gift];
        let list = Plans { kinds, active: None, code: optional_text("code", Some(code))?, descending: false };
        let found: Connection<Plan> = public_page(ctx, list, page_args(Some(1), None, None, None)).await?;
        Ok(found.into_first())
    }
}
