//! Random subscriptions: their figures at any instant equal those of a model that writes the invoice of each month of a
//! year, whatever the shape and order of the events.

use super::books::{Books, DAY, START, deliver, figures_at, item, post, subscription, with};
use crate::support::{TestApp, both_engines};
use num_rational::Ratio;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollgate::providers::Provider;

both_engines!(random_subscriptions_are_worth_what_their_invoices_say,);

const VERSIONS: [&str; 4] = ["2022-11-15", "2024-06-20", "2025-08-27.basil", "2025-11-17.clover"];

/// Minor units, or a part of them.
type Amount = Ratio<i128>;

/// An item of the model.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    /// Months between two invoices; `None` if metered.
    every: Option<i64>,
    /// Minor units in the subscription's currency; `None` if only the price's own currency is known.
    amount: Option<Amount>,
}

/// A discount of the model.
#[derive(Debug, Clone)]
struct Off {
    id: String,
    scope: &'static str,
    /// The only item that it is for.
    only: Option<String>,
    /// Halves of a percent.
    half_percents: Option<i32>,
    /// Minor units, and the currency.
    amount: Option<(i32, &'static str)>,
    forever: bool,
    start: i64,
    end: Option<i64>,
}

/// A subscription of the model.
#[derive(Debug, Clone)]
struct Model {
    currency: &'static str,
    lines: Vec<Line>,
    offs: Vec<Off>,
}

impl Model {
    /// The annual value at an instant; `None` if an amount is not known.
    fn worth(&self, at: i64, forever_only: bool) -> Option<i64> {
        let now: Vec<&Off> =
            self.offs.iter().filter(|off| off.start <= at && off.end.is_none_or(|end| at < end)).collect();
        let own = now.iter().any(|off| off.scope == "subscription");
        let counts = |off: &&&Off| (off.scope != "customer" || !own) && (!forever_only || off.forever);
        let (items, others): (Vec<&Off>, Vec<&Off>) =
            now.iter().filter(counts).copied().partition(|off| off.scope == "item");
        let order: Vec<&Off> = items.into_iter().chain(others).collect();
        let mut year = zero();
        for month in 0..12 {
            let due = self.lines.iter().filter(|line| line.every.is_some_and(|every| month % every == 0));
            let mut bill: Vec<(String, Amount)> = Vec::new();
            for line in due {
                bill.push((line.name.clone(), line.amount?));
            }
            for off in &order {
                deduct(&mut bill, off, self.currency)?;
            }
            year += bill.iter().fold(zero(), |sum, (_, amount)| sum + amount);
        }
        Some(round_half_even(year))
    }
}

fn zero() -> Amount {
    Ratio::from_integer(0)
}

fn deduct(bill: &mut [(String, Amount)], off: &Off, currency: &str) -> Option<()> {
    let is_for = |name: &String, amount: Amount| off.only.as_ref().is_none_or(|only| only == name) && amount > zero();
    let concerned = bill.iter().filter(|(name, amount)| is_for(name, *amount));
    let total = concerned.fold(zero(), |sum, (_, amount)| sum + amount);
    if total == zero() {
        return Some(());
    }
    let part = match (off.half_percents, off.amount) {
        (Some(halves), _) => Ratio::new(halves.into(), 200),
        (None, Some((amount, of))) if of == currency => Ratio::from_integer(i128::from(amount)).min(total) / total,
        _ => return None,
    };
    for (name, amount) in bill {
        if is_for(name, *amount) {
            *amount *= Ratio::from_integer(1) - part;
        }
    }
    Some(())
}

fn round_half_even(value: Amount) -> i64 {
    let (whole, twice) = (value.floor().to_integer(), value.fract() * 2);
    let up = if twice == Ratio::from_integer(1) { whole % 2 } else { i128::from(twice > Ratio::from_integer(1)) };
    i64::try_from(whole + up).unwrap()
}

struct Story {
    dice: ChaCha8Rng,
    events: Vec<Value>,
    models: BTreeMap<String, Model>,
}

impl Story {
    /// A customer with one or two subscriptions, and perhaps a discount of their own.
    fn customer(&mut self, number: usize) {
        let version = *VERSIONS.choose(&mut self.dice).unwrap();
        let customer = format!("cus_{number}");
        let mut books = Books::new(version);
        let mut whole = json!({"id": customer, "object": "customer", "created": START, "metadata": {"user_id": "ann"}});
        let mut own = None;
        if self.dice.random_bool(0.4) {
            let off = self.off(&format!("di_{number}c"), "customer", &[]);
            let given = with(shown(&off, version), json!({"customer": customer, "subscription": null}));
            if self.dice.random_bool(0.5) {
                whole["discount"] = given;
            } else {
                books.add("customer.discount.created", START + 2, given);
            }
            own = Some(off);
        }
        books.events[0]["data"]["object"] = whole;
        for part in 0..self.dice.random_range(1..3) {
            let name = format!("sub_{number}_{part}");
            let (currency, mut lines, items) = self.items(&name);
            let mut sold = with(
                subscription(Value::Null),
                json!({"id": name, "customer": customer, "currency": currency.to_lowercase()}),
            );
            sold["items"]["data"] = items;
            let mut offs = Vec::new();
            for index in 0..self.dice.random_range(0..3) {
                let scope = *["subscription", "item"].choose(&mut self.dice).unwrap();
                let off = self.off(&format!("di_{number}_{part}_{index}"), scope, &lines);
                self.give(&mut books, &mut sold, &off, version);
                offs.push(off);
            }
            // Stripe lists the discounts of items by item.
            let place = |off: &Off| lines.iter().position(|line| off.only.as_ref() == Some(&line.name));
            offs.sort_by_key(|off| if off.scope == "item" { place(off) } else { None });
            offs.extend(own.clone());
            books.subscribe(sold);
            lines.retain(|line| line.every.is_some());
            self.models.insert(name, Model { currency, lines, offs });
        }
        for (index, event) in books.events.iter_mut().enumerate() {
            event["id"] = json!(format!("evt_{number}_{index}"));
        }
        self.events.append(&mut books.events);
    }

