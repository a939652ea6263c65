//! Meters, and the rate cards of the language models.

use crate::calendar::{At, Calendar, days};
use crate::dice::Dice;
use crate::rows::Rows;
use ::entity::{meters, rate_cards};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// A meter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    pub(crate) id: Uuid,
    pub(crate) aggregation: &'static str,
    /// The dimension by which its days are kept apart.
    pub(crate) group_by: Option<&'static str>,
}

/// The terms of a meter.
struct Terms {
    code: &'static str,
    name: &'static str,
    aggregation: &'static str,
    value_path: Option<&'static str>,
    group_by: Option<&'static str>,
}

impl Terms {
    const fn new(code: &'static str, name: &'static str, aggregation: &'static str) -> Terms {
        Terms { code, name, aggregation, value_path: None, group_by: None }
    }
}

/// The first three are those of features with limits.
const METERS: [Terms; 7] = [
    Terms::new("ai_messages", "AI messages", "sum"),
    Terms::new("projects", "Projects", "sum"),
    Terms::new("seats", "Seats", "sum"),
    Terms { group_by: Some("model"), ..Terms::new("ai_tokens", "Tokens", "sum") },
    Terms::new("exports", "Exports", "count"),
    Terms::new("storage_mb", "Storage", "max"),
    Terms { value_path: Some("visitor"), ..Terms::new("visitors", "Visitors", "unique") },
];

/// Creates the meters.
pub(super) fn meters(dice: &mut Dice, rows: &mut Rows, opened: At) -> HashMap<&'static str, Meter> {
    let mut meters = HashMap::new();
    for Terms { code, name, aggregation, value_path, group_by } in METERS {
        let id = dice.id(opened);
        meters.insert(code, Meter { id, aggregation, group_by });
        rows.meters.push(meters::Model {
            id,
            code: code.to_owned(),
            name: name.to_owned(),
            aggregation: aggregation.to_owned(),
            value_path: value_path.map(str::to_owned),
            group_by: group_by.map(str::to_owned),
            created_at: opened,
        });
    }
    meters
}

/// A rate card of the tokens of one model.
pub(crate) struct Card {
    pub(crate) id: Uuid,
    pub(crate) model: &'static str,
    /// Credits per thousand input, output and cached tokens.
    rates: [i64; 3],
    starts_at: At,
    ends_at: Option<At>,
}

impl Card {
    pub(super) fn holds_at(&self, at: At) -> bool {
        self.starts_at <= at && self.ends_at.is_none_or(|end| at < end)
    }

    /// Returns the credits that tokens cost, rounded up once.
    pub(crate) fn cost(&self, tokens: [i64; 3]) -> i64 {
        let thousandths: i64 = self.rates.iter().zip(tokens).map(|(rate, count)| rate * count).sum();
        (thousandths + 999) / 1_000
    }
}

/// The names of the quantities that the cards price.
pub(crate) const QUANTITIES: [&str; 3] = ["input_tokens", "output_tokens", "cached_tokens"];

/// Creates the rate cards. That of the large model was cheaper until two weeks ago.
pub(super) fn cards(
    dice: &mut Dice,
    rows: &mut Rows,
    (meters, credit): (&HashMap<&'static str, Meter>, Uuid),
    calendar: &Calendar,
) -> Vec<Card> {
    let (opened, changed) = (calendar.start - days(30), calendar.now - days(14));
    let mut cards = Vec::new();
    for (model, rates, starts_at, ends_at) in [
        ("large", [3, 12, 1], opened, Some(changed)),
        ("small", [1, 2, 0], opened, None),
        ("large", [4, 16, 1], changed, None),
    ] {
        let created_at = starts_at.min(calendar.now - days(20));
        let id = dice.id(created_at);
        let rate = |(quantity, credits): (&str, i64)| json!({"quantity": quantity, "credits": credits, "per": 1_000});
        rows.rate_cards.push(rate_cards::Model {
            id,
            meter_id: meters["ai_tokens"].id,
            credit_unit_id: credit,
            dimension: Some("model".to_owned()),
            dimension_value: Some(model.to_owned()),
            rates: QUANTITIES.into_iter().zip(rates).map(rate).collect(),
            starts_at,
            ends_at,
            created_by: String::new(),
            created_at,
        });
        cards.push(Card { id, model, rates, starts_at, ends_at });
    }
    cards
}
