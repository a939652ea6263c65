//! The catalogue: its rows, and lookups by code, time, currency and interval.

mod coupons;
mod metering;
mod offers;
mod references;

pub(super) use coupons::{Coupon, Duration};
pub(super) use metering::{Card, Meter, QUANTITIES};
pub(super) use offers::{Allowance, Feature, Interval};

use super::calendar::{At, Calendar, days};
use super::dice::Dice;
use super::rows::Rows;
use ::entity::{credit_allowances, credit_units, features, prices, product_features, product_versions, products};
use offers::{FEATURES, OFFERS, Offer, UNITS};
use references::References;
use std::collections::HashMap;
use uuid::Uuid;

/// A current price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) id: Uuid,
    pub(super) currency: &'static str,
    pub(super) interval: Interval,
    pub(super) amount_minor: i64,
}

/// A product version that can be sold.
pub(super) struct Version {
    pub(super) id: Uuid,
    pub(super) code: &'static str,
    pub(super) published_at: At,
    pub(super) trial_days: Option<i64>,
    pub(super) rank: i64,
    /// The allowances, with their ids.
    pub(super) allowances: Vec<(Uuid, Allowance)>,
    pub(super) features: &'static [Feature],
    prices: Vec<Price>,
}

impl Version {
    /// Returns the price in `currency` for `interval`.
    pub(super) fn price(&self, currency: &str, interval: Interval) -> Price {
        let found = self.prices.iter().find(|price| price.currency == currency && price.interval == interval);
        *found.expect("every version has its prices in both currencies")
    }
}

/// The products, prices and coupons on sale.
pub(super) struct Catalogue {
    versions: Vec<Version>,
    units: HashMap<&'static str, Uuid>,
    features: HashMap<&'static str, Uuid>,
    meters: HashMap<&'static str, Meter>,
    cards: Vec<Card>,
    pub(super) coupons: Vec<Coupon>,
    references: References,
}

impl Catalogue {
    /// Creates the catalogue and its rows.
    pub(super) fn new(dice: &mut Dice, aside: &mut Dice, calendar: &Calendar) -> (Self, Rows) {
        let mut rows = Rows::default();
        let opened = calendar.start - days(30);
        let mut units = HashMap::new();
        for (code, name, decimals) in UNITS {
            let id = dice.id(opened);
            units.insert(code, id);
            let (code, name) = (code.to_owned(), name.to_owned());
            rows.credit_units.push(credit_units::Model { id, code, name, decimals, created_at: opened });
        }
        let meters = metering::meters(dice, &mut rows, opened);
        let mut named = HashMap::new();
        for (code, kind, name, unit) in FEATURES {
            let id = dice.id(opened);
            named.insert(code, id);
            rows.features.push(features::Model {
                id,
                code: code.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                unit: unit.map(str::to_owned),
                created_at: opened,
                meter_id: meters.get(code).filter(|_| kind == "limit").map(|meter: &Meter| meter.id),
            });
        }
        let cards = metering::cards(dice, &mut rows, (&meters, units["credit"]), calendar);
        let (versions, references) = (Vec::new(), References::new());
        let mut catalogue =
            Catalogue { versions, units, features: named, meters, cards, coupons: Vec::new(), references };
        for offer in &OFFERS {
            catalogue.put_on_sale(dice, &mut rows, offer, calendar);
        }
        catalogue.coupons = coupons::coupons(dice, &mut rows, calendar);
        catalogue.references = references::references(aside, &mut rows, calendar);
        (catalogue, rows)
    }

    /// Returns the version of `code` on sale at `at`.
    pub(super) fn version(&self, code: &str, at: At) -> &Version {
        let on_sale = self.versions.iter().filter(|version| version.code == code && version.published_at <= at);
        on_sale.max_by_key(|version| version.published_at).expect("every code has a version from the first day")
    }

    /// Returns the provider's id of a price, or `None` if the price is zero.
    pub(super) fn reference(&self, provider: &'static str, price_id: Uuid) -> Option<String> {
        self.references.get(&(provider, price_id)).cloned()
    }

    pub(super) fn unit(&self, code: &str) -> Uuid {
        self.units[code]
    }

    pub(super) fn feature(&self, code: &str) -> Uuid {
        self.features[code]
    }

    pub(super) fn meter(&self, code: &str) -> &Meter {
        &self.meters[code]
    }

