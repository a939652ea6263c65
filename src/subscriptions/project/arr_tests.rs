use super::arr::{Worth, Yearly, yearly};
use super::observed::{DiscountOff, DiscountTerms, ObservedDiscount, ObservedItem, ObservedState};
use super::pricing::{Package, Pricing, Tier};
use crate::plans::PriceInterval::{self, Day, Month, OneTime, Week, Year};
use crate::subscriptions::exact::{Exact, decimal};
use crate::subscriptions::values::DiscountDuration::{self, Forever, Once, Repeating};
use crate::subscriptions::values::DiscountScope::{Customer, Item, Subscription};
use crate::subscriptions::values::{DiscountScope, SubscriptionStatus};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::HashMap;
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    "2026-01-15T12:00:00Z".parse().expect("an instant")
}

fn item(amount: i64, quantity: i64, (interval, count): (PriceInterval, i64)) -> ObservedItem {
    ObservedItem {
        external_id: format!("si_{interval}_{count}"),
        price_external_id: "price".to_owned(),
        product_external_id: Some("prod".to_owned()),
        quantity: Some(quantity),
        metered: false,
        period: None,
        pricing: Pricing::PerUnit(Exact::from_integer(amount.into())),
        package: None,
        interval,
        interval_count: count,
    }
}

fn discount(off: DiscountOff, duration: DiscountDuration) -> ObservedDiscount {
    ObservedDiscount {
        external_id: "di".to_owned(),
        scope: Subscription,
        item_external_id: None,
        products: None,
        coupon_external_id: Some("coupon".to_owned()),
        terms: Some(DiscountTerms { duration, off }),
        starts_at: None,
        ends_at: None,
    }
}

fn percent(text: &str, duration: DiscountDuration) -> ObservedDiscount {
    discount(DiscountOff::Part(decimal(text).expect("a decimal") / Exact::from_integer(100)), duration)
}

fn amount(minor: i64, currency: &str, duration: DiscountDuration) -> ObservedDiscount {
    discount(DiscountOff::Amount { minor, currency: currency.to_owned(), per_unit: false }, duration)
}

fn scoped(scope: DiscountScope, discount: ObservedDiscount) -> ObservedDiscount {
    ObservedDiscount { scope, ..discount }
}

fn worth(items: Vec<ObservedItem>, discounts: Vec<ObservedDiscount>) -> Yearly {
    let state = ObservedState {
        effective_at: now(),
        status: SubscriptionStatus::Active,
        paused: false,
        currency: Some("USD".to_owned()),
        items,
        discounts,
        cause: "test".to_owned(),
        inbox_event_id: Uuid::nil(),
    };
    yearly(&state, &HashMap::new())
}

/// Returns both figures at the beginning.
fn at_start(items: Vec<ObservedItem>, discounts: Vec<ObservedDiscount>) -> (Option<i64>, Option<i64>) {
    let Worth { arr_minor, discounted_arr_minor } = worth(items, discounts).at_start;
    (arr_minor, discounted_arr_minor)
}

fn both(arr: i64, discounted: i64) -> (Option<i64>, Option<i64>) {
    (Some(arr), Some(discounted))
}

#[test]
fn a_year_has_as_many_periods_as_the_interval_says() {
    let year = |amount, quantity, interval| at_start(vec![item(amount, quantity, interval)], vec![]);
    assert_eq!(year(49_000, 1, (Year, 1)), both(49_000, 49_000));
    assert_eq!(year(2_900, 3, (Month, 1)), both(104_400, 104_400));
    assert_eq!(year(2_900, 1, (Month, 3)), both(11_600, 11_600));
    assert_eq!(year(100, 1, (Week, 2)), both(2_600, 2_600));
    assert_eq!(year(7, 1, (Day, 1)), both(2_555, 2_555));
    assert_eq!(year(900, 0, (Month, 1)), both(0, 0));
    // 182.5 and 547.5: halves go to the even neighbour.
    assert_eq!(year(1, 1, (Day, 2)), both(182, 182));
    assert_eq!(year(3, 1, (Day, 2)), both(548, 548));
    // Rounded once, not for each item.
    assert_eq!(at_start(vec![item(1, 1, (Day, 2)), item(3, 1, (Day, 2))], vec![]), both(730, 730));
}

