//! Grants and uses of credits.

use super::calendar::{At, days, hours, months_after};
use super::catalogue::Version;
use super::credit_events::{Event, Grant};
use super::customer::Customer;
use super::money::{Bill, Paid};
use super::provider_terms::{Attempt, Reason};
use serde_json::json;
use uuid::Uuid;

/// The span before now in which daily allowances are granted day by day.
const DAILY_HISTORY_DAYS: i64 = 45;

/// A plan's allowances for one paid period.
pub(super) struct Entitled<'w> {
    pub(super) subscription_id: Uuid,
    pub(super) plan: &'w Version,
    pub(super) from: At,
    pub(super) to: At,
    /// True for the first period, which includes one-time credits.
    pub(super) first: bool,
}

impl Customer<'_> {
    /// Grants the plan's allowances for a period, and uses some of them.
    pub(super) fn allowances(&mut self, entitled: &Entitled<'_>) {
        for allowance in entitled.plan.allowances {
            match allowance.cadence {
                "once" if entitled.first => self.allowance(entitled, allowance, entitled.from, None),
                "billing" => self.allowance(entitled, allowance, entitled.from, Some(entitled.to)),
                "month" => {
                    let mut step = 0;
                    let mut from = entitled.from;
                    while from < entitled.to {
                        step += 1;
                        let next = months_after(entitled.from, step).min(entitled.to);
                        self.allowance(entitled, allowance, from, Some(next));
                        from = next;
                    }
                }
                "day" => self.daily(entitled, allowance),
                _ => {}
            }
        }
    }

    /// Removes the future grants of a subscription from an instant on.
    pub(super) fn withdraw(&mut self, subscription_id: Uuid, from: At) {
        self.credits.retain(|event| match event {
            Event::Grant(grant) => grant.subscription_id != Some(subscription_id) || grant.at < from,
            _ => true,
        });
    }

    fn daily(&mut self, entitled: &Entitled<'_>, allowance: &super::catalogue::Allowance) {
        let from = entitled.from.max(self.world.calendar.now - days(DAILY_HISTORY_DAYS));
        let mut day = from + days(1);
        while day < entitled.to && self.has_reached(day) {
            let morning = day.date_naive().and_time(chrono::NaiveTime::MIN).and_utc().fixed_offset();
            if self.dice.chance(32) {
                let at = morning + hours(5) + hours(self.dice.between(0, 14));
                self.allowance(entitled, allowance, at.max(entitled.from), Some(morning + days(1)));
            }
            day += days(1);
        }
    }

    fn allowance(
        &mut self,
        entitled: &Entitled<'_>,
        allowance: &super::catalogue::Allowance,
        at: At,
        until: Option<At>,
    ) {
        if !self.has_reached(at) || until.is_some_and(|until| until <= at) {
            return;
        }
        let unit = self.world.catalogue.unit(allowance.unit);
        let (subscription_id, cadence) = (entitled.subscription_id, allowance.cadence);
        let start = at.format("%Y-%m-%dT%H:%M:%S");
        let grant = Grant {
            id: self.dice.id(at),
            at,
            unit,
            source: "plan",
            amount: allowance.amount,
            priority: allowance.priority,
            expires_at: until,
            business_key: format!("allowance:{subscription_id}:{}:{cadence}:{start}", allowance.unit),
            payment_id: None,
            reason: None,
            granted_by: "system:worker".to_owned(),
            subscription_id: Some(subscription_id),
        };
        self.grant(grant);
    }

    /// Grants credits, and plans their use.
    fn grant(&mut self, grant: Grant) {
        let horizon = self.world.calendar.horizon();
        let end = grant.expires_at.unwrap_or(grant.at + days(120)).min(grant.at + days(120)).min(horizon);
        let battery = grant.unit == self.world.catalogue.unit("battery");
        let spends = self.dice.weighted(&[(60, 0), (26, 1), (10, 2), (3, 3), (1, 5)]);
        for _ in 0..spends {
            let at = self.dice.instant(grant.at, end.max(grant.at + hours(1)));
            let share = self.dice.between(4, 90);
            let amount = (grant.amount * share / 100).max(1);
            let subject = if battery { "message" } else { *self.dice.pick(&["conversation", "document", "image"]) };
            if at <= horizon {
                self.credits.push(Event::Spend { at, unit: grant.unit, amount, subject });
            }
        }
        self.credits.push(Event::Grant(grant));
    }

    /// Grants a few credits outside any plan.
    pub(super) fn bonus(&mut self, at: At, source: &'static str) {
        if !self.has_reached(at) {
            return;
        }
        let id = self.dice.id(at);
        let amount = self.dice.between(1, 8) * 25;
        let (granted_by, reason) = match source {
            "admin" => (format!("user:{}", self.world.admin), "sorry for the outage"),
            "gift" => ("system:worker".to_owned(), "a gift from a friend"),
            _ => ("system:worker".to_owned(), "invited a friend"),
        };
        if source == "admin" {
            let after = json!({"accountId": self.account_id, "amount": amount, "unit": "credit", "reason": reason});
            self.audit(at, "credits.grant", ("CreditGrant", id), (None, Some(after)));
        }
        let unit = self.world.catalogue.unit("credit");
        let expires_at = (source == "promo").then(|| at + days(90));
        self.grant(Grant {
            id,
            at,
            unit,
            source,
            amount,
            priority: 20,
            expires_at,
            business_key: format!("{source}:{id}"),
            payment_id: None,
            reason: Some(reason),
            granted_by,
            subscription_id: None,
        });
    }

    /// Buys a one-time product, such as a credit pack. One first attempt in fifteen is declined.
    pub(super) fn buy(&mut self, code: &'static str, at: At) {
        if !self.has_reached(at) {
            return;
        }
        let version = self.world.catalogue.version(code, at);
        let price = version.price(self.currency, super::catalogue::Interval::Once);
        let stream = if code.starts_with("gift") { "gift" } else { "credits" };
        let description = if stream == "gift" { "A gift".to_owned() } else { format!("Credits ({code})") };
        let (subtotal_minor, discount_minor) = (price.amount_minor, 0);
        let (subscription_id, period) = (None, None);
        let reason = Reason::Buy;
        let bill = Bill { at, stream, reason, description, subscription_id, period, subtotal_minor, discount_minor };
        let invoice = self.invoice(&bill);
        let mut paid_at = at;
        if self.dice.chance(65) {
            self.pay(&bill, invoice, at, Attempt::Fails);
            paid_at = at + super::calendar::seconds(self.dice.between(40, 400));
        }
        let recent = self.world.calendar.now - at < days(4);
        let attempt = if recent && self.dice.chance(150) { Attempt::Pends } else { Attempt::Succeeds };
        let Some(paid) = self.pay(&bill, invoice, paid_at, attempt).filter(|_| stream == "credits") else { return };
        let allowance = &version.allowances[0];
        self.pack(paid, allowance);
    }

    fn pack(&mut self, paid: Paid, allowance: &super::catalogue::Allowance) {
        let unit = self.world.catalogue.unit(allowance.unit);
        let id = self.dice.id(paid.at);
        self.grant(Grant {
            id,
            at: paid.at,
            unit,
            source: "purchase",
            amount: allowance.amount,
            priority: allowance.priority,
            expires_at: allowance.expires_after_days.map(|n| paid.at + days(n)),
            business_key: format!("payment:{}", paid.payment_id),
            payment_id: Some(paid.payment_id),
            reason: None,
            granted_by: "system:inbox".to_owned(),
            subscription_id: None,
        });
    }
}
