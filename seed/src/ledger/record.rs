//! Recording planned uses: their events, with the credits that they cost.

use super::books::Books;
use crate::calendar::At;
use crate::catalogue::QUANTITIES;
use crate::credit_events::{Planned, UseKind};
use ::entity::usage_events;
use serde_json::{Value, json};
use uuid::Uuid;

/// The credits that an event cost.
#[derive(Default)]
struct Paid {
    credits: i64,
    unit: Option<Uuid>,
    card_id: Option<Uuid>,
    txn_id: Option<Uuid>,
    parts: Vec<(usize, i64)>,
}

impl Books<'_, '_> {
    /// Records a use, unless a limit or too few credits refuse it.
    pub(super) fn record(&mut self, planned: Planned) {
        record(self, planned);
    }

    /// Takes an event back, given by its index, and returns the credits that it cost.
    pub(super) fn correct(&mut self, at: At, place: usize) {
        correct(self, at, place);
    }
}

fn record(books: &mut Books<'_, '_>, planned: Planned) {
    let slots = books.sums.slots(books.customer, planned.meter, (planned.at, planned.recorded_at));
    if matches!(planned.kind, UseKind::Consumed) && !books.sums.fit(&slots, planned.value) {
        return;
    }
    let Some(paid) = pay(books, &planned) else { return };
    let meter = *books.customer.world.catalogue.meter(planned.meter);
    let dice = &mut books.customer.books;
    let (id, token) = (dice.id(planned.recorded_at), dice.token(""));
    let dedupe_key = match planned.kind {
        UseKind::Consumed => format!("consume:{id}"),
        _ => format!("{}-{token}", planned.meter),
    };
    let (unique_value, dimensions) = match &planned.kind {
        UseKind::Tokens(model, tokens) => (None, Some(dimensions(model, tokens))),
        UseKind::Visit(visitor) => (Some(visitor.clone()), Some(json!({"visitor": visitor}))),
        UseKind::Consumed | UseKind::Happened => (None, None),
    };
    let row = usage_events::Model {
        id,
        account_id: books.customer.account_id,
        meter_id: meter.id,
        user_id: None,
        device_id: None,
        dedupe_key,
        occurred_at: planned.at,
        recorded_at: planned.recorded_at,
        value: planned.value,
        unique_value,
        dimensions,
        ref_type: None,
        ref_id: None,
        credits: paid.credits,
        credit_unit_id: paid.unit,
        ledger_txn_id: paid.txn_id,
        rate_card_id: paid.card_id,
        verified: false,
        proof: None,
        content_hash: None,
        corrects_id: None,
        recorded_by: "service:app".to_owned(),
    };
    books.sums.count(&slots, planned.value, planned.recorded_at);
    books.sums.add(meter, &row);
    let place = books.customer.rows.usage_events.len();
    books.customer.rows.usage_events.push(row);
    if let Some(at) = planned.corrected_at {
        books.sums.paid.insert(place, paid.parts);
        books.correct_at(at, place);
    }
}

/// Spends what a use costs; `None` if there are too few credits.
fn pay(books: &mut Books<'_, '_>, planned: &Planned) -> Option<Paid> {
    let UseKind::Tokens(model, tokens) = &planned.kind else { return Some(Paid::default()) };
    let catalogue = &books.customer.world.catalogue;
    let (unit, card) = (catalogue.unit("credit"), catalogue.card(model, planned.at)?);
    let (credits, card_id) = (card.cost(*tokens), card.id);
    let (txn_id, parts) = books.spend(unit, planned.recorded_at, credits, ("service:app", None))?;
    Some(Paid { credits, unit: Some(unit), card_id: Some(card_id), txn_id: Some(txn_id), parts })
}

fn dimensions(model: &str, tokens: &[i64; 3]) -> Value {
    let mut found = json!({"model": model});
    for (name, count) in QUANTITIES.iter().zip(tokens) {
        found[*name] = json!(count);
    }
    found
}

fn correct(books: &mut Books<'_, '_>, at: At, place: usize) {
    let event = books.customer.rows.usage_events[place].clone();
    let parts = books.sums.paid.remove(&place).unwrap_or_default();
    let actor = format!("user:{}", books.customer.world.admin);
    let returned = event.ledger_txn_id.zip(event.credit_unit_id);
    let ledger_txn_id = returned.map(|(txn_id, unit)| books.reverse(unit, at, txn_id, &parts, &actor));
    let id = books.customer.books.id(at);
    let row = usage_events::Model {
        id,
        dedupe_key: format!("correction:{}", event.id),
        recorded_at: at,
        value: -event.value,
        credits: -event.credits,
        ledger_txn_id,
        corrects_id: Some(event.id),
        recorded_by: actor,
        ..event.clone()
    };
    let code = books.customer.world.catalogue.code_of(event.meter_id);
    let slots = books.sums.slots(books.customer, code, (event.occurred_at, at));
    books.sums.count(&slots, row.value, at);
    books.sums.subtract(*books.customer.world.catalogue.meter(code), &event, at);
    let after = json!({"correctsId": event.id, "value": row.value, "credits": row.credits, "reason": null});
    books.customer.rows.usage_events.push(row);
    books.customer.note(at, "usage.correct", ("UsageEvent", id), after);
}
