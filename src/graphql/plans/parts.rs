//! Contents of a version of a plan: prices, features and credits.

use super::plan::PlanVersion;
use super::provider_price::ProviderPrice;
use crate::graphql::common::{BigInt, Money, Row, StoredEnum, all_children, global_id, to_exactly_one, to_one};
use crate::graphql::usage::meter::Meter;
use crate::plans::{ProviderPrices, ProviderPricesOf};
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::{credit_allowances, credit_units, features, prices, product_features};

pub struct Price(pub(crate) Row<prices::Entity>);

stored_enum! {
    /// The interval at which a price is charged.
    PriceInterval: crate::plans::PriceInterval {
        /// Days.
        Day,
        /// Weeks.
        Week,
        /// Months.
        Month,
        /// Years.
        Year,
        /// Charged once.
        OneTime,
    }
}

/// The price of one unit for one interval. Visible to everyone once its version was published.
#[Object]
impl Price {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Price>(self.0.id)
    }

    /// The version that the price belongs to.
    async fn version(&self, ctx: &Context<'_>) -> Result<PlanVersion> {
        to_exactly_one(ctx, self.0.product_version_id).await
    }

    /// The price of one unit.
    async fn amount(&self) -> Money {
        Money::new(self.0.unit_amount_minor, &self.0.currency)
    }

    /// The billing interval.
    async fn interval(&self) -> Result<PriceInterval> {
        Ok(PriceInterval::read(&self.0.interval)?)
    }

    /// Intervals between charges; 1 for a price that is charged once.
    async fn interval_count(&self) -> i64 {
        self.0.interval_count
    }

    /// Days of free trial; null if there is none.
    async fn trial_days(&self) -> Option<i64> {
        self.0.trial_days
    }

    /// True if it can be used for new purchases.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// The matching prices at the payment providers.
    async fn provider_prices(&self, ctx: &Context<'_>) -> Result<Vec<ProviderPrice>> {
        all_children(ctx, ProviderPricesOf::Price, self.0.id, ProviderPrices).await
    }
}

pub struct Feature(pub(crate) Row<features::Entity>);

stored_enum! {
    /// The kind of entitlement that a feature gives.
    FeatureKind: crate::plans::FeatureKind {
        /// Granted or not granted.
        Switch,
        /// Limited use.
        Limit,
        /// A setting whose value depends on the plan.
        Config,
        /// Use that costs credits.
        Credit,
    }
}

/// A feature that versions of plans can grant. Visible to everyone.
#[Object]
impl Feature {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Feature>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The kind of entitlement.
    async fn entitlement_kind(&self) -> Result<FeatureKind> {
        Ok(FeatureKind::read(&self.0.kind)?)
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The unit that a limit counts, e.g. `messages`; null for a feature that is not counted.
    async fn unit_label(&self) -> Option<&str> {
        self.0.unit.as_deref()
    }

    /// The meter that limits of the feature count on; null for a feature that is not counted.
    async fn limit_meter(&self, ctx: &Context<'_>) -> Result<Option<Meter>> {
        to_one(ctx, self.0.meter_id).await
    }
}

pub struct PlanFeature(pub(crate) Row<product_features::Entity>);

stored_enum! {
    /// The window in which a limit counts.
    LimitWindow: crate::plans::LimitWindow {
        /// An hour of UTC.
        Hour,
        /// A day in the account's time zone: 23 or 25 hours where the clocks change.
        Day,
        /// A calendar month in the account's time zone.
        Month,
        /// A billing period of the subscription; a calendar month without one.
        Billing,
        /// All time.
        Lifetime,
    }
}

stored_enum! {
    /// The behaviour past a limit.
    OnExceed: crate::plans::OnExceed {
        /// Use is refused.
        Block,
        /// Use is allowed and marked.
        Warn,
        /// Use is allowed and charged: credits pay for it where the feature says so.
        Overage,
    }
}

/// A feature granted by a version of a plan. A version can grant one feature several times, with a limit for each
/// window.
#[Object]
impl PlanFeature {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<PlanFeature>(self.0.id)
    }

