//! What a version of a plan consists of: prices, features, credits.

use super::plan::PlanVersion;
use super::provider_price::ProviderPrice;
use crate::graphql::common::{BigInt, Money, Row, Word, all_under, global_id, to_exactly_one};
use crate::plans::{ProviderPrices, ProviderPricesOf};
use crate::words;
use async_graphql::{Context, ID, Object, Result};
use entity::{credit_allowances, credit_units, features, prices, product_features};

pub struct Price(pub(crate) Row<prices::Entity>);

words! {
    /// How often a price is due.
    PriceInterval {
        /// Every so many days.
        Day = "day",
        /// Every so many weeks.
        Week = "week",
        /// Every so many months.
        Month = "month",
        /// Every so many years.
        Year = "year",
        /// Once.
        OneTime = "one_time",
    }
}

/// What one unit costs for one interval.
#[Object]
impl Price {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Price>(self.0.id)
    }

    /// The version it belongs to.
    async fn version(&self, ctx: &Context<'_>) -> Result<PlanVersion> {
        to_exactly_one(ctx, self.0.product_version_id).await
    }

    /// What one unit costs.
    async fn amount(&self) -> Money {
        Money::new(self.0.unit_amount_minor, &self.0.currency)
    }

    /// How often it is due.
    async fn interval(&self) -> Result<PriceInterval> {
        Ok(PriceInterval::read(&self.0.interval)?)
    }

    /// Every how many intervals it is due; 1 for a price that is due once.
    async fn interval_count(&self) -> i64 {
        self.0.interval_count
    }

    /// How long it may be tried first, in days; null for not at all.
    async fn trial_days(&self) -> Option<i64> {
        self.0.trial_days
    }

    /// Whether it can be bought at.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// The prices at the payment providers that are this one.
    async fn provider_prices(&self, ctx: &Context<'_>) -> Result<Vec<ProviderPrice>> {
        all_under(ctx, ProviderPricesOf::Price, self.0.id, ProviderPrices).await
    }
}

pub struct Feature(pub(crate) Row<features::Entity>);

words! {
    /// What a feature is about.
    FeatureKind {
        /// Something one has or has not.
        Switch = "switch",
        /// Something one may use so much of.
        Limit = "limit",
        /// A setting that depends on the plan.
        Config = "config",
        /// Something that is paid for with credits.
        Credit = "credit",
    }
}

/// Something that versions of plans can grant.
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

    /// What it is about.
    async fn entitlement_kind(&self) -> Result<FeatureKind> {
        Ok(FeatureKind::read(&self.0.kind)?)
    }

    /// The name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What a limit counts, e.g. `messages`; null for a feature that counts nothing.
    async fn unit_label(&self) -> Option<&str> {
        self.0.unit.as_deref()
    }
}

pub struct PlanFeature(pub(crate) Row<product_features::Entity>);

words! {
    /// The window that a limit counts in.
    LimitWindow {
        /// A clock hour, in UTC.
        Hour = "hour",
        /// A UTC day.
        Day = "day",
        /// A calendar month, in UTC.
        Month = "month",
        /// A billing period of the subscription.
        Billing = "billing",
        /// All time.
        Lifetime = "lifetime",
    }
}

words! {
    /// What happens past a limit.
    OnExceed {
        /// It is refused.
        Block = "block",
        /// It is allowed, and marked.
        Warn = "warn",
        /// It is allowed, and charged.
        Overage = "overage",
    }
}

/// A feature as a version of a plan grants it. One feature may stand several times, with a limit for each window.
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

    /// The setting of a feature of the kind CONFIG; null for the other kinds.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// How much of it, in the feature's unit; null for without limit.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit_units.map(BigInt)
    }

    /// The window that the limit counts in; null for a feature that is not counted.
    async fn window(&self) -> Result<Option<LimitWindow>> {
        Ok(LimitWindow::read_option(self.0.limit_window.as_deref())?)
    }

    /// How much of an unused limit is kept for the next window, in the feature's unit; null for nothing.
    async fn rollover_cap(&self) -> Option<BigInt> {
        self.0.rollover_cap.map(BigInt)
    }

    /// What happens past the limit; null where there is none, and it is then refused.
    async fn on_exceed(&self) -> Result<Option<OnExceed>> {
        Ok(OnExceed::read_option(self.0.on_exceed.as_deref())?)
    }
}

pub struct CreditUnit(pub(crate) Row<credit_units::Entity>);

/// Something that credits are counted in.
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

    /// The name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How many decimal places people see. Amounts count the smallest step: with 3 places, 1500 is 1.5.
    async fn decimals(&self) -> i32 {
        self.0.decimals.into()
    }
}

pub struct CreditAllowance(pub(crate) Row<credit_allowances::Entity>);

words! {
    /// How often credits are granted.
    AllowanceCadence {
        /// Once, when it is bought.
        Once = "once",
        /// At the start of every billing period.
        Billing = "billing",
        /// At the start of every calendar month, in UTC.
        Month = "month",
        /// At the start of every UTC day.
        Day = "day",
    }
}

/// Credits that a version of a plan brings.
#[Object]
impl CreditAllowance {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditAllowance>(self.0.id)
    }

    /// What the credits are counted in.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// How many, in the smallest step of the unit.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// How often.
    async fn cadence(&self) -> Result<AllowanceCadence> {
        Ok(AllowanceCadence::read(&self.0.cadence)?)
    }

    /// After how many days they are gone; null for never.
    async fn expires_after_days(&self) -> Option<i64> {
        self.0.expires_after_days
    }

    /// How many unused ones are kept at the next grant, in the smallest step of the unit; null for all of them.
    async fn rollover_cap(&self) -> Option<BigInt> {
        self.0.rollover_cap.map(BigInt)
    }

    /// Credits with a lower number are spent first.
    async fn priority(&self) -> i64 {
        self.0.priority
    }
}
