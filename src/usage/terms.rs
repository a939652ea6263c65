//! The terms of accounts: their calendars, their plans with add-ons, and the overrides in force.

use super::slot::{CountedLimit, Slot};
use super::windows::Calendar;
use crate::app::GrantedFeatures;
use crate::auth::Viewer;
use crate::error::Result;
use crate::plans::{LimitWindow, OnExceed};
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, Utc};
use entity::{entitlement_overrides, features, product_features};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// The terms of an account.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The account.
    pub account_id: Uuid,
    /// Its calendar.
    pub calendar: Calendar,
    /// Its plan; `None` if it has none.
    pub plan: Option<PlanTerms>,
    /// The overrides in force, newest first.
    pub overrides: Vec<Override>,
}

/// An override in force, with its feature.
pub type Override = (entitlement_overrides::Model, Arc<features::Model>);

/// The plan of an account, by its subscription.
#[derive(Debug, Clone)]
pub struct PlanTerms {
    /// The status of the subscription.
    pub status: SubscriptionStatus,
    /// True if the subscription is paused, in any status.
    pub paused: bool,
    /// The time since which a payment is due; `None` if none is.
    pub past_due_since: Option<DateTime<Utc>>,
    /// The rules of access.
    pub rules: AccessRules,
    /// The features of the plan's version.
    pub features: Arc<Granted>,
    /// The features of the add-ons, each with the number of units.
    pub addons: Vec<(Arc<Granted>, i64)>,
}

/// The rules of access that a version of a plan sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRules {
    /// Days of access after a payment failed; `None` for as long as it is due.
    pub past_due_grace_days: Option<i64>,
    /// True for access while the subscription is paused.
    pub while_paused: bool,
    /// True for access in a trial.
    pub in_trial: bool,
}

/// The features that a version grants.
pub type Granted = GrantedFeatures;

/// The features of versions that never change, by version.
pub type FeatureCache = Cache<Uuid, Arc<Granted>>;

/// The callers whose terms can be read.
#[derive(Debug, Clone, Copy)]
pub enum Readers<'a> {
    /// Only those that a caller may see.
    Viewer(&'a Viewer),
    /// Those of every account.
    Everyone,
}

/// A limit of a feature of an account, with what is beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The window that the limit counts in; `None` for a limit on each use.
    pub window: Option<LimitWindow>,
    /// The limit; `None` for unlimited.
    pub units: Option<i64>,
    /// The most unused units that count in the next window; `None` for none.
    pub rollover_cap: Option<i64>,
    /// The consequence of passing the limit.
    pub on_exceed: OnExceed,
    /// The credits that pay for each unit beyond the limit; `None` if none do.
    pub overage: Option<Overage>,
}

/// A price in credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overage {
    /// The credit unit.
    pub credit_unit_id: Uuid,
    /// Credits, in the smallest step of the unit.
    pub credits: i64,
}

impl Limit {
    /// Reads the limit of a feature in a version.
    pub fn of(row: &product_features::Model) -> Result<Limit> {
        let overage = row.overage_unit_id.zip(row.overage_credits);
        Ok(Limit {
            window: row.limit_window.as_deref().map(LimitWindow::parse).transpose()?,
            units: row.limit_units,
            rollover_cap: row.rollover_cap,
            on_exceed: row.on_exceed.as_deref().map(OnExceed::parse).transpose()?.unwrap_or(OnExceed::Block),
            overage: overage.map(|(credit_unit_id, credits)| Overage { credit_unit_id, credits }),
        })
    }

    /// Returns this limit with that of an add-on beside it: both together.
    fn plus(self, other: Limit, quantity: i64) -> Limit {
        let sum = |one: i64, other: i64| one.saturating_add(other.saturating_mul(quantity));
        Limit {
            units: self.units.zip(other.units).map(|(one, other)| sum(one, other)),
            rollover_cap: match (self.rollover_cap, other.rollover_cap) {
                (None, None) => None,
                (one, other) => Some(sum(one.unwrap_or_default(), other.unwrap_or_default())),
            },
            overage: self.overage.or(other.overage),
            ..self
        }
    }

