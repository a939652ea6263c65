//! Rate cards: the prices of usage in credits, each in its span of time.
//!
//! Invariants: at any instant at most one card prices the events of a meter that have one value of a dimension, and at
//! most one those without; cards that hold at the same time look at the same dimension, and all cards of a meter cost
//! credits of one unit. A card never changes but for its end, which is never in the past, so that it prices an event the
//! same whenever that is recorded.

use super::path::{find, is_path, name};
use super::rates::{self, Rate};
use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::plans;
use chrono::{DateTime, TimeDelta, Utc};
use entity::rate_cards::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

/// The age up to which a card can begin in the past: that of the oldest event that is accepted.
const MAX_AGE: TimeDelta = TimeDelta::days(400);
/// The maximum length of the value of a dimension.
const MAX_TEXT_BYTES: usize = 255;

/// A rate card to be created.
#[derive(Debug, Clone)]
pub struct NewRateCard {
    /// The code of the meter.
    pub meter: String,
    /// The code of the credit unit.
    pub unit: String,
    /// The path of a dimension, and the value that an event must have there; `None` for events that no other card
    /// prices.
    pub dimension: Option<(String, String)>,
    /// The prices of quantities.
    pub rates: Vec<Rate>,
    /// The first instant at which it holds; `None` for now.
    pub starts_at: Option<DateTime<Utc>>,
    /// The first instant at which it holds no more; `None` for no end.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Creates a rate card.
pub async fn create_rate_card(app: &App, viewer: &Viewer, new: NewRateCard) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    rates::check(&new.rates)?;
    check_dimension(new.dimension.as_ref())?;
    let actor = viewer.actor().to_owned();
    app.db.write(move |txn| Box::pin(insert(txn, actor, new))).await
}

async fn insert(txn: &Txn, actor: String, new: NewRateCard) -> Result<Model> {
    let now = txn.now();
    let starts_at = new.starts_at.unwrap_or(now);
    if starts_at < now - MAX_AGE {
        let message = "`startsAt` must not be more than 400 days in the past: older events are not accepted.";
        return Err(Error::refused("STARTS_AT_INVALID", &["startsAt"], message));
    }
    if new.ends_at.is_some_and(|end| end <= starts_at || end <= now) {
        let message = "`endsAt` must be in the future and after `startsAt`.";
        return Err(Error::refused("ENDS_AT_INVALID", &["endsAt"], message));
    }
    let unit = plans::credit_unit(txn, &new.unit).await?;
    let unit = unit.ok_or(Error::refused("UNIT_NOT_FOUND", &["unit"], "Credit unit not found."))?;
    let meter = store::lock_meter(txn, &new.meter).await?;
    let missing = || Error::refused("METER_NOT_FOUND", &["meter"], "Meter not found: create it with `createMeter`.");
    let meter = meter.ok_or_else(missing)?;
    let cards = store::cards_of_meter(txn, meter.id).await?;
    if cards.iter().any(|card| card.credit_unit_id != unit.id) {
        let message = "The other rate cards of this meter cost credits of another unit: use that one.";
        return Err(Error::refused("UNIT_INVALID", &["unit"], message));
    }
    check_overlap(&cards, &new, starts_at)?;
    let (dimension, dimension_value) = new.dimension.unzip();
    let row = ActiveModel {
        id: Set(txn.new_id()),
        meter_id: Set(meter.id),
        credit_unit_id: Set(unit.id),
        dimension: Set(dimension),
        dimension_value: Set(dimension_value),
        rates: Set(json!(new.rates)),
        starts_at: Set(starts_at.fixed_offset()),
        ends_at: Set(new.ends_at.map(|at| at.fixed_offset())),
        created_by: Set(actor.clone()),
        created_at: Set(now.fixed_offset()),
    };
    let card = Entity::insert(row).exec_with_returning(txn).await?;
    let after = json!({
        "meter": meter.code, "unit": unit.code, "dimension": card.dimension, "dimensionValue": card.dimension_value,
        "rates": card.rates, "startsAt": card.starts_at, "endsAt": card.ends_at,
    });
    txn.audit(&actor, AuditEntry::new("rate_cards.create", "RateCard", card.id).after(after)).await?;
    Ok(card)
}

