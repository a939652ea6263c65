//! Entitlements: the answer for a feature of an account.

use super::loaders::{EntitlementsOf, OffersOf};
use crate::accounts::OwnAccount;
use crate::entitlements::{self, Asked, EntitlementReason, unlocks};
use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ById, ContextExt, Instant, StoredEnum, all_children, local_id, to_exactly_one};
use crate::graphql::plans::parts::{Feature, LimitWindow};
use crate::graphql::plans::plan::Plan;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::subscriptions::Holder;
use async_graphql::{Context, Enum, ID, Object, Result};
use entity::features;
use std::sync::Arc;
use uuid::Uuid;

pub struct Entitlement(pub(crate) entitlements::Entitlement);

/// The reason why a feature can be used, or why not. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "EntitlementReason", remote = "EntitlementReason")]
pub enum Reason {
    /// The plan or an add-on includes it.
    Included,
    /// An override gives it to the account, or changes its limit.
    Override,
    /// The plan does not include it.
    NotInPlan,
    /// The account has no plan.
    NoPlan,
    /// A limit is reached. `allowed` is true if the plan only warns.
    LimitReached,
    /// A payment is due, and the plan's time to pay it is over.
    PastDue,
    /// The subscription is paused, and the plan gives no access meanwhile.
    Paused,
    /// The subscription is in its trial, which does not include the plan's features.
    TrialExcluded,
    /// An override takes it from the account.
    TakenAway,
    /// A limit is passed, and further units are charged: credits pay for them where the plan says so.
    Overage,
}

/// The use that an account can make of a feature now. Visible to the account's members, and to callers with the scope
/// `billing:read` or `credits:write`.
#[Object]
impl Entitlement {
    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The feature.
    async fn feature(&self, ctx: &Context<'_>) -> Result<Feature> {
        to_exactly_one(ctx, self.0.feature_id).await
    }

    /// True if the feature can be used now: of a feature that is counted, one more unit.
    async fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The reason why the feature can be used, or why not.
    async fn reason(&self) -> Reason {
        self.0.reason.into()
    }

    /// The value of a feature of the kind CONFIG; null for other kinds, and if the account does not have the feature.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// The limit, in the feature's unit, of the window with the fewest units left; null for unlimited.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit.map(BigInt)
    }

    /// The units used in that window; null for a feature that is not counted.
    async fn used(&self) -> Option<BigInt> {
        self.0.used.map(BigInt)
    }

    /// The units left in that window, with banked ones; never negative, null for unlimited.
    async fn remaining(&self) -> Option<BigInt> {
        self.0.remaining.map(BigInt)
    }

    /// The end of that window; null if it never ends or the feature is not counted.
    async fn resets_at(&self) -> Option<Instant> {
        self.0.resets_at.map(Instant)
    }

    /// The use in each window that has a limit, shortest first; empty for a feature that is not counted.
    async fn windows(&self) -> Vec<EntitlementWindow> {
        self.0.windows.iter().copied().map(EntitlementWindow).collect()
    }

    /// Plans and add-ons on sale that would let the account use the feature now, lowest rank first; empty if it can use
    /// it, and where none would help: a payment is due, the subscription is paused, or the feature was taken away.
    async fn unlocked_by(&self, ctx: &Context<'_>) -> Result<Vec<Plan>> {
        if self.0.allowed {
            return Ok(Vec::new());
        }
        let offers = ctx.loaders().load::<OffersOf>(self.0.feature_id).await?;
        let mut plans = Vec::new();
        for offer in offers.iter().flat_map(|offers| offers.iter()) {
            if unlocks(&self.0, offer)? {
                plans.push(Plan(Arc::clone(&offer.product)));
            }
        }
        Ok(plans)
    }
}

pub struct EntitlementWindow(entitlements::WindowUse);

/// The use of a feature in a window: an hour of UTC, a day or a month in the account's time zone, a billing period, or all
/// time.
#[Object]
impl EntitlementWindow {
    /// The kind of window; never null.
    async fn window(&self) -> Result<Option<LimitWindow>> {
        Ok(Some(LimitWindow::read(self.0.window.as_str())?))
    }

    /// The limit, in the feature's unit; null for unlimited.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit.map(BigInt)
    }

    /// The units used; never null.
    async fn used(&self) -> Option<BigInt> {
        Some(BigInt(self.0.used))
    }

    /// Unused units of earlier windows that count in this one beside its limit.
    async fn banked(&self) -> BigInt {
        BigInt(self.0.banked)
    }

    /// The units left, with banked ones; never negative, null for unlimited.
    async fn remaining(&self) -> Option<BigInt> {
        self.0.remaining.map(BigInt)
    }

    /// The end of the window; null for all time.
    async fn resets_at(&self) -> Option<Instant> {
        self.0.resets_at.map(Instant)
    }
}

impl Entitlement {
    /// Returns the entitlement of an account, or of the caller's own, to the feature with this code; `None` if there is no such feature, or the
    /// caller may not see the account's.
    pub(crate) async fn of(
        ctx: &Context<'_>,
        account_id: Option<Uuid>,
        feature: String,
    ) -> Result<Option<Entitlement>> {
        Ok(load(ctx, account_id, Some(feature)).await?.pop())
    }

    /// Returns the entitlements of an account, or of the caller's own, to all features, by code.
    pub(crate) async fn all(ctx: &Context<'_>, account_id: Option<Uuid>) -> Result<Vec<Entitlement>> {
        load(ctx, account_id, None).await
    }

    /// Returns the account with this global id; without one, that of the caller.
    pub(crate) async fn account_in_question(ctx: &Context<'_>, account_id: Option<ID>) -> Result<Uuid> {
        if let Some(id) = account_id {
            return Ok(local_id::<Account>(&id)?);
        }
        Ok(Entitlement::account_of_viewer(ctx).await?.ok_or_else(Entitlement::account_missing)?)
    }

    pub(super) fn account_missing() -> Error {
        Error::bad_input("`accountId` is missing: only users have an account of their own.")
    }

    /// Returns the account that gives the caller their plan, or else their individual account; `None` for callers who are
    /// not users.
    async fn account_of_viewer(ctx: &Context<'_>) -> Result<Option<Uuid>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        if let Some(subscription) = Subscription::current(ctx, Holder::User, user_id).await? {
            return Ok(Some(subscription.0.account_id));
        }
        let own: Vec<Account> = all_children(ctx, (), user_id, OwnAccount).await?;
        Ok(own.first().map(|account| account.0.id))
    }
}

async fn load(ctx: &Context<'_>, account_id: Option<Uuid>, feature: Option<String>) -> Result<Vec<Entitlement>> {
    let Some(answer) = ctx.loaders().load::<EntitlementsOf>(Asked { account_id, feature }).await? else {
        return Ok(Vec::new());
    };
    let read = |(entitlement, feature): &(entitlements::Entitlement, Arc<features::Model>)| {
        ctx.loaders().put::<ById<features::Entity>>(feature.id, Arc::clone(feature));
        Entitlement(entitlement.clone())
    };
    Ok(answer.iter().map(read).collect())
}
