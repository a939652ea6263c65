//! The evaluation of one feature for one account: a pure function of its terms and counters.

use super::decide::{Counted, Decision, WindowUse, decide};
use super::values::EntitlementReason;
use crate::error::Result;
use crate::plans::FeatureKind;
use crate::subscriptions::SubscriptionStatus;
use crate::usage::{Counters, Limit, PlanTerms, Slot, Terms};
use chrono::{DateTime, TimeDelta, Utc};
use entity::features;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer for one feature and account at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// The account.
    pub account_id: Uuid,
    /// The feature.
    pub feature_id: Uuid,
    /// True if one unit can be used now; for a feature that is not counted, if it can be used.
    pub allowed: bool,
    /// The reason.
    pub reason: EntitlementReason,
    /// The value of a `config` feature.
    pub value: Option<String>,
    /// The limit of the window with the fewest units left; `None` for unlimited.
    pub limit: Option<i64>,
    /// The units used there; `None` for a feature that is not counted.
    pub used: Option<i64>,
    /// The units left there; `None` for unlimited.
    pub remaining: Option<i64>,
    /// The time at which more can be used, or at which that window ends; `None` for never.
    pub resets_at: Option<DateTime<Utc>>,
    /// The use in each window.
    pub windows: Vec<WindowUse>,
}

/// The part of an entitlement that does not depend on counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Granted(Grant),
    Denied(EntitlementReason),
}

/// A feature that an account has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// True if an override gives it, or a part of it.
    pub(super) overridden: bool,
    pub(super) value: Option<String>,
    pub(super) limits: Vec<Limit>,
}

/// Returns what an account holds of a feature at an instant.
pub(super) fn standing(terms: &Terms, feature: &features::Model, now: DateTime<Utc>) -> Result<Standing> {
    let mut overrides =
        terms.overrides.iter().map(|(row, _)| row).filter(|row| row.feature_id == feature.id).peekable();
    if overrides.peek().is_some_and(|row| !row.granted) {
        return Ok(Standing::Denied(EntitlementReason::TakenAway));
    }
    let overridden = overrides.peek().is_some();
    let denied = match &terms.plan {
        None => Some(EntitlementReason::NoPlan),
        Some(_) if terms.granted().all(|(row, ..)| row.feature_id != feature.id) => Some(EntitlementReason::NotInPlan),
        Some(plan) => denial(plan, now),
    };
    match denied {
        Some(reason) if !overridden => return Ok(Standing::Denied(reason)),
        _ => {}
    }
    let with_plan = denied.is_none();
    let of_plan = terms.granted().filter(|(row, ..)| with_plan && row.feature_id == feature.id);
    let of_plan = of_plan.filter_map(|(row, ..)| row.value.clone()).last();
    let value = overrides.find_map(|row| row.value.clone()).or(of_plan);
    let mut limits = terms.limits(feature.id, with_plan)?;
    if FeatureKind::parse(&feature.kind)? == FeatureKind::Credit {
        // Without a limit, all units cost credits.
        limits.iter_mut().filter(|limit| limit.overage.is_some()).for_each(|limit| {
            limit.units.get_or_insert_default();
        });
    }
    Ok(Standing::Granted(Grant { overridden, value, limits }))
}

/// Returns the rule of access that a plan's subscription fails; `None` if it gives access.
fn denial(plan: &PlanTerms, now: DateTime<Utc>) -> Option<EntitlementReason> {
    if plan.paused && !plan.rules.while_paused {
        return Some(EntitlementReason::Paused);
    }
    if plan.status == SubscriptionStatus::Trialing && !plan.rules.in_trial {
        return Some(EntitlementReason::TrialExcluded);
    }
    end_of_grace(plan).is_some_and(|end| end <= now).then_some(EntitlementReason::PastDue)
}

/// Returns the end of the time to pay what is due; `None` if nothing is, or there is no end.
pub(super) fn end_of_grace(plan: &PlanTerms) -> Option<DateTime<Utc>> {
    let grace = plan.rules.past_due_grace_days.and_then(TimeDelta::try_days)?;
    plan.past_due_since?.checked_add_signed(grace)
}

/// Returns the slots in which a feature of an account is counted at an instant. A feature without a meter has counters
/// that nothing has counted yet.
pub(super) fn slots(terms: &Terms, feature: &features::Model, limits: &[Limit], now: DateTime<Utc>) -> Vec<Slot> {
    terms.slots_of(feature.meter_id.unwrap_or_default(), limits, now)
}

/// Returns the limits of a feature, each with its use.
pub(super) fn counted(limits: &[Limit], slots: &[Slot], counters: &Counters) -> Vec<Counted> {
    let use_of = |limit: &Limit| {
        let slot = slots.iter().find(|slot| Some(slot.limit.window) == limit.window);
        let count = slot.map(|slot| counters.count(slot)).unwrap_or_default();
        Counted { limit: *limit, count }
    };
    limits.iter().map(use_of).collect()
}

/// Returns the answer for a feature. `can_pay` says whether an account has credits.
pub(super) fn evaluate(
    terms: &Terms,
    feature: &features::Model,
    standing: &Standing,
    counters: &Counters,
    can_pay: impl Fn(Uuid, i64) -> bool,
    now: DateTime<Utc>,
) -> Entitlement {
    let mut answer = Entitlement {
        account_id: terms.account_id,
        feature_id: feature.id,
        allowed: false,
        reason: EntitlementReason::NotInPlan,
        value: None,
        limit: None,
        used: None,
        remaining: None,
        resets_at: None,
        windows: Vec::new(),
    };
    let grant = match standing {
        Standing::Denied(reason) => return Entitlement { reason: *reason, ..answer },
        Standing::Granted(grant) => grant,
    };
    answer.value.clone_from(&grant.value);
    let counted = counted(&grant.limits, &slots(terms, feature, &grant.limits, now), counters);
    let decision = decide(&counted, 1);
    let granted = if grant.overridden { EntitlementReason::Override } else { EntitlementReason::Included };
    (answer.allowed, answer.reason) = match decision {
        Decision::Within => (true, granted),
        Decision::Warned => (true, EntitlementReason::LimitReached),
        Decision::Charged(None) => (true, EntitlementReason::Overage),
        Decision::Charged(Some(cost)) if can_pay(cost.credit_unit_id, cost.credits) => {
            (true, EntitlementReason::Overage)
        }
        Decision::Charged(Some(_)) | Decision::Blocked => (false, EntitlementReason::LimitReached),
    };
    answer.windows = counted.iter().filter_map(Counted::window_use).collect();
    // Fewest left first, and of those the one that resets last.
    let tightest = counted.iter().min_by_key(|counted| {
        let never = counted.count.resets_at.is_none();
        (counted.remaining().is_none(), counted.remaining(), std::cmp::Reverse((never, counted.count.resets_at)))
    });
    if let Some(tightest) = tightest {
        answer.limit = tightest.limit.units;
        answer.used = tightest.limit.window.map(|_| tightest.count.used);
        answer.remaining = tightest.remaining();
        answer.resets_at = tightest.count.resets_at;
    }
    answer
}