#[test]
fn units_are_sold_in_packages_in_tiers_and_in_fractions() {
    let monthly = |pricing, quantity, package| {
        at_start(vec![ObservedItem { pricing, package, ..item(0, quantity, (Month, 1)) }], vec![]).0
    };
    let unit = |text: &str| Pricing::PerUnit(decimal(text).expect("a decimal"));
    for (quantity, round_up, arr) in
        [(6, true, 24_000), (6, false, 12_000), (5, true, 12_000), (4, false, 0), (0, true, 0), (1, true, 12_000)]
    {
        let package = Some(Package { size: 5, round_up });
        assert_eq!(monthly(unit("1000"), quantity, package), Some(arr), "{quantity} {round_up}");
    }
    // 12 × 3 × 0.35 = 12.6, and 12 × 0.125 = 1.5.
    assert_eq!((monthly(unit("0.35"), 3, None), monthly(unit("0.125"), 1, None)), (Some(13), Some(2)));
    let tier = |up_to, unit: i128, flat: i128| Tier {
        up_to,
        unit_amount: Exact::from_integer(unit),
        flat_amount: Exact::from_integer(flat),
    };
    let tiers = vec![tier(Some(5), 500, 0), tier(Some(10), 400, 1_000), tier(None, 100, 0)];
    for (quantity, volume, graduated) in [(0, 0, 0), (5, 2_500, 2_500), (6, 3_400, 3_900), (12, 1_200, 5_700)] {
        assert_eq!(monthly(Pricing::Volume(tiers.clone()), quantity, None), Some(volume * 12), "{quantity}");
        assert_eq!(monthly(Pricing::Graduated(tiers.clone()), quantity, None), Some(graduated * 12), "{quantity}");
    }
    // A quantity past the last tier has no amount.
    assert_eq!(monthly(Pricing::Volume(vec![tier(Some(5), 1, 0)]), 6, None), None);
    assert_eq!(monthly(Pricing::Graduated(vec![tier(Some(5), 1, 0)]), 6, None), None);
}

#[test]
fn only_discounts_for_ever_lower_the_first_figure() {
    let month = || vec![item(1_000, 1, (Month, 1))];
    assert_eq!(at_start(month(), vec![percent("25", Once)]), both(12_000, 9_000));
    assert_eq!(at_start(month(), vec![percent("25", Forever)]), both(9_000, 9_000));
    assert_eq!(at_start(month(), vec![percent("33.3333", Forever)]), both(8_000, 8_000));
    assert_eq!(at_start(month(), vec![amount(100, "USD", Repeating)]), both(12_000, 10_800));
    assert_eq!(at_start(month(), vec![amount(5_000, "USD", Forever)]), both(0, 0));
    assert_eq!(at_start(month(), vec![percent("50", Forever), amount(100, "USD", Once)]), both(6_000, 4_800));
    assert_eq!(at_start(month(), vec![amount(100, "USD", Once), percent("50", Forever)]), both(6_000, 5_400));
}

#[test]
fn a_discount_counts_for_its_scope_and_products() {
    let items = || {
        let seat = ObservedItem {
            external_id: "si_seat".to_owned(),
            product_external_id: Some("prod_seat".to_owned()),
            ..item(1_000, 2, (Month, 1))
        };
        vec![item(2_000, 1, (Month, 1)), seat]
    };
    let on_seat =
        |discount| ObservedDiscount { item_external_id: Some("si_seat".to_owned()), ..scoped(Item, discount) };
    let for_seats = |discount| ObservedDiscount { products: Some(vec!["prod_seat".to_owned()]), ..discount };
    let arr = |discounts| at_start(items(), discounts).0;
    assert_eq!(arr(vec![]), Some(48_000));
    assert_eq!(arr(vec![percent("50", Forever)]), Some(24_000));
    let ways: [fn(ObservedDiscount) -> ObservedDiscount; 2] = [on_seat, for_seats];
    for of_seats in ways {
        assert_eq!(arr(vec![of_seats(percent("50", Forever))]), Some(36_000));
        assert_eq!(arr(vec![of_seats(amount(5_000, "USD", Forever))]), Some(24_000));
    }
    // An item's discount is deducted first: (2000 + 2000 - 500) / 2, not 4000 / 2 - 500.
    let mixed = vec![percent("50", Forever), on_seat(amount(500, "USD", Forever))];
    assert_eq!(arr(mixed), Some(21_000));
    let of_none = ObservedDiscount { products: Some(vec!["other".to_owned()]), ..percent("50", Forever) };
    assert_eq!(arr(vec![of_none]), Some(48_000));
    let each = DiscountOff::Amount { minor: 300, currency: "USD".to_owned(), per_unit: true };
    assert_eq!(arr(vec![for_seats(discount(each, Forever))]), Some(40_800));
}