    fn counted(&self) -> Option<CountedLimit> {
        Some(CountedLimit { window: self.window?, limit: self.units, rollover_cap: self.rollover_cap })
    }
}

impl Terms {
    /// Returns the features that the plan and its add-ons grant, each once, without regard to the rules of access.
    pub fn granted(&self) -> impl Iterator<Item = (&product_features::Model, &Arc<features::Model>, i64)> {
        let plan = self.plan.iter().flat_map(|plan| plan.features.iter().map(|(row, feature)| (row, feature, 1)));
        let addons = self.plan.iter().flat_map(|plan| plan.addons.iter());
        plan.chain(addons.flat_map(|(rows, count)| rows.iter().map(|(row, feature)| (row, feature, *count))))
    }

    /// Returns the feature with this code, if the plan or an override names it.
    pub fn feature(&self, code: &str) -> Option<&Arc<features::Model>> {
        let granted = self.granted().map(|(_, feature, _)| feature);
        granted.chain(self.overrides.iter().map(|(_, feature)| feature)).find(|feature| feature.code == code)
    }

    /// Returns the limits of a feature: those of the plan, if `with_plan`, with the add-ons', each replaced by that of an
    /// override of its window.
    pub fn limits(&self, feature_id: Uuid, with_plan: bool) -> Result<Vec<Limit>> {
        let mut limits: Vec<Limit> = Vec::new();
        for (row, _, quantity) in self.granted().filter(|(row, ..)| with_plan && row.feature_id == feature_id) {
            let limit = Limit::of(row)?;
            match limits.iter_mut().find(|other| other.window == limit.window) {
                Some(other) => *other = other.plus(limit, quantity),
                None => {
                    let none = Limit { units: Some(0), rollover_cap: None, ..limit };
                    limits.push(if quantity == 1 { limit } else { none.plus(limit, quantity) });
                }
            }
        }
        for (row, _) in self.overrides.iter().rev().filter(|(row, _)| row.feature_id == feature_id && row.granted) {
            let window = row.limit_window.as_deref().map(LimitWindow::parse).transpose()?;
            // Without a window and a number, it lifts all limits that the plan sets.
            if (window, row.limit_units) == (None, None) {
                limits.iter_mut().for_each(|limit| limit.units = None);
            }
            match limits.iter_mut().find(|limit| limit.window == window) {
                Some(limit) => limit.units = row.limit_units,
                None if window.is_none() && row.limit_units.is_none() => {}
                None => limits.push(Limit { units: row.limit_units, ..Limit::unlimited(window) }),
            }
        }
        limits.sort_by_key(|limit| limit.window);
        Ok(limits)
    }

    /// Returns the slots in which a meter is counted at an instant: one for each window that a feature limits.
    pub fn slots(&self, meter_id: Uuid, at: DateTime<Utc>) -> Result<Vec<Slot>> {
        let features = self.granted().map(|(_, feature, _)| feature);
        let features = features.chain(self.overrides.iter().map(|(_, feature)| feature));
        let mut slots: Vec<Slot> = Vec::new();
        let mut seen = Vec::new();
        for feature in features.filter(|feature| feature.meter_id == Some(meter_id)) {
            if seen.contains(&feature.id) {
                continue;
            }
            seen.push(feature.id);
            for slot in self.slots_of(meter_id, &self.limits(feature.id, true)?, at) {
                if slots.iter().all(|other| other.limit.window != slot.limit.window) {
                    slots.push(slot);
                }
            }
        }
        Ok(slots)
    }

    /// Returns the slots of limits on a meter at an instant.
    pub fn slots_of(&self, meter_id: Uuid, limits: &[Limit], at: DateTime<Utc>) -> Vec<Slot> {
        let counted = limits.iter().filter_map(Limit::counted);
        counted.map(|limit| Slot::new(self.account_id, meter_id, limit, self.calendar, at)).collect()
    }
}

impl Limit {
    fn unlimited(window: Option<LimitWindow>) -> Limit {
        Limit { window, units: None, rollover_cap: None, on_exceed: OnExceed::Block, overage: None }
    }
}
