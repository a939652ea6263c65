//! Consuming a feature: a use is checked and counted in all of its windows at once.
//!
//! The uses that wait are executed together: their terms and counters are read and locked in a constant number of
//! statements, each use is decided on in memory in the order of arrival, and the counters are written with one statement.

use super::decide::{Counted, Decision, decide};
use super::evaluate::{Entitlement, Grant, Standing, counted, evaluate, slots, standing};
use super::refusals::{limit_reached, not_entitled};
use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::credits::{Ledger, Note, Spend};
use crate::db::{Combined, IdempotencyKey, Txn};
use crate::error::{Error, Result};
use crate::plans::{FeatureKind, OnExceed};
use crate::usage::{
    Counters, MeterAggregation, Overage, Place, Prices, Readers, Slot, Terms, Use, Uses, lock_accounts, terms,
};
use entity::{features, meters};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The most units of one use; far from the range of 64 bits.
const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// A use to be checked and counted.
#[derive(Debug, Clone, Serialize)]
pub struct NewConsumption {
    /// The account.
    pub account_id: Uuid,
    /// The code of the feature.
    pub feature: String,
    /// The number of units.
    pub amount: i64,
    /// The explanation; left out of what an idempotency key identifies if there is none, as before there were any.
    #[serde(skip_serializing_if = "Note::is_empty")]
    pub note: Note,
}

/// A use that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// The number of units.
    pub amount: i64,
    /// Its price; `None` if it cost no credits.
    pub cost: Option<Overage>,
    /// The ledger transaction that spent it; `None` if it cost no credits.
    pub transaction_id: Option<Uuid>,
    /// The event on the meter of the feature.
    pub event_id: Uuid,
    /// The entitlement after it.
    pub entitlement: Entitlement,
}

/// Checks and counts a use of a feature. A repetition with the same key and input returns the first result and counts
/// nothing.
pub async fn consume(app: &App, viewer: &Viewer, new: NewConsumption, idempotency_key: &str) -> Result<Consumed> {
    viewer.require(Permission::CreditsWrite)?;
    if !(1..=MAX_AMOUNT).contains(&new.amount) {
        let message = "`amount` must be 1 to 1,000,000,000,000,000 units.";
        return Err(Error::refused("AMOUNT_INVALID", &["amount"], message));
    }
    new.note.check()?;
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "entitlements.consume", &new)?;
    app.db.combine(Consume { new, actor: viewer.actor().to_owned() }, Some(key)).await
}

/// A use that waits.
struct Consume {
    new: NewConsumption,
    /// The caller, in the form of the audit log.
    actor: String,
}

impl Combined for Consume {
    type Outcome = Consumed;

    fn account(&self) -> Uuid {
        self.new.account_id
    }

    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Consumed>>>> {
        Box::pin(async move {
            let new: Vec<&NewConsumption> = operations.iter().map(|operation| &operation.new).collect();
            let facts = Facts::load(txn, &new).await?;
            let ready: Vec<Result<Ready<'_>>> = new.iter().map(|new| facts.prepare(txn, new)).collect();
            let meters: Vec<(Uuid, Uuid)> = ready.iter().flatten().map(Ready::meter).collect();
            let uses = Uses::load(txn, meters).await?;
            let slots: Vec<Slot> = ready.iter().flatten().flat_map(|ready| ready.slots.iter().copied()).collect();
            let places: HashSet<Place> = ready.iter().flatten().map(|ready| ready.place(txn)).collect();
            let counters = Counters::load(txn, &slots, &places).await?;
            let priced = ready.iter().flatten().filter(|ready| ready.is_priced()).map(|ready| ready.meter_id);
            let prices = Prices::load(txn, priced.collect()).await?;
            let payers: Vec<(Uuid, Uuid)> = ready.iter().flatten().flat_map(|ready| ready.payers(&prices)).collect();
            let mut books = Books { counters, prices, ledger: Ledger::load(txn, payers).await?, uses };
            let outcomes = operations
                .iter()
                .zip(ready)
                .map(|(Consume { actor, .. }, ready)| ready?.apply(txn, &mut books, actor))
                .collect();
            books.counters.write(txn).await?;
            books.ledger.write().await?;
            books.uses.write(txn).await?;
            Ok(outcomes)
        })
    }
}