    /// Items: of the model, and as Stripe shows them.
    fn items(&mut self, name: &str) -> (&'static str, Vec<Line>, Value) {
        let currency = *["USD", "EUR"].choose(&mut self.dice).unwrap();
        let (mut lines, mut items) = (Vec::new(), Vec::new());
        for index in 0..self.dice.random_range(1..4) {
            let line = format!("{}{name}_{index}", if index == 0 { "pro_" } else { "seat_" });
            let every = *[1, 1, 3, 12].choose(&mut self.dice).unwrap();
            let cents: i32 = self.dice.random_range(0..5_000);
            let decimal = self.dice.random_bool(0.2);
            let unit = Ratio::new(i128::from(cents), if decimal { 8 } else { 1 });
            let (quantity, metered) = (self.dice.random_range(0..9_i64), index > 0 && self.dice.random_bool(0.2));
            let size = self.dice.random_bool(0.3).then(|| self.dice.random_range(1..5_i64));
            let up = self.dice.random_bool(0.5);
            let units = match size {
                Some(size) if up => (quantity + size - 1) / size,
                Some(size) => quantity / size,
                None => quantity,
            };
            let amounts = if decimal {
                json!({"unit_amount": null, "unit_amount_decimal": format!("{}.{:03}", cents / 8, cents % 8 * 125)})
            } else {
                json!({"unit_amount": cents, "unit_amount_decimal": cents.to_string()})
            };
            let interval = if every == 12 { ("year", 1) } else { ("month", every) };
            let usage = if metered { "metered" } else { "licensed" };
            let mut price = json!({
                "recurring": {"interval": interval.0, "interval_count": interval.1, "usage_type": usage},
                "metadata": if index == 0 { json!({"plan": "pro", "tier": "2"}) } else { json!({"addon": "seat"}) },
                "transform_quantity": size.map(|size| json!({"divide_by": size, "round": if up { "up" } else { "down" }})),
            });
            // The amount in the subscription's currency is the price's own, an expanded option, or not sent at all.
            let mut known = true;
            if self.dice.random_bool(0.7) {
                price = with(price, with(amounts, json!({"currency": currency.to_lowercase()})));
            } else {
                known = self.dice.random_bool(0.7);
                let mut options = json!({});
                options[currency.to_lowercase()] = amounts;
                price = with(price, json!({"currency": "gbp", "unit_amount": 77_777, "unit_amount_decimal": "77777"}));
                if known {
                    price["currency_options"] = options;
                }
            }
            let mut shown = with(item(&line, price), json!({"quantity": quantity}));
            if metered {
                shown.as_object_mut().unwrap().remove("quantity");
            }
            items.push(shown);
            let amount = known.then(|| unit * i128::from(units));
            lines.push(Line { name: line, every: (!metered).then_some(every), amount });
        }
        (currency, lines, json!(items))
    }