#[test]
fn a_customers_discount_counts_while_the_subscription_has_none() {
    let month = || vec![item(1_000, 1, (Month, 1))];
    let customers = || scoped(Customer, percent("10", Forever));
    assert_eq!(at_start(month(), vec![customers()]), both(10_800, 10_800));
    let own = ObservedDiscount { ends_at: Some(now() + TimeDelta::days(30)), ..percent("50", Repeating) };
    let yearly = worth(month(), vec![customers(), own]);
    assert_eq!(yearly.at_start, Worth { arr_minor: Some(12_000), discounted_arr_minor: Some(6_000) });
    let later = Worth { arr_minor: Some(10_800), discounted_arr_minor: Some(10_800) };
    assert_eq!(yearly.changes, [(now() + TimeDelta::days(30), later)]);
}

#[test]
fn an_amount_off_is_taken_off_each_invoice_of_its_currency() {
    let month = || vec![item(1_000, 1, (Month, 1))];
    assert_eq!(at_start(month(), vec![amount(100, "JPY", Forever)]), (None, None));
    assert_eq!(at_start(month(), vec![amount(100, "JPY", Repeating)]), (Some(12_000), None));
    let unknown = ObservedDiscount { terms: None, ..percent("1", Once) };
    assert_eq!(at_start(month(), vec![unknown.clone()]), (None, None));
    // A discount that applies to nothing needs no amount.
    let elsewhere = ObservedDiscount { products: Some(vec!["other".to_owned()]), ..unknown };
    assert_eq!(at_start(month(), vec![elsewhere]), both(12_000, 12_000));
    // Of the twelve invoices one has the yearly item too: 11 × min(1500, 1000) + min(1500, 7000).
    let mixed = vec![item(1_000, 1, (Month, 1)), item(6_000, 1, (Year, 1))];
    assert_eq!(at_start(mixed, vec![amount(1_500, "USD", Forever)]), both(5_500, 5_500));
}

#[test]
fn discounts_begin_and_end_while_a_state_lasts() {
    let day = |days| Some(now() + TimeDelta::days(days));
    let first = ObservedDiscount { ends_at: day(10), ..percent("50", Repeating) };
    let second = ObservedDiscount { starts_at: day(5), ends_at: day(20), ..percent("10", Once) };
    let over = ObservedDiscount { ends_at: Some(now()), ..percent("90", Forever) };
    let Yearly { at_start, changes } = worth(vec![item(1_000, 1, (Month, 1))], vec![first, second, over]);
    let full = |discounted| Worth { arr_minor: Some(12_000), discounted_arr_minor: Some(discounted) };
    assert_eq!(at_start, full(6_000));
    let expected = [(5, 5_400), (10, 10_800), (20, 12_000)].map(|(days, arr)| (day(days).unwrap(), full(arr)));
    assert_eq!(changes, expected);
}

#[test]
fn what_does_not_recur_is_not_counted_and_what_is_not_known_makes_the_sum_unknown() {
    let month = || item(1_000, 1, (Month, 1));
    let metered = ObservedItem { metered: true, quantity: None, pricing: Pricing::Unknown, ..month() };
    let unknown = ObservedItem { pricing: Pricing::Unknown, ..month() };
    assert_eq!(at_start(vec![metered.clone(), item(500, 1, (OneTime, 1))], vec![]), both(0, 0));
    assert_eq!(at_start(vec![metered, month()], vec![]), both(12_000, 12_000));
    assert_eq!(at_start(vec![unknown, month()], vec![]), (None, None));
    assert_eq!(at_start(vec![item(i64::MAX, i64::MAX, (Day, 1))], vec![]), (None, None));
    assert_eq!(at_start(vec![item(i64::MAX, i64::MAX, (Day, i64::MAX)), month()], vec![]), (None, None));
}

proptest! {
    #[test]
    fn the_figures_are_in_order(
        items in proptest::collection::vec((0..100_000i64, 0..50i64, 0..4usize, 1..13i64), 0..5),
        discounts in proptest::collection::vec((proptest::bool::ANY, 0..10_001i64, 0..3usize, 0..3usize), 0..4),
    ) {
        let interval = [Day, Week, Month, Year];
        let items = items.into_iter().map(|(amount, quantity, index, n)| item(amount, quantity, (interval[index], n)));
        let items: Vec<_> = items.collect();
        let (duration, scope) = ([Once, Repeating, Forever], [Customer, Subscription, Item]);
        let discounts = discounts.into_iter().map(|(is_percent, by, lasts, of)| {
            let duration = duration[lasts];
            let part = DiscountOff::Part(Exact::new(by.into(), 10_000));
            let discount = if is_percent { discount(part, duration) } else { amount(by, "USD", duration) };
            scoped(scope[of], discount)
        });
        let (full, same) = at_start(items.clone(), vec![]);
        let (arr, discounted) = at_start(items, discounts.collect());
        prop_assert_eq!(full, same);
        prop_assert!(Some(0) <= discounted && discounted <= arr && arr <= full, "{:?} {:?} {:?}", discounted, arr, full);
    }
}