    /// The feature.
    async fn feature(&self, ctx: &Context<'_>) -> Result<Feature> {
        to_exactly_one(ctx, self.0.feature_id).await
    }

    /// The value of a feature of the kind CONFIG; null for other kinds.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// The limit, in the feature's unit; null for unlimited.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit_units.map(BigInt)
    }

    /// The window in which the limit counts; null for a limit on each use, and for a feature that is not counted.
    async fn window(&self) -> Result<Option<LimitWindow>> {
        Ok(LimitWindow::read_option(self.0.limit_window.as_deref())?)
    }

    /// The unused part of the limit that carries over to the next window, in the feature's unit; null for none.
    async fn rollover_cap(&self) -> Option<BigInt> {
        self.0.rollover_cap.map(BigInt)
    }

    /// The behaviour past the limit; null for the default, which is BLOCK.
    async fn on_exceed(&self) -> Result<Option<OnExceed>> {
        Ok(OnExceed::read_option(self.0.on_exceed.as_deref())?)
    }

    /// The unit of the credits that pay for units past the limit; null if none do.
    async fn overage_unit(&self, ctx: &Context<'_>) -> Result<Option<CreditUnit>> {
        to_one(ctx, self.0.overage_unit_id).await
    }

    /// The credits for each unit past the limit, in the smallest step of their unit; null if none pay.
    async fn overage_credits(&self) -> Option<BigInt> {
        self.0.overage_credits.map(BigInt)
    }
}

pub struct CreditUnit(pub(crate) Row<credit_units::Entity>);

/// A unit of credits, such as tokens.
#[Object]
impl CreditUnit {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditUnit>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Decimal places for display. Amounts count the smallest step: with 3 places, 1500 is shown as 1.5.
    async fn decimals(&self) -> i32 {
        self.0.decimals.into()
    }
}

pub struct CreditAllowance(pub(crate) Row<credit_allowances::Entity>);

stored_enum! {
    /// The rhythm of credit grants.
    AllowanceCadence: crate::plans::AllowanceCadence {
        /// Once, at purchase.
        Once,
        /// At the start of every billing period.
        Billing,
        /// At the start of every month of the billing period.
        Month,
        /// At the start of every day in the account's time zone.
        Day,
    }
}

stored_enum! {
    /// The fate of the unused rest of an allowance when the subscription changes to another plan.
    OnPlanChange: crate::plans::OnPlanChange {
        /// It expires, and what was used of it in the billing period is deducted from the first allowance of the next plan.
        Replace,
        /// It stays until it expires by itself, and the next plan grants its whole allowance.
        Keep,
    }
}

/// Credits that a version of a plan grants.
#[Object]
impl CreditAllowance {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditAllowance>(self.0.id)
    }

    /// The unit of the credits.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The amount per grant, in the smallest step of the unit.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// The rhythm of the grants.
    async fn cadence(&self) -> Result<AllowanceCadence> {
        Ok(AllowanceCadence::read(&self.0.cadence)?)
    }

    /// Days until granted credits expire; null for never.
    async fn expires_after_days(&self) -> Option<i64> {
        self.0.expires_after_days
    }

    /// The unused credits that carry over at the next grant, in the smallest step of the unit; null for all.
    async fn rollover_cap(&self) -> Option<BigInt> {
        self.0.rollover_cap.map(BigInt)
    }

    /// The order of spending: credits with a lower number are spent first.
    async fn priority(&self) -> i64 {
        self.0.priority
    }

    /// The fate of the unused rest when the subscription changes to another plan.
    async fn on_plan_change(&self) -> Result<OnPlanChange> {
        Ok(OnPlanChange::read(&self.0.on_plan_change)?)
    }
}
