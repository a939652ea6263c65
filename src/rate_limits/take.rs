//! Taking units of a rate limit: the takes that wait are executed together.

use super::place::Place;
use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::{Combined, Txn, insert_new, overtaken, update_all};
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::rate_limit_counters::{ActiveModel, Entity, Model};
use entity::rate_limit_rules;
use futures_util::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The longest identifier.
const MAX_IDENTIFIER_BYTES: usize = 255;
/// The most units of one take.
const MAX_COUNT: i64 = 1_000_000_000;

/// Units to be taken.
#[derive(Debug, Clone)]
pub struct NewTake {
    /// The code of the rule.
    pub code: String,
    /// The one whose units they are, such as a user or an address.
    pub identifier: String,
    /// The number of units.
    pub count: i64,
}

/// The outcome of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// True if the units were taken.
    pub allowed: bool,
    /// Units left in the window.
    pub remaining: i64,
    /// The end of the window.
    pub resets_at: DateTime<Utc>,
}

/// Takes units of a rate limit if the window of the identifier has that many left.
pub async fn take(app: &App, viewer: &Viewer, new: NewTake) -> Result<Taken> {
    viewer.require(Permission::CreditsWrite)?;
    if !(1..=MAX_COUNT).contains(&new.count) {
        return Err(Error::refused("COUNT_INVALID", &["count"], "`count` must be 1 to 1,000,000,000."));
    }
    if new.identifier.is_empty() || new.identifier.len() > MAX_IDENTIFIER_BYTES || new.identifier.contains('\0') {
        let message = "`identifier` must be 1 to 255 bytes long, without NUL.";
        return Err(Error::refused("IDENTIFIER_INVALID", &["identifier"], message));
    }
    app.db.combine(Take(new), None).await
}

/// A take that waits.
struct Take(NewTake);

impl Combined for Take {
    type Outcome = Taken;

    /// Returns an id for the rule and the identifier, whose takes one collector executes.
    fn account(&self) -> Uuid {
        let digest =
            Sha256::new().chain_update(&self.0.code).chain_update([0]).chain_update(&self.0.identifier).finalize();
        Uuid::from_slice(&digest[..16]).unwrap_or_default()
    }

    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Taken>>>> {
        Box::pin(async move {
            let codes: BTreeSet<&str> = operations.iter().map(|Take(new)| new.code.as_str()).collect();
            let rules = store::rules_named(txn, codes.into_iter()).await?;
            let places = operations
                .iter()
                .filter_map(|Take(new)| Some(Place::of(rules.get(&new.code)?, &new.identifier, txn.now())));
            let mut windows = Windows::load(txn, places.collect()).await?;
            let outcome = |Take(new): &Take| {
                let unknown = || Error::refused("NOT_FOUND", &["code"], "Rate limit not found.");
                Ok(windows.take(rules.get(&new.code).ok_or_else(unknown)?, new, txn.now()))
            };
            let outcomes = operations.into_iter().map(outcome).collect();
            windows.write(txn).await?;
            Ok(outcomes)
        })
    }
}

/// The counter of a window.
struct Counter {
    /// `None` for one that is not stored yet.
    id: Option<Uuid>,
    resets_at: DateTime<Utc>,
    used: i64,
    is_changed: bool,
}

/// The counters that one transaction changes.
struct Windows(BTreeMap<Place, Counter>);

impl Windows {
    async fn load(txn: &Txn, places: BTreeSet<Place>) -> Result<Windows> {
        let rows = store::lock_counters(txn, &places).await?;
        let read = |row: Model| {
            let place = Place { rule_id: row.rule_id, identifier: row.identifier, start: row.window_start.to_utc() };
            let resets_at = row.resets_at.to_utc();
            (place, Counter { id: Some(row.id), resets_at, used: row.used, is_changed: false })
        };
        Ok(Windows(rows.into_iter().map(read).collect()))
    }

    fn take(&mut self, rule: &rate_limit_rules::Model, new: &NewTake, now: DateTime<Utc>) -> Taken {
        let place = Place::of(rule, &new.identifier, now);
        let resets_at = place.start + TimeDelta::seconds(rule.window_seconds);
        let unused = || Counter { id: None, resets_at, used: 0, is_changed: false };
        let counter = self.0.entry(place).or_insert_with(unused);
        let allowed = new.count <= rule.max_count.saturating_sub(counter.used);
        if allowed {
            counter.used += new.count;
            (counter.is_changed, counter.resets_at) = (true, resets_at);
        }
        Taken { allowed, remaining: rule.max_count.saturating_sub(counter.used).max(0), resets_at }
    }

    /// Writes the counters that changed. An error that ends with a repetition of the transaction if another one was first
    /// to count in a window.
    async fn write(self, txn: &Txn) -> Result<()> {
        let (mut new, mut changed) = (Vec::new(), HashMap::new());
        for (place, counter) in self.0.into_iter().filter(|(_, counter)| counter.is_changed) {
            let row = ActiveModel {
                used: Set(counter.used),
                resets_at: Set(counter.resets_at.fixed_offset()),
                ..Default::default()
            };
            match counter.id {
                Some(id) => {
                    changed.insert(id, ActiveModel { id: Set(id), ..row });
                }
                None => new.push(ActiveModel {
                    id: Set(txn.new_id()),
                    rule_id: Set(place.rule_id),
                    identifier: Set(place.identifier),
                    window_start: Set(place.start.fixed_offset()),
                    ..row
                }),
            }
        }
        update_all::<Entity>(txn, changed.into_values().collect()).await?;
        let count = u64::try_from(new.len()).unwrap_or(u64::MAX);
        match insert_new::<Entity>(txn, new).await? {
            inserted if inserted == count => Ok(()),
            _ => Err(overtaken()),
        }
    }
}
