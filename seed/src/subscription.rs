//! One subscription: its row, its items, and a version for each of its states.

use super::arr::arr_minor;
use super::calendar::{At, months_after, seconds};
use super::catalogue::{Catalogue, Coupon, Duration, Interval, Price, Version};
use super::customer::Customer;
use ::entity::{subscription_items, subscription_versions, subscriptions};
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

/// An item of a subscription.
pub(super) struct Item {
    id: Uuid,
    external_id: Option<String>,
    kind: &'static str,
    code: &'static str,
    created_at: At,
    pub(super) price: Price,
    pub(super) quantity: i64,
}

/// An active discount.
pub(super) struct Discount {
    pub(super) coupon: Coupon,
    /// The end of the discount. Unknown at first if the first paid invoice ends it.
    pub(super) ends_at: Option<At>,
    pub(super) redemption: Uuid,
    pub(super) redeemed_at: At,
}

/// The current state of a subscription.
pub(super) struct Subscription<'w> {
    pub(super) row: subscriptions::Model,
    pub(super) plan: &'w Version,
    pub(super) items: Vec<Item>,
    pub(super) discount: Option<Discount>,
    /// The start of the newest version.
    pub(super) last: At,
    /// The plan of the newest version, and the instant from which the versions have it.
    pub(super) since: (Option<Uuid>, At),
}

impl<'w> Subscription<'w> {
    pub(super) fn new(customer: &mut Customer<'_>, at: At, plan: &'w Version, price: Price, provider: &str) -> Self {
        let external_id = customer.dice.token(if provider == "manual" { "manual_" } else { "sub_" });
        let row = subscriptions::Model {
            id: customer.dice.id(at),
            account_id: customer.account_id,
            product_version_id: Some(plan.id),
            price_id: Some(price.id),
            provider: provider.to_owned(),
            external_id,
            currency: Some(customer.currency.to_owned()),
            status: "active".to_owned(),
            started_at: at,
            trial_start: None,
            trial_end: None,
            current_period_start: Some(at),
            current_period_end: Some(months_after(at, price.interval.months())),
            cancel_at: None,
            canceled_at: None,
            ended_at: None,
            paused_at: None,
            first_paid_at: None,
            provider_updated_at: None,
            created_at: at,
            updated_at: at,
            customer_external_id: (provider != "manual").then(|| customer.reference.clone()),
            cancel_at_period_end: false,
            schedule_external_id: None,
            latest_invoice_external_id: None,
            next_billed_at: None,
            metadata: (provider != "manual").then(|| json!({"user_id": format!("user_{}", customer.number)})),
        };
        let (last, since) = (at - seconds(1), (None, at));
        let mut subscription = Subscription { row, plan, items: Vec::new(), discount: None, last, since };
        subscription.add(customer, at, plan.code, price, 1);
        subscription
    }

    pub(super) fn period(&self) -> (At, At) {
        let start = self.row.current_period_start.unwrap_or(self.row.started_at);
        (start, self.row.current_period_end.unwrap_or(start))
    }

    /// Returns the price of one period before discounts.
    pub(super) fn amount_minor(&self) -> i64 {
        self.items.iter().map(|item| item.price.amount_minor * item.quantity).sum()
    }

    /// Adds an item, or raises the quantity of the item with that price.
    pub(super) fn add(&mut self, customer: &mut Customer<'_>, at: At, code: &'static str, price: Price, quantity: i64) {
        if let Some(item) = self.items.iter_mut().find(|item| item.price.id == price.id) {
            item.quantity += quantity;
            return;
        }
        let external_id = (self.row.provider != "manual").then(|| customer.dice.token("si_"));
        // Items of the same order keep their order.
        let at = at + TimeDelta::microseconds(i64::from(!self.items.is_empty()));
        let id = customer.dice.id(at);
        let kind = if self.items.is_empty() { "plan" } else { "addon" };
        self.items.push(Item { id, external_id, kind, code, created_at: at, price, quantity });
    }

    /// Replaces the plan.
    pub(super) fn change_plan(&mut self, plan: &'w Version, price: Price) {
        self.plan = plan;
        self.row.product_version_id = Some(plan.id);
        self.row.price_id = Some(price.id);
        (self.items[0].price, self.items[0].code) = (price, plan.code);
    }

    /// Changes the interval of all items.
    pub(super) fn change_interval(&mut self, catalogue: &Catalogue, interval: Interval) {
        for item in &mut self.items {
            item.price = match item.kind {
                "plan" => self.plan.price(item.price.currency, interval),
                _ => catalogue.version(item.code, item.created_at).price(item.price.currency, interval),
            };
        }
        self.row.price_id = Some(self.items[0].price.id);
    }

    /// Redeems `coupon` at `at`.
    pub(super) fn redeem(&mut self, customer: &mut Customer<'_>, at: At, coupon: Coupon) {
        let ends_at = match coupon.duration {
            Duration::Months(months) => Some(months_after(at, months)),
            _ => None,
        };
        let redemption = customer.dice.id(at);
        self.discount = Some(Discount { coupon, ends_at, redemption, redeemed_at: at });
    }

    /// Returns the discount on an invoice over `subtotal` at `at`.
    pub(super) fn discount_minor(&self, at: At, subtotal: i64) -> i64 {
        let Some(discount) = self.discount.as_ref().filter(|discount| discount.ends_at.is_none_or(|end| end > at))
        else {
            return 0;
        };
        match (discount.coupon.percent_basis_points, discount.coupon.amount_off_minor) {
            (Some(basis_points), _) => super::arr::half_even(subtotal * basis_points, 10_000),
            (_, amount) => amount.unwrap_or(0).min(subtotal),
        }
    }