/// The counters, credits and events that uses change.
struct Books<'t> {
    counters: Counters,
    prices: Prices,
    ledger: Ledger<'t>,
    uses: Uses,
}

/// The accounts and features of uses.
struct Facts {
    terms: HashMap<Uuid, Terms>,
    features: HashMap<String, (Arc<features::Model>, Option<meters::Model>)>,
}

impl Facts {
    async fn load(txn: &Txn, uses: &[&NewConsumption]) -> Result<Facts> {
        let accounts: BTreeSet<Uuid> = uses.iter().map(|new| new.account_id).collect();
        // From here on nobody else changes the usage of these accounts.
        lock_accounts(txn, &accounts).await?;
        let codes: BTreeSet<&str> = uses.iter().map(|new| new.feature.as_str()).collect();
        let mut features = store::features_with_meters(txn, codes.into_iter()).await?;
        let mut names: Vec<String> = features.keys().cloned().collect();
        names.sort_unstable();
        for name in names {
            let (feature, meter) = &features[&name];
            if meter.is_none() && is_of_counted_kind(feature)? {
                let meter = store::give_meter(txn, feature).await?;
                let feature = features::Model { meter_id: Some(meter.id), ..features::Model::clone(feature) };
                features.insert(name, (Arc::new(feature), Some(meter)));
            }
        }
        let accounts: Vec<Uuid> = accounts.into_iter().collect();
        Ok(Facts { terms: terms(txn, Readers::Everyone, &accounts, txn.now()).await?, features })
    }

    /// Checks that a use is of something that its account has.
    fn prepare<'a>(&'a self, txn: &Txn, new: &'a NewConsumption) -> Result<Ready<'a>> {
        let unknown = || Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found.");
        let terms = self.terms.get(&new.account_id).ok_or_else(unknown)?;
        let unknown = || Error::refused("FEATURE_NOT_FOUND", &["feature"], "Feature not found.");
        let (feature, meter) = self.features.get(&new.feature).ok_or_else(unknown)?;
        let uncounted = |message| Error::refused("FEATURE_NOT_COUNTED", &["feature"], message);
        if !is_of_counted_kind(feature)? {
            let message = "Only features of the kinds LIMIT and CREDIT are counted: ask for this one by `entitlement`.";
            return Err(uncounted(message));
        }
        let meter = meter.as_ref().ok_or_else(|| uncounted("The feature has no meter."))?;
        if MeterAggregation::parse(&meter.aggregation)? != MeterAggregation::Sum {
            let message = "The meter of this feature does not sum: use it by `recordUsage`.";
            return Err(uncounted(message));
        }
        let grant = match standing(terms, feature, txn.now())? {
            Standing::Granted(grant) => grant,
            Standing::Denied(reason) => return Err(not_entitled(reason)),
        };
        let slots = slots(terms, feature, &grant.limits, txn.now());
        Ok(Ready { new, terms, feature, meter_id: meter.id, grant, slots })
    }
}

fn is_of_counted_kind(feature: &features::Model) -> Result<bool> {
    Ok(matches!(FeatureKind::parse(&feature.kind)?, FeatureKind::Limit | FeatureKind::Credit))
}

/// A use that an account is entitled to, if its limits allow.
struct Ready<'a> {
    new: &'a NewConsumption,
    terms: &'a Terms,
    feature: &'a features::Model,
    meter_id: Uuid,
    grant: Grant,
    slots: Vec<Slot>,
}

