//! The use of plans that customers have now: events on meters, and overrides of their limits.

use super::calendar::{At, days, hours, millis, seconds};
use super::credit_events::{Event, Lifted, Planned, UseKind};
use super::customer::Customer;
use super::held::Held;
use ::entity::{audit_log, entitlement_overrides};
use serde_json::{Value, json};
use uuid::Uuid;

/// Plans what the account uses in the last month under its plan.
pub(super) fn plan(customer: &mut Customer<'_>) {
    let Some(held) = customer.plan() else { return };
    let (now, horizon) = (customer.world.calendar.now, customer.world.calendar.horizon());
    let from = held.since.max(now - days(30)) + seconds(10);
    if from >= horizon {
        return;
    }
    let is_shown = (1..=5).contains(&customer.number);
    let count = match is_shown {
        true => 40,
        false => customer.books.weighted(&[(62, 0), (22, 3), (10, 8), (5, 20), (1, 45)]),
    };
    let limits = |code| held.plan.features.iter().any(|feature| feature.0 == code);
    let (messages, projects) = (limits("ai_messages"), limits("projects"));
    overrides(customer, &held, (from, horizon));
    for _ in 0..count {
        let at = customer.books.instant(from, horizon);
        use_once(customer, at, messages);
    }
    let created = if projects && count > 0 { customer.books.between(0, 3) } else { 0 };
    for _ in 0..created {
        let at = customer.books.instant(from, horizon);
        push(customer, at, "projects", 1, UseKind::Consumed);
    }
    let overruns = customer.number == 5 || count > 0 && customer.books.chance(60);
    if overruns {
        overrun(customer, &held, (from, horizon));
    }
    if is_shown || count > 0 && customer.books.chance(50) {
        let amount = customer.books.between(1, 12) * 5;
        customer.hold_now(amount);
    }
}

fn use_once(customer: &mut Customer<'_>, at: At, messages: bool) {
    let choices = [(if messages { 60 } else { 0 }, 0), (20, 1), (8, 2), (6, 3), (6, 4)];
    match customer.books.weighted(&choices) {
        0 => {
            let count = customer.books.between(1, 3);
            push(customer, at, "ai_messages", count, UseKind::Consumed);
        }
        1 => {
            let model = *customer.books.pick(&["small", "small", "large"]);
            let dice = &mut customer.books;
            let tokens = [dice.between(100, 3_000), dice.between(20, 900), dice.between(0, 4) * 250];
            push(customer, at, "ai_tokens", tokens.iter().sum(), UseKind::Tokens(model, tokens));
        }
        2 => push(customer, at, "exports", 1, UseKind::Happened),
        3 => {
            let megabytes = customer.books.between(1, 4_000);
            push(customer, at, "storage_mb", megabytes, UseKind::Happened);
        }
        _ => {
            let visitor = format!("visitor_{}", customer.books.between(1, 6));
            push(customer, at, "visitors", 1, UseKind::Visit(visitor));
        }
    }
}

fn push(customer: &mut Customer<'_>, at: At, meter: &'static str, value: i64, kind: UseKind) {
    // Consumption is counted as it happens, and other usage a little later.
    let late = if matches!(kind, UseKind::Consumed) { 0 } else { customer.books.between(20, 90_000) };
    let recorded_at = at + millis(late);
    let corrected_at = recorded_at + hours(customer.books.between(1, 30));
    let sums = matches!(kind, UseKind::Tokens(..) | UseKind::Consumed);
    let corrected = sums && customer.books.chance(25) && customer.has_reached(corrected_at);
    let corrected_at = corrected.then_some(corrected_at);
    customer.credits.push(Event::Use(Planned { at, recorded_at, meter, value, kind, corrected_at }));
}

/// Uses more than the plan has, of messages today and of projects.
fn overrun(customer: &mut Customer<'_>, held: &Held<'_>, (from, horizon): (At, At)) {
    let limit = |code: &str, window: &str| {
        held.plan.features.iter().find(|feature| feature.0 == code && feature.3 == Some(window))?.2
    };
    let today = customer.start_of_day(horizon).max(from);
    if let Some(limit) = limit("ai_messages", "day").filter(|_| today < horizon) {
        for part in [limit / 2, limit / 2, limit / 10 + 1] {
            let at = customer.books.instant(today, horizon);
            push(customer, at, "ai_messages", part, UseKind::Happened);
        }
    }
    if let Some(limit) = limit("projects", "lifetime") {
        for part in [limit / 2, limit / 2, 2] {
            let at = customer.books.instant(from, horizon);
            push(customer, at, "projects", part, UseKind::Happened);
        }
    }
}

/// Gives some accounts more than their plan does, and takes something away from a few.
fn overrides(customer: &mut Customer<'_>, held: &Held<'_>, (from, horizon): (At, At)) {
    let counts_days = held.plan.features.iter().any(|feature| feature.0 == "ai_messages" && feature.3 == Some("day"));
    let kind = match customer.number {
        3 => 0,
        5 => 1,
        _ if !customer.books.chance(12) => return,
        _ if counts_days => customer.books.below(4),
        _ => 2 + customer.books.below(2),
    };
    let at = customer.books.instant(from, horizon);
    let now = customer.world.calendar.now;
    let (feature, reason) = match kind {
        0 | 1 => ("ai_messages", "a launch week"),
        2 => ("api_access", "it was abused"),
        _ => ("model", "a trial of the large model"),
    };
    let limit = (kind < 2).then_some(500);
    let ended = at + days(2);
    let revoked_at = (kind == 1 && customer.has_reached(ended)).then_some(ended);
    let expires_at = (kind != 2).then_some(now.max(at) + days(30));
    if let Some(limit) = limit {
        customer.lifted.push(Lifted { window: "day", limit, from: at, to: revoked_at.unwrap_or(now + days(30)) });
    }
    let id = customer.books.id(at);
    let row = entitlement_overrides::Model {
        id,
        account_id: customer.account_id,
        feature_id: customer.world.catalogue.feature(feature),
        granted: kind != 2,
        value: (kind == 3).then(|| "large".to_owned()),
        limit_units: limit,
        limit_window: limit.map(|_| "day".to_owned()),
        reason: reason.to_owned(),
        created_by: format!("user:{}", customer.world.admin),
        created_at: at,
        expires_at,
        revoked_at,
    };
    let after = json!({
        "feature": feature, "granted": row.granted, "value": row.value, "limit": limit, "window": row.limit_window,
        "reason": reason, "expiresAt": expires_at, "replaced": [],
    });
    customer.rows.entitlement_overrides.push(row);
    customer.note(at, "entitlement_overrides.set", ("EntitlementOverride", id), after);
    if let Some(at) = revoked_at {
        customer.note(at, "entitlement_overrides.revoke", ("EntitlementOverride", id), json!({"revokedAt": at}));
    }
}

impl Customer<'_> {
    /// Adds an action of the administrator to the audit log.
    pub(super) fn note(&mut self, at: At, action: &str, (kind, id): (&str, Uuid), after: Value) {
        let row = audit_log::Model {
            id: self.books.id(at),
            at,
            actor: format!("user:{}", self.world.admin),
            action: action.to_owned(),
            entity_type: kind.to_owned(),
            entity_id: id,
            account_id: Some(self.account_id),
            before: None,
            after: Some(after),
        };
        self.rows.audit_log.push(row);
    }
}