    /// Terms of a discount.
    fn off(&mut self, id: &str, scope: &'static str, lines: &[Line]) -> Off {
        let restricted = scope == "item" || self.dice.random_bool(0.3);
        let half_percents = self.dice.random_bool(0.6).then(|| self.dice.random_range(1..201));
        let amount = (self.dice.random_range(1..6_000), *["USD", "EUR"].choose(&mut self.dice).unwrap());
        let start = START + 5 + DAY * self.dice.random_range(0..2) * self.dice.random_range(0..30);
        Off {
            id: id.to_owned(),
            scope,
            only: lines.choose(&mut self.dice).filter(|_| restricted).map(|line| line.name.clone()),
            half_percents,
            amount: half_percents.is_none().then_some(amount),
            forever: self.dice.random_bool(0.5),
            start: if scope == "customer" { start } else { START + 5 },
            end: self.dice.random_bool(0.5).then(|| start + DAY * self.dice.random_range(1..60)),
        }
    }

    /// Adds a discount to a subscription, as an API version shows it, and the events that it needs.
    fn give(&mut self, books: &mut Books, sold: &mut Value, off: &Off, version: &str) {
        let given = with(
            shown(off, version),
            json!({"customer": sold["customer"], "subscription": sold["id"],
                "subscription_item": off.only.as_ref().filter(|_| off.scope == "item").map(|only| format!("si_{only}"))}),
        );
        let expanded = self.dice.random_bool(0.3);
        let named = if expanded { given.clone() } else { json!(off.id) };
        let holder = if off.scope == "item" {
            let items = sold["items"]["data"].as_array_mut().unwrap();
            let id = json!(format!("si_{}", off.only.as_ref().unwrap()));
            items.iter_mut().find(|item| item["id"] == id).unwrap()
        } else {
            sold
        };
        if holder["discounts"].is_null() {
            holder["discounts"] = json!([]);
        }
        holder["discounts"].as_array_mut().unwrap().push(named);
        if !expanded {
            books.add("customer.discount.created", START + 5, given);
        }
        if version.ends_with("clover") {
            books.add("coupon.created", START + 1, coupon(off));
        }
    }
}

fn coupon(off: &Off) -> Value {
    let percent = off.half_percents.map(|halves| format!("{}.{}", halves / 2, halves % 2 * 5));
    let percent: Option<serde_json::Number> = percent.map(|percent| percent.parse().unwrap());
    json!({
        "id": format!("co_{}", off.id), "object": "coupon", "created": START, "valid": true, "times_redeemed": 1,
        "percent_off": percent, "amount_off": off.amount.map(|(amount, _)| amount),
        "currency": off.amount.map(|(_, currency)| currency.to_lowercase()),
        "duration": if off.forever { "forever" } else { "repeating" },
        "applies_to": off.only.as_ref().filter(|_| off.scope != "item").map(|only| json!({"products": [format!("prod_{only}")]})),
    })
}

fn shown(off: &Off, version: &str) -> Value {
    let discount = json!({"id": off.id, "object": "discount", "start": off.start, "end": off.end});
    if version.ends_with("clover") && off.scope != "customer" {
        with(discount, json!({"source": {"type": "coupon", "coupon": format!("co_{}", off.id)}}))
    } else {
        with(discount, json!({"coupon": coupon(off)}))
    }
}

async fn random_subscriptions_are_worth_what_their_invoices_say(test: &TestApp) {
    let mut story = Story { dice: ChaCha8Rng::seed_from_u64(11), events: Vec::new(), models: BTreeMap::new() };
    for number in 0..25 {
        story.customer(number);
    }
    story.events.shuffle(&mut story.dice);
    let events = story.events.clone();
    for events in events.chunks(17) {
        post(test, Provider::Stripe, events).await;
    }
    deliver(test, &[]).await;
    assert!(story.models.len() > 30);
    compare_each(test, &story.models).await;
    let mut unknown = 0;
    for _ in 0..12 {
        let at = START + 5 + story.dice.random_range(0..80 * DAY);
        let expected = [true, false].map(|forever_only| expected(&story.models, at, forever_only));
        unknown += usize::from(expected[0].contains("unknown"));
        assert_eq!(figures_at(test, at).await, expected, "{at}");
    }
    assert!(unknown > 0, "some amounts are not known");
}

/// Compares the value of each subscription at its beginning and after each change.
async fn compare_each(test: &TestApp, models: &BTreeMap<String, Model>) {
    const QUERY: &str = "query($id: String) { subscriptions(filter: {externalId: $id}) { nodes {
        history(first: 1) { nodes {
            arr { amount } discountedArr { amount } arrChanges { effectiveAt arr { amount } discountedArr { amount } }
        } }
    } } }";
    for (name, model) in models {
        let data = test.admin().data(QUERY, json!({"id": name})).await;
        let state = &data["subscriptions"]["nodes"][0]["history"]["nodes"][0];
        let changes = state["arrChanges"].as_array().unwrap_or_else(|| panic!("{name}: {data}"));
        let told = |worth: &Value| {
            let amount = |name: &str| worth[name]["amount"].as_str().map(|amount| amount.parse::<i64>().unwrap());
            (amount("arr"), amount("discountedArr"))
        };
        let expected = |at: i64| {
            let arr = model.worth(at, true);
            (arr, arr.and_then(|_| model.worth(at, false)))
        };
        assert_eq!(told(state), expected(START + 5), "{name} {model:#?}");
        for change in changes {
            let at: chrono::DateTime<chrono::Utc> = change["effectiveAt"].as_str().unwrap().parse().unwrap();
            assert_eq!(told(change), expected(at.timestamp()), "{name} at {at} {model:#?}");
        }
    }
}

/// The figures by the model, in the form of [`figures_at`].
fn expected(models: &BTreeMap<String, Model>, at: i64, forever_only: bool) -> String {
    let mut known: BTreeMap<&str, i64> = BTreeMap::new();
    let mut unknown: BTreeMap<&str, i64> = BTreeMap::new();
    for model in models.values() {
        // Without the value after discounts for ever there is no other.
        let worth = model.worth(at, true).and_then(|arr| if forever_only { Some(arr) } else { model.worth(at, false) });
        match worth {
            Some(0) => {}
            Some(arr) => *known.entry(model.currency).or_default() += arr,
            None => *unknown.entry(model.currency).or_default() += 1,
        }
    }
    let known = known.into_iter().map(|(currency, arr)| format!("{currency} {}", (arr + 6).div_euclid(12)));
    let unknown = unknown.into_iter().map(|(currency, count)| format!("{currency} unknown {count}"));
    known.chain(unknown).collect::<Vec<_>>().join(", ")
}