impl Ready<'_> {
    fn meter(&self) -> (Uuid, Uuid) {
        (self.new.account_id, self.meter_id)
    }

    fn place(&self, txn: &Txn) -> Place {
        Place { account_id: self.new.account_id, meter_id: self.meter_id, at: txn.now() }
    }

    /// Returns whether the rate cards of the meter price units of the feature: all of them if it has no limit, or those
    /// beyond a limit that are charged at no price of their own.
    fn is_priced(&self) -> bool {
        let limits = || self.grant.limits.iter();
        limits().all(|limit| limit.units.is_none())
            || limits().any(|limit| limit.on_exceed == OnExceed::Overage && limit.overage.is_none())
    }

    /// Returns the account with each credit unit that may pay for the use.
    fn payers(&self, prices: &Prices) -> Vec<(Uuid, Uuid)> {
        let overage = self.grant.limits.iter().filter_map(|limit| limit.overage).map(|price| price.credit_unit_id);
        let by_card = self.is_priced().then(|| prices.unit(self.meter_id)).flatten();
        overage.chain(by_card).map(|unit_id| (self.new.account_id, unit_id)).collect()
    }

    /// Returns the price of the use, with the rate card that says so; a refusal if a limit blocks it.
    fn price(&self, txn: &Txn, limits: &[Counted], prices: &Prices) -> Result<(Option<Overage>, Option<Uuid>)> {
        let units = match decide(limits, self.new.amount) {
            Decision::Blocked => return Err(limit_reached(limits, self.new.amount)),
            Decision::Charged(Some(cost)) => return Ok((Some(cost), None)),
            Decision::Charged(None) => {
                let charged = limits.iter().filter(|counted| counted.limit.on_exceed == OnExceed::Overage);
                charged.map(|counted| counted.excess(self.new.amount)).max().unwrap_or_default()
            }
            // Units within a limit are included.
            Decision::Within | Decision::Warned if limits.iter().any(|counted| counted.limit.units.is_some()) => 0,
            Decision::Within | Decision::Warned => self.new.amount,
        };
        let charge = if units > 0 { prices.charge(self.meter_id, txn.now(), units)? } else { None };
        let cost = charge.map(|charge| Overage { credit_unit_id: charge.unit_id, credits: charge.credits });
        Ok((cost, charge.map(|charge| charge.card_id)))
    }

    /// Counts the use in all of its windows and spends what it costs, or refuses it and changes nothing.
    fn apply(self, txn: &Txn, books: &mut Books<'_>, actor: &str) -> Result<Consumed> {
        let Books { counters, prices, ledger, uses } = books;
        let (account_id, amount) = (self.new.account_id, self.new.amount);
        let limits = counted(&self.grant.limits, &self.slots, counters);
        let (cost, rate_card_id) = self.price(txn, &limits, prices)?;
        let mut noted = Use {
            account_id,
            meter_id: self.meter_id,
            amount,
            credits: cost.map_or(0, |cost| cost.credits),
            credit_unit_id: cost.map(|cost| cost.credit_unit_id),
            rate_card_id,
            ledger_txn_id: None,
            reference: self.new.note.reference.clone(),
        };
        let place = self.place(txn);
        counters.check(place, amount)?;
        uses.check(&noted)?;
        let Note { reason, reference } = self.new.note.clone();
        let cost = cost.filter(|cost| cost.credits > 0);
        let spend = |cost: Overage| {
            ledger.spend(Spend {
                account_id,
                credit_unit_id: cost.credit_unit_id,
                amount: cost.credits,
                actor: actor.to_owned(),
                reason: Some(reason.unwrap_or_else(|| format!("{amount} of {}", self.new.feature))),
                reference,
            })
        };
        // Nothing refuses it after this.
        noted.ledger_txn_id = cost.map(spend).transpose()?;
        let transaction_id = noted.ledger_txn_id;
        counters.add(place, &self.slots, amount)?;
        let event_id = uses.add(txn, noted, actor)?;
        let can_pay = |unit_id, credits| ledger.available(account_id, unit_id) >= credits;
        let standing = Standing::Granted(self.grant);
        let entitlement = evaluate(self.terms, self.feature, &standing, counters, can_pay, txn.now());
        Ok(Consumed { amount, cost, transaction_id, event_id, entitlement })
    }
}
