//! Grants and uses of credits.

use super::calendar::{At, days, hours, seconds};
use super::catalogue::{Allowance, Version};
use super::credit_events::{Allowed, Event, Grant, HoldEnd};
use super::customer::Customer;
use super::money::{Bill, Paid};
use super::provider_terms::{Attempt, Reason};
use serde_json::json;
use uuid::Uuid;

/// A plan's allowances for one period.
pub(super) struct Entitled<'w> {
    pub(super) subscription_id: Uuid,
    pub(super) plan: &'w Version,
    pub(super) period: (At, At),
    /// The instant from which the subscription has the plan.
    pub(super) since: At,
    /// The instant at which the subscription was last heard of.
    pub(super) known_at: At,
}

impl Customer<'_> {
    /// Grants the plan's allowances for a period, and uses some of them.
    pub(super) fn allowances(&mut self, entitled: &Entitled<'_>) {
        for (allowance_id, allowance) in &entitled.plan.allowances {
            for at in self.instants(allowance, entitled.period, entitled.since, entitled.known_at) {
                let made_at = at.max(entitled.known_at);
                if self.has_reached(made_at) {
                    self.allowance(entitled, (*allowance_id, allowance), (at, made_at));
                }
            }
        }
    }

    /// Removes the future grants of a subscription from an instant on.
    pub(super) fn withdraw(&mut self, subscription_id: Uuid, from: At) {
        let of = |grant: &Grant| grant.allowed.is_some_and(|allowed| allowed.subscription_id == subscription_id);
        self.credits.retain(|event| match event {
            Event::Grant(grant) => !of(grant) || grant.at < from,
            _ => true,
        });
    }

    fn allowance(
        &mut self,
        entitled: &Entitled<'_>,
        (allowance_id, allowance): (Uuid, &Allowance),
        (at, made_at): (At, At),
    ) {
        let subscription_id = entitled.subscription_id;
        let period = match allowance.cadence {
            "once" => "once".to_owned(),
            "day" => (at + hours(self.offset_hours)).date_naive().to_string(),
            _ => at.timestamp().to_string(),
        };
        let business_key = format!("allowance:{subscription_id}:{allowance_id}:{period}");
        let is_made = |event: &Event| matches!(event, Event::Grant(grant) if grant.business_key == business_key);
        if self.credits.iter().any(is_made) {
            return;
        }
        let allowed = Allowed {
            subscription_id,
            allowance_id,
            version_id: entitled.plan.id,
            is_daily: allowance.cadence == "day",
            period_start: entitled.period.0,
            rollover_cap: allowance.rollover_cap,
        };
        let grant = Grant {
            id: self.books.id(made_at),
            at,
            made_at,
            unit: self.world.catalogue.unit(allowance.unit),
            source: "plan",
            amount: allowance.amount,
            priority: allowance.priority,
            expires_at: allowance.expires_after_days.map(|count| at + days(count)),
            business_key,
            payment_id: None,
            reason: None,
            granted_by: "system:ledger".to_owned(),
            allowed: Some(allowed),
        };
        self.grant(grant);
    }

    /// Grants credits, and plans their use.
    fn grant(&mut self, grant: Grant) {
        let horizon = self.world.calendar.horizon();
        let (from, unit) = (grant.made_at, grant.unit);
        let end = grant.expires_at.unwrap_or(from + days(120)).min(from + days(120)).min(horizon);
        let battery = unit == self.world.catalogue.unit("battery");
        let spends = self.books.weighted(&[(60, 0), (26, 1), (10, 2), (3, 3), (1, 5)]);
        for _ in 0..spends {
            let at = self.books.instant(from, end.max(from + hours(1)));
            let amount = (grant.amount * self.books.between(4, 90) / 100).max(1);
            let subject = if battery { "message" } else { *self.books.pick(&["conversation", "document", "image"]) };
            if at > horizon {
                continue;
            }
            if self.books.chance(60) {
                self.hold(at, unit, amount);
                continue;
            }
            let reversed_at = at + hours(self.books.between(1, 40));
            let reversed_at = (self.books.chance(30) && self.has_reached(reversed_at)).then_some(reversed_at);
            self.credits.push(Event::Spend { at, unit, amount, subject, reversed_at });
        }
        self.credits.push(Event::Grant(grant));
    }

    /// Holds credits for some hours. Holds that last until now are open.
    fn hold(&mut self, at: At, unit: Uuid, amount: i64) {
        let expires_at = at + hours(self.books.between(1, 72));
        let ends_at = self.books.instant(at + seconds(1), expires_at);
        let part = self.books.between(10, 90);
        let choices = [
            (35, HoldEnd::Captured(100)),
            (30, HoldEnd::Captured(part)),
            (15, HoldEnd::Released),
            (20, HoldEnd::TimesOut),
        ];
        let end = self.books.weighted(&choices);
        self.credits.push(Event::Hold { at, unit, amount, expires_at, ends_at, end });
    }

    /// Holds credits that are still held now.
    pub(super) fn hold_now(&mut self, amount: i64) {
        let horizon = self.world.calendar.horizon();
        let at = horizon - seconds(self.books.between(1, 3_000));
        let (unit, expires_at) = (self.world.catalogue.unit("credit"), horizon + hours(self.books.between(2, 48)));
        self.credits.push(Event::Hold { at, unit, amount, expires_at, ends_at: expires_at, end: HoldEnd::TimesOut });
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
            made_at: at,
            unit,
            source,
            amount,
            priority: 20,
            expires_at,
            business_key: format!("{source}:{id}"),
            payment_id: None,
            reason: Some(reason),
            granted_by,
            allowed: None,
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
        let allowance = version.allowances[0].1;
        self.pack(paid, &allowance);
    }

    fn pack(&mut self, paid: Paid, allowance: &Allowance) {
        let unit = self.world.catalogue.unit(allowance.unit);
        let id = self.dice.id(paid.at);
        self.grant(Grant {
            id,
            at: paid.at,
            made_at: paid.at,
            unit,
            source: "purchase",
            amount: allowance.amount,
            priority: allowance.priority,
            expires_at: allowance.expires_after_days.map(|n| paid.at + days(n)),
            business_key: format!("payment:{}", paid.payment_id),
            payment_id: Some(paid.payment_id),
            reason: None,
            granted_by: "system:mirror".to_owned(),
            allowed: None,
        });
    }
}