    /// Returns the code of a meter.
    pub(super) fn code_of(&self, meter_id: Uuid) -> &'static str {
        self.meters.iter().find(|(_, meter)| meter.id == meter_id).map_or("", |(code, _)| code)
    }

    /// Returns the rate card of a model at an instant.
    pub(super) fn card(&self, model: &str, at: At) -> Option<&Card> {
        self.cards.iter().find(|card| card.model == model && card.holds_at(at))
    }

    fn put_on_sale(&mut self, dice: &mut Dice, rows: &mut Rows, offer: &Offer, calendar: &Calendar) {
        let opened = calendar.start - days(30);
        let product_id = dice.id(opened);
        let mut updated_at = opened;
        for (number, version) in (1..).zip(offer.versions) {
            let draft = version.status == "draft";
            let created_at = match version.days_ago {
                _ if draft => calendar.now - days(5),
                0 => opened,
                days_ago => calendar.now - days(days_ago + 6),
            };
            let published_at = if version.days_ago == 0 { opened } else { created_at + days(6) };
            updated_at = if draft { created_at } else { published_at };
            let id = dice.id(created_at);
            rows.product_versions.push(product_versions::Model {
                id,
                product_id,
                number,
                status: version.status.to_owned(),
                created_at,
                published_at: (!draft).then_some(published_at),
                past_due_grace_days: None,
                access_while_paused: false,
                access_in_trial: true,
            });
            let prices = price_rows(dice, rows, offer, version, (id, created_at));
            let allowances = self.grant_rows(dice, rows, version, (id, created_at));
            let (code, rank, trial_days, features) = (offer.code, offer.rank, version.trial_days, version.features);
            if !draft {
                self.versions.push(Version { id, code, published_at, trial_days, rank, allowances, features, prices });
            }
        }
        rows.products.push(products::Model {
            id: product_id,
            code: offer.code.to_owned(),
            kind: offer.kind.to_owned(),
            rank: offer.rank,
            name: offer.name.to_owned(),
            description: Some(offer.description.to_owned()),
            active: true,
            created_at: opened,
            updated_at,
        });
    }

    fn grant_rows(
        &self,
        dice: &mut Dice,
        rows: &mut Rows,
        version: &offers::Version,
        (version_id, created_at): (Uuid, At),
    ) -> Vec<(Uuid, Allowance)> {
        let mut allowances = Vec::new();
        for allowance in version.allowances {
            let id = dice.id(created_at);
            allowances.push((id, *allowance));
            rows.credit_allowances.push(credit_allowances::Model {
                id,
                product_version_id: version_id,
                credit_unit_id: self.units[allowance.unit],
                amount: allowance.amount,
                cadence: allowance.cadence.to_owned(),
                expires_after_days: allowance.expires_after_days,
                rollover_cap: allowance.rollover_cap,
                priority: allowance.priority,
                on_plan_change: "replace".to_owned(),
            });
        }
        for feature in version.features {
            rows.product_features.push(product_features::Model {
                id: dice.id(created_at),
                product_version_id: version_id,
                feature_id: self.features[feature.0],
                value: feature.1.map(str::to_owned),
                limit_units: feature.2,
                limit_window: feature.3.map(str::to_owned),
                rollover_cap: None,
                on_exceed: feature.4.map(str::to_owned),
                overage_unit_id: None,
                overage_credits: None,
            });
        }
        allowances
    }
}

fn price_rows(
    dice: &mut Dice,
    rows: &mut Rows,
    offer: &Offer,
    version: &offers::Version,
    (product_version_id, created_at): (Uuid, At),
) -> Vec<Price> {
    let intervals: &[Interval] = match (offer.kind, version.usd) {
        ("credit_pack" | "gift", _) => &[Interval::Once],
        (_, 0) => &[Interval::Month],
        _ => &[Interval::Month, Interval::Year],
    };
    let mut prices = Vec::new();
    for (currency, base) in [("USD", version.usd), ("EUR", version.eur)] {
        for &interval in intervals {
            let amount_minor = if interval == Interval::Year { base * 10 } else { base };
            let id = dice.id(created_at);
            prices.push(Price { id, currency, interval, amount_minor });
            rows.prices.push(prices::Model {
                id,
                product_version_id,
                currency: currency.to_owned(),
                unit_amount_minor: amount_minor,
                interval: interval.name().to_owned(),
                interval_count: 1,
                trial_days: version.trial_days,
                active: version.status == "published",
                created_at,
            });
        }
    }
    prices
}
