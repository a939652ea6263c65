//! What can be bought, and what it grants.

use super::parts::{CreditAllowance, PlanFeature, Price};
use super::provider_price::ProviderPrice;
use crate::graphql::common::{
    Connection, Instant, Row, Word, all_under, global_id, listed_for_anyone, optional_text, page_args, to_exactly_one,
    under,
};
use crate::plans::{Allowances, Features, Plans, Prices, ProviderPrices, ProviderPricesOf, Versions};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{product_versions, products};

pub struct Plan(pub(crate) Row<products::Entity>);

words! {
    /// What kind of thing can be bought.
    PlanKind {
        /// A subscription that gives an account its plan.
        Plan = "plan",
        /// Something beside a plan.
        Addon = "addon",
        /// Credits, bought once.
        CreditPack = "credit_pack",
        /// Something bought for someone else.
        Gift = "gift",
    }
}

/// Something that can be bought: a plan, an add-on, a pack of credits or a gift.
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

    /// What kind of thing it is.
    async fn kind(&self) -> Result<PlanKind> {
        Ok(PlanKind::read(&self.0.kind)?)
    }

    /// The name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is, for people; null where there is nothing to say.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Where it stands among the plans: of several that someone holds, the highest rank wins.
    async fn rank(&self) -> i64 {
        self.0.rank
    }

    /// Whether it is sold at present. Who has it keeps it either way.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }

    /// The version on sale; null where none is.
    async fn current_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        Ok(all_under(ctx, (), self.0.id, Versions { current: true }).await?.pop())
    }

    /// Every version, newest first; drafts for those with the scope `billing:read` or `catalogue:write` alone.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<PlanVersion>> {
        under(ctx, (), self.0.id, Versions { current: false }, page_args(first, after, last, before)).await
    }
}

pub struct PlanVersion(pub(crate) Row<product_versions::Entity>);

words! {
    /// Where a version stands.
    PlanVersionStage {
        /// Being written; nobody can buy it.
        Draft = "draft",
        /// On sale.
        Published = "published",
        /// No longer on sale; kept by those who have it.
        Superseded = "superseded",
    }
}

/// What a plan costs and grants, at one time. A published version never changes: who bought it keeps it.
#[Object]
impl PlanVersion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<PlanVersion>(self.0.id)
    }

    /// The plan that it is a version of.
    async fn version_of(&self, ctx: &Context<'_>) -> Result<Plan> {
        to_exactly_one(ctx, self.0.product_id).await
    }

    /// Counts the versions of the plan, from 1.
    async fn version_number(&self) -> i64 {
        self.0.number
    }

    /// Where it stands.
    async fn stage(&self) -> Result<PlanVersionStage> {
        Ok(PlanVersionStage::read(&self.0.status)?)
    }

    /// When it was drafted.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it went on sale; null for a draft.
    async fn published_at(&self) -> Option<Instant> {
        self.0.published_at.map(Instant::from)
    }

    /// What it costs, smallest amount first.
    async fn prices(&self, ctx: &Context<'_>) -> Result<Vec<Price>> {
        all_under(ctx, (), self.0.id, Prices).await
    }

    /// The prices at the payment providers that sell it, those included that are not one amount for each unit.
    async fn provider_prices(&self, ctx: &Context<'_>) -> Result<Vec<ProviderPrice>> {
        all_under(ctx, ProviderPricesOf::Version, self.0.id, ProviderPrices).await
    }

    /// What it allows.
    async fn features(&self, ctx: &Context<'_>) -> Result<Vec<PlanFeature>> {
        all_under(ctx, (), self.0.id, Features).await
    }

    /// The credits it brings, in the order in which they are spent.
    async fn credit_allowances(&self, ctx: &Context<'_>) -> Result<Vec<CreditAllowance>> {
        all_under(ctx, (), self.0.id, Allowances).await
    }
}

/// Which plans to list.
#[derive(InputObject, Default)]
pub struct PlanFilter {
    /// These kinds; plans alone where it is left out.
    kind: Option<Vec<PlanKind>>,
    /// Whether it is sold at present; what is sold alone where it is left out.
    active: Option<bool>,
}

order_input! {
    /// How to order plans.
    PlanOrder by
    /// What plans can be ordered by.
    PlanOrderField {
        /// Their rank.
        Rank,
    }
}

/// What can be asked about what is sold. Open to everyone.
#[derive(Default)]
pub struct PlanQuery;

#[Object]
impl PlanQuery {
    /// What is sold. Open to everyone; what was never published is shown
    /// to those with the scope `billing:read` or `catalogue:write` alone.
    async fn plans(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the plans that match.")] filter: Option<PlanFilter>,
        #[graphql(desc = "The order; lowest rank first where it is left out.")] order_by: Option<PlanOrder>,
    ) -> Result<Connection<Plan>> {
        let filter = filter.unwrap_or_default();
        let kinds = filter.kind.unwrap_or_else(|| vec![PlanKind::Plan]);
        let list = Plans {
            kinds: Word::words(Some(kinds)),
            active: Some(filter.active.unwrap_or(true)),
            code: None,
            descending: PlanOrder::descending(order_by, false),
        };
        listed_for_anyone(ctx, list, page_args(first, after, last, before)).await
    }

    /// Whatever can be bought, by its code; null where there is no such thing, or it was never published. Open to
    /// everyone.
    async fn plan(&self, ctx: &Context<'_>, #[graphql(desc = "The code.")] code: String) -> Result<Option<Plan>> {
        let kinds = PlanKind::WORDS.iter().map(|(_, word)| *word).collect();
        let list = Plans { kinds, active: None, code: optional_text("code", Some(code))?, descending: false };
        let found: Connection<Plan> = listed_for_anyone(ctx, list, page_args(Some(1), None, None, None)).await?;
        Ok(found.into_first())
    }
}
