//! The kinds of customers and their histories.

use super::calendar::{At, days, hours};
use super::catalogue::{Coupon, Interval};
use super::customer::Customer;
use super::ledger;
use super::lifecycle::{Order, subscribe};
use super::usage;

/// The kind of an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One person with an account of their own.
    Individual,
    /// One person whose partner's or team's account pays.
    Covered,
    Couple,
    /// A team of this size.
    Team(i64),
}

#[derive(Clone, Copy)]
enum Persona {
    Visitor,
    Free,
    Trial,
    Starter,
    Pro,
    Business,
    Chat,
    Packs,
}

const PERSONAS: [(i64, Persona); 8] = [
    (4, Persona::Visitor),
    (47, Persona::Free),
    (20, Persona::Trial),
    (11, Persona::Starter),
    (6, Persona::Pro),
    (2, Persona::Business),
    (7, Persona::Chat),
    (3, Persona::Packs),
];

/// Simulates the account from `joined` on. Returns true if it ever bought anything, and so has a currency.
pub(super) fn live(customer: &mut Customer<'_>, kind: Kind, joined: At) -> bool {
    let (subscriptions, invoices) = (customer.rows.subscriptions.len(), customer.rows.invoices.len());
    let first = joined + hours(1) + hours(customer.dice.below(30));
    match kind {
        Kind::Individual if customer.number <= 5 => showcase(customer, joined),
        Kind::Individual => individual(customer, first),
        Kind::Covered => {}
        Kind::Couple => {
            let trial = customer.dice.chance(500);
            let interval = interval(customer);
            subscriber(customer, Order { trial, ..Order::new("couple", interval, first) });
        }
        Kind::Team(size) => {
            let trial = customer.dice.chance(300);
            let interval = interval(customer);
            let extra_seats = (size - 3).max(0);
            subscriber(customer, Order { trial, extra_seats, ..Order::new("business", interval, first) });
        }
    }
    extras(customer, kind, first);
    usage::plan(customer);
    ledger::settle(customer);
    customer.rows.subscriptions.len() > subscriptions || customer.rows.invoices.len() > invoices
}

/// Simulates one of the first five customers, whom the demo shows.
fn showcase(customer: &mut Customer<'_>, joined: At) {
    let now = customer.world.calendar.now;
    let at = joined + hours(1);
    let calm = |code, interval, at| Order { calm: true, ..Order::new(code, interval, at) };
    match customer.number {
        1 => {
            subscribe(customer, calm("pro", Interval::Month, at));
            for days_ago in [100, 24, 3] {
                customer.buy(if days_ago == 24 { "credits_large" } else { "credits_small" }, now - days(days_ago));
            }
            customer.bonus(now - days(12), "promo");
        }
        2 => {
            subscribe(customer, Order { extra_seats: 2, ..calm("business", Interval::Year, at) });
            customer.bonus(now - days(40), "admin");
        }
        3 => {
            subscribe(customer, Order { trial: true, ..calm("pro", Interval::Month, at.max(now - days(5))) });
            customer.buy("credits_small", now - days(2));
        }
        4 => {
            subscribe(customer, calm("chat_power", Interval::Month, at));
            customer.buy("credits_small", now - days(30));
        }
        _ => {
            subscribe(customer, Order { leaving: true, ..calm("starter", Interval::Month, at) });
            customer.buy("credits_small", now - days(60));
        }
    }
}

fn individual(customer: &mut Customer<'_>, first: At) {
    let persona = customer.dice.weighted(&PERSONAS);
    let later = first + days(customer.dice.below(12));
    let interval = interval(customer);
    match persona {
        Persona::Visitor => {}
        Persona::Packs => {
            for _ in 0..customer.dice.between(1, 4) {
                let at = customer.dice.instant(first, customer.world.calendar.now);
                customer.buy("credits_small", at);
            }
        }
        Persona::Free => {
            let upgrade = later + days(customer.dice.between(4, 120));
            let upgrades = customer.dice.chance(330) && customer.has_reached(upgrade);
            free(customer, first, upgrades.then_some(upgrade));
            if upgrades {
                subscriber(customer, Order::new("starter", interval, upgrade));
            }
        }
        Persona::Trial | Persona::Starter | Persona::Pro => {
            let code = if matches!(persona, Persona::Starter) { "starter" } else { "pro" };
            let order = Order { trial: matches!(persona, Persona::Trial), ..Order::new(code, interval, later) };
            if later > first && customer.dice.chance(650) {
                free(customer, first, Some(later));
            }
            subscriber(customer, order);
        }
        Persona::Business => {
            let extra_seats = customer.dice.below(4);
            subscriber(customer, Order { extra_seats, ..Order::new("business", interval, later) });
        }
        Persona::Chat => {
            let code = *customer.dice.pick(&["chat_starter", "chat_starter", "chat_daily", "chat_daily", "chat_power"]);
            subscriber(customer, Order::new(code, interval, later));
        }
    }
}

/// Subscribes to the free plan, until `until`.
fn free(customer: &mut Customer<'_>, at: At, until: Option<At>) {
    subscribe(customer, Order { until, ..Order::new("free", Interval::Month, at) });
}

/// Subscribes, and perhaps again after the end, up to twice.
fn subscriber(customer: &mut Customer<'_>, order: Order) {
    let order = Order { coupon: coupon(customer, &order), ..order };
    let mut ended = subscribe(customer, order);
    for _ in 0..3 {
        let Some(end) = ended else { break };
        if !customer.dice.chance(520) {
            break;
        }
        let at = end + hours(customer.dice.between(20, 2_400));
        ended = subscribe(customer, Order { at, trial: false, coupon: None, ..order });
    }
    if customer.dice.chance(50) && order.code == "pro" {
        subscribe(customer, Order::new("chat_daily", Interval::Month, order.at + days(20)));
    }
}

fn coupon(customer: &mut Customer<'_>, order: &Order) -> Option<Coupon> {
    if !customer.dice.chance(190) || matches!(order.code, "business" | "couple") {
        return None;
    }
    let coupon = *customer.dice.pick(&customer.world.catalogue.coupons);
    let cap = coupon.max_redemptions.and_then(|cap| u64::try_from(cap).ok());
    let fits = coupon.currency.is_none_or(|currency| currency == customer.currency)
        && coupon.redeem_by > order.at
        && cap.is_none_or(|cap| customer.number <= cap);
    fits.then_some(coupon)
}

/// Adds packs, gifts and bonuses beside the subscriptions.
fn extras(customer: &mut Customer<'_>, kind: Kind, first: At) {
    let now = customer.world.calendar.now;
    let pays = customer.invoices > 0;
    let packs = if pays { customer.dice.weighted(&[(60, 0), (22, 1), (12, 2), (6, 4)]) } else { 0 };
    for _ in 0..packs {
        let code = if customer.dice.chance(220) { "credits_large" } else { "credits_small" };
        let at = customer.dice.instant(first, now);
        customer.buy(code, at);
    }
    if pays && customer.dice.chance(18) {
        let at = customer.dice.instant(first, now);
        customer.buy("gift_pro", at);
    }
    if kind == Kind::Covered {
        return;
    }
    for (per_mille, source) in [(70, "promo"), (12, "gift"), (4, "admin")] {
        if customer.dice.chance(per_mille) {
            let at = customer.dice.instant(first, now);
            customer.bonus(at, source);
        }
    }
}

fn interval(customer: &mut Customer<'_>) -> Interval {
    if customer.dice.chance(170) { Interval::Year } else { Interval::Month }
}
