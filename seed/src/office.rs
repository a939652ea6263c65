//! The company's own actions, and provider events of no customer.

use super::calendar::{At, days, hours, millis, seconds};
use super::customer::World;
use super::dice::Dice;
use super::rows::Rows;
use super::{people, reports};
use ::entity::{audit_log, inbox_events};
use serde_json::json;
use uuid::Uuid;

/// Adds the publication of the catalogue to the audit log.
pub(super) fn publish_catalogue(world: &World, dice: &mut Dice, rows: &mut Rows) {
    let mut entries = Vec::new();
    for version in &rows.product_versions {
        let product = rows.products.iter().find(|product| product.id == version.product_id);
        let code = product.map(|product| product.code.clone());
        let (at, action) = match version.published_at {
            Some(at) => (at, "plan_versions.publish"),
            None => (version.created_at, "plan_versions.create"),
        };
        let at = at + seconds(dice.between(1, 3_000));
        entries.push(audit_log::Model {
            id: dice.id(at),
            at,
            actor: format!("user:{}", world.admin),
            action: action.to_owned(),
            entity_type: "PlanVersion".to_owned(),
            entity_id: version.id,
            account_id: None,
            before: None,
            after: Some(json!({"product": code, "number": version.number})),
        });
    }
    rows.audit_log.extend(entries);
}

/// Returns events that were ignored, failed or parked, one that has just arrived, and the reports of a company with this
/// number of users.
pub(super) fn rows(world: &World, users: u64) -> Rows {
    let mut rows = Rows::default();
    let mut dice = Dice::new(world.seed, u64::MAX);
    let now = world.calendar.now;
    let unknown = "the price price_1QxLegacy is not in the catalogue";
    let missing = "the subscription's customer is not known yet";
    for days_ago in [300, 210, 150, 90, 61, 33, 12, 4] {
        let kind = *dice.pick(&["product.updated", "price.created", "payout.paid", "customer.tax_id.created"]);
        event(&mut dice, &mut rows, now - days(days_ago), kind, ("ignored", 1, None), None);
    }
    for (hours_ago, attempts) in [(30, 6), (5, 4), (1, 2)] {
        let at = now - hours(hours_ago);
        let next = Some(now + seconds(dice.between(60, 3_600)));
        event(&mut dice, &mut rows, at, "customer.subscription.updated", ("failed", attempts, Some(missing)), next);
    }
    for days_ago in [45, 9] {
        let at = now - days(days_ago);
        event(&mut dice, &mut rows, at, "customer.subscription.updated", ("parked", 12, Some(unknown)), None);
    }
    event(&mut dice, &mut rows, now - seconds(5), "invoice.finalized", ("received", 0, None), None);
    // The first users again, whose rows are written.
    let mut first = Rows::default();
    people::block(world, users, 0, &mut first);
    let known = first.users.iter().filter(|user| user.erased_at.is_none() && user.created_at < now - days(30));
    let known: Vec<Uuid> = known.map(|user| user.id).collect();
    reports::add(world, users, &known, &mut rows);
    rows
}

fn event(
    dice: &mut Dice,
    rows: &mut Rows,
    at: At,
    kind: &str,
    (state, attempts, error): (&str, i64, Option<&str>),
    next_attempt_at: Option<At>,
) {
    let received_at = at + millis(dice.between(300, 2_000));
    let (external_id, object_id) = (dice.token("evt_"), dice.token("obj_"));
    let api_version = "2026-03-25.dahlia".to_owned();
    rows.inbox_events.push(inbox_events::Model {
        id: dice.id(received_at),
        provider: "stripe".to_owned(),
        payload: json!({
            "id": external_id, "object": "event", "type": kind, "api_version": api_version, "livemode": true,
            "created": at.timestamp(), "data": {"object": {"id": object_id}},
        }),
        external_id,
        kind: kind.to_owned(),
        api_version: Some(api_version),
        object_id: Some(object_id),
        object_kind: Some(kind.rsplit_once('.').map_or(kind, |(object, _)| object).to_owned()),
        occurred_at: at,
        received_at,
        state: state.to_owned(),
        attempts,
        next_attempt_at,
        error: error.map(str::to_owned),
        applied_at: None,
        source: "webhook".to_owned(),
        waits_for: (state == "failed").then(|| "user:user_not_here_yet".to_owned()),
        note: None,
    });
}