    /// Records a payment at `at`. The first payment uses up a one-time discount.
    pub(super) fn record_payment(&mut self, customer: &mut Customer<'_>, at: At, amount_minor: i64) {
        if amount_minor > 0 && self.row.first_paid_at.is_none() {
            self.row.first_paid_at = Some(at);
        }
        if let Some(discount) = self.discount.as_mut().filter(|discount| discount.coupon.duration == Duration::Once) {
            discount.ends_at = Some(at + seconds(1));
            self.settle_discount(customer, at + seconds(1));
        }
    }

    /// Ends the discount if it has expired at `at`.
    pub(super) fn settle_discount(&mut self, customer: &mut Customer<'_>, at: At) {
        let Some(end) = self.discount.as_ref().and_then(|discount| discount.ends_at).filter(|end| *end <= at) else {
            return;
        };
        self.write_redemption(customer);
        self.discount = None;
        let stripe = self.row.provider == "stripe";
        self.record(customer, end, if stripe { "customer.discount.deleted" } else { "subscription.updated" });
    }

    /// Records the current state as a version from `at` on.
    pub(super) fn record(&mut self, customer: &mut Customer<'_>, at: At, cause: &str) {
        self.settle_discount(customer, at);
        let at = at.max(self.last + seconds(1));
        let (inbox_event_id, recorded_at) = if self.row.provider == "manual" {
            (None, at)
        } else {
            let object = self.object(customer);
            let (id, recorded_at) = customer.inbox(at, self.row.updated_at, cause, object);
            (Some(id), recorded_at)
        };
        let coupon = self.discount.as_ref().map(|discount| &discount.coupon);
        let (arr, discounted) = arr_minor(self.items.iter().map(|item| (item.price, item.quantity)), coupon);
        self.last = at;
        if self.since.0 != Some(self.plan.id) {
            self.since = (Some(self.plan.id), at);
        }
        self.row.provider_updated_at = inbox_event_id.map(|_| at);
        self.row.updated_at = recorded_at;
        customer.rows.subscription_versions.push(subscription_versions::Model {
            id: customer.dice.id(recorded_at),
            account_id: self.row.account_id,
            subscription_id: self.row.id,
            effective_at: at,
            recorded_at,
            status: self.row.status.clone(),
            paused: self.row.paused_at.is_some(),
            product_version_id: self.row.product_version_id,
            items: self.items.iter().map(item_json).collect(),
            discount: self.discount.as_ref().map(|discount| json!([discount_json(discount)])),
            currency: Some(customer.currency.to_owned()),
            arr_minor: Some(arr),
            discounted_arr_minor: Some(discounted),
            cause: cause.to_owned(),
            inbox_event_id,
        });
    }

    /// Writes the rows of the subscription and its items.
    pub(super) fn write(mut self, customer: &mut Customer<'_>) {
        if self.row.ended_at.is_none() {
            self.settle_discount(customer, customer.world.calendar.horizon());
        }
        self.write_redemption(customer);
        let goes_on = ["trialing", "active", "past_due"].contains(&self.row.status.as_str());
        if self.row.provider == "paddle" && goes_on && self.row.cancel_at.is_none() {
            self.row.next_billed_at = self.row.current_period_end;
        }
        let billed = self.row.provider != "manual";
        for item in self.items {
            let reference = || customer.world.catalogue.reference(customer.provider, item.price.id);
            customer.rows.subscription_items.push(subscription_items::Model {
                id: item.id,
                account_id: self.row.account_id,
                subscription_id: self.row.id,
                price_id: Some(item.price.id),
                external_id: item.external_id,
                kind: item.kind.to_owned(),
                quantity: Some(item.quantity),
                created_at: item.created_at,
                price_external_id: billed.then(reference).flatten(),
                current_period_start: self.row.current_period_start,
                current_period_end: self.row.current_period_end,
            });
        }
        customer.rows.subscriptions.push(self.row);
    }

    /// Returns the provider's object, with prices in full. The history is read from it when the subscription changes.
    fn object(&self, customer: &Customer<'_>) -> Value {
        let item = |item: &Item| {
            let recurring =
                json!({"interval": item.price.interval.name(), "interval_count": 1, "usage_type": "licensed"});
            let price = json!({
                "id": customer.world.catalogue.reference(customer.provider, item.price.id), "object": "price",
                "currency": item.price.currency.to_lowercase(), "recurring": recurring, "type": "recurring",
                "unit_amount": item.price.amount_minor,
            });
            let end = self.period().1.timestamp();
            json!({"id": item.external_id, "price": price, "quantity": item.quantity, "current_period_end": end})
        };
        let items: Vec<Value> = self.items.iter().map(item).collect();
        json!({
            "id": self.row.external_id, "object": "subscription", "customer": customer.reference,
            "status": self.row.status, "cancel_at": self.row.cancel_at.map(|at| at.timestamp()),
            "items": {"data": items},
        })
    }
}

fn item_json(item: &Item) -> Value {
    json!({
        "priceId": item.price.id, "quantity": item.quantity, "unitAmountMinor": item.price.amount_minor,
        "interval": item.price.interval.name(), "intervalCount": 1,
    })
}

fn discount_json(discount: &Discount) -> Value {
    json!({
        "couponId": discount.coupon.id, "duration": discount.coupon.duration.name(),
        "percentBasisPoints": discount.coupon.percent_basis_points,
        "amountOffMinor": discount.coupon.amount_off_minor, "currency": discount.coupon.currency,
        "endsAt": discount.ends_at,
    })
}