/// Ends a rate card at an instant, now by default. A repetition with the same instant changes nothing.
pub async fn end_rate_card(app: &App, viewer: &Viewer, id: Uuid, ends_at: Option<DateTime<Utc>>) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now();
                let card = store::lock_card(txn, id).await?;
                let card = card.ok_or(Error::refused("NOT_FOUND", &["rateCardId"], "Rate card not found."))?;
                let end = ends_at.unwrap_or(now).fixed_offset();
                if card.ends_at == Some(end) {
                    return Ok(card);
                }
                if card.ends_at.is_some_and(|known| known <= now.fixed_offset()) {
                    let message = "The rate card has ended: create another one.";
                    return Err(Error::refused("ALREADY_ENDED", &["rateCardId"], message));
                }
                if end < now.fixed_offset() || end <= card.starts_at || card.ends_at.is_some_and(|known| end > known) {
                    let message = "`endsAt` must not be in the past, and be after the start of the card and before \
                        the end that it has: create another card for the time after it.";
                    return Err(Error::refused("ENDS_AT_INVALID", &["endsAt"], message));
                }
                let change = ActiveModel { id: Set(id), ends_at: Set(Some(end)), ..Default::default() };
                let ended = Entity::update(change).exec(txn).await?;
                let (before, after) = (json!({"endsAt": card.ends_at}), json!({"endsAt": ended.ends_at}));
                let entry = AuditEntry::new("rate_cards.end", "RateCard", id).before(before).after(after);
                txn.audit(&actor, entry).await?;
                Ok(ended)
            })
        })
        .await
}

fn check_dimension(dimension: Option<&(String, String)>) -> Result<()> {
    let Some((path, value)) = dimension else { return Ok(()) };
    let is_text = !value.is_empty() && value.len() <= MAX_TEXT_BYTES && !value.contains('\0');
    if is_path(path) && is_text {
        return Ok(());
    }
    let message = "`dimension` must be a path such as `model`, and `dimensionValue` its value of 1 to 255 bytes.";
    Err(Error::refused("DIMENSION_INVALID", &["dimension"], message))
}

fn check_overlap(cards: &[Model], new: &NewRateCard, starts_at: DateTime<Utc>) -> Result<()> {
    let starts_at = starts_at.fixed_offset();
    let ends_at = new.ends_at.map(|at| at.fixed_offset());
    let overlaps = |card: &&Model| {
        card.ends_at.is_none_or(|end| end > starts_at) && ends_at.is_none_or(|end| card.starts_at < end)
    };
    for card in cards.iter().filter(overlaps) {
        let theirs = card.dimension.as_ref().zip(card.dimension_value.as_ref());
        let ours = new.dimension.as_ref().map(|(path, value)| (path, value));
        if theirs == ours {
            let message = "Another rate card prices the same events in this time: end it with `endRateCard` first.";
            return Err(Error::refused("RATE_CARD_OVERLAPS", &["startsAt"], message));
        }
        if let (Some((theirs, _)), Some((ours, _))) = (theirs, ours)
            && theirs != ours
        {
            let message = format!("The rate cards of this meter look at the dimension `{theirs}`: use the same one.");
            return Err(Error::refused("DIMENSION_INVALID", &["dimension"], message));
        }
    }
    Ok(())
}

/// A rate card as it is applied to events.
#[derive(Debug, Clone)]
pub(super) struct Card {
    row: Model,
    rates: Vec<Rate>,
}

/// The price of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The rate card.
    pub card_id: Uuid,
    /// The credit unit.
    pub unit_id: Uuid,
    /// Credits, in the smallest step of the unit; 0 where the usage is free.
    pub credits: i64,
}

impl Card {
    /// Reads a card.
    pub(super) fn read(row: Model) -> Result<Card> {
        let rates = serde_json::from_value(row.rates.clone()).map_err(Error::internal)?;
        Ok(Card { row, rates })
    }

    /// Returns the id of the meter.
    pub(super) fn meter_id(&self) -> Uuid {
        self.row.meter_id
    }

    /// Returns the id of the credit unit.
    pub(super) fn unit_id(&self) -> Uuid {
        self.row.credit_unit_id
    }

    fn holds_at(&self, at: DateTime<Utc>) -> bool {
        let at = at.fixed_offset();
        self.row.starts_at <= at && self.row.ends_at.is_none_or(|end| at < end)
    }

    fn matches(&self, dimensions: Option<&Value>) -> bool {
        let Some((path, value)) = self.row.dimension.as_ref().zip(self.row.dimension_value.as_ref()) else {
            return true;
        };
        find(dimensions, path).and_then(name).is_some_and(|found| found == *value)
    }
}

/// Returns the price of an event by the cards of its meter: the one for the value of its dimension wins over the one for
/// any. `None` if no card holds.
pub(super) fn charge(
    cards: &[Card],
    at: DateTime<Utc>,
    value: i64,
    dimensions: Option<&Value>,
) -> Result<Option<Charge>> {
    let holding = cards.iter().filter(|card| card.holds_at(at) && card.matches(dimensions));
    let Some(card) = holding.max_by_key(|card| card.row.dimension.is_some()) else { return Ok(None) };
    let credits = rates::cost(&card.rates, value, dimensions)?;
    Ok(Some(Charge { card_id: card.row.id, unit_id: card.row.credit_unit_id, credits }))
}
