//! The events that one transaction records, with everything that they depend on, in memory.

use super::cards::{Card, Charge, charge};
use super::count::Use;
use super::counters::Counters;
use super::daily::{Addition, DayKey, Days, span};
use super::event::{RecordEvent, Recorded};
use super::in_force::terms;
use super::slot::Slot;
use super::store::{self, Seen};
use super::terms::Readers;
use super::values::MeterAggregation;
use crate::accounts;
use crate::credits::{Ledger, Spend};
use crate::db::{Txn, insert_all};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{meters, usage_events};
use sea_orm::ActiveValue::Set;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The account, meter and dedupe key of an event.
type EventKey = (Uuid, Uuid, String);

/// The reading of an event, by its meter and the rate cards.
pub(super) enum Reading {
    /// The event was recorded before.
    Duplicate(Uuid),
    /// A new event.
    New(Box<NewReading>),
}

/// The reading of a new event.
pub(super) struct NewReading {
    measured: Use,
    day: DayKey,
    charge: Option<Charge>,
    /// The windows that limit the use.
    slots: Vec<Slot>,
}

/// A meter, with its aggregation read.
struct Meter {
    row: meters::Model,
    aggregation: MeterAggregation,
}

/// The rows that events refer to.
struct References {
    meters: HashMap<String, Meter>,
    accounts: HashSet<Uuid>,
    users: HashSet<Uuid>,
    devices: HashMap<Uuid, Uuid>,
    cards: HashMap<Uuid, Vec<Card>>,
    recorded: HashMap<EventKey, Uuid>,
}

/// The events of a transaction.
pub(super) struct Batch<'t> {
    readings: Vec<Result<Reading>>,
    recorded: HashMap<EventKey, Uuid>,
    seen: HashSet<Seen>,
    days: Days,
    counters: Counters,
    ledger: Ledger<'t>,
    rows: Vec<usage_events::ActiveModel>,
}

impl<'t> Batch<'t> {
    /// Reads everything that these events depend on, under the locks of their accounts.
    pub(super) async fn load(txn: &'t Txn, operations: &[&RecordEvent]) -> Result<Batch<'t>> {
        let mut references = References::load(txn, operations).await?;
        let now = txn.now();
        let mut readings: Vec<_> = operations.iter().map(|operation| references.read(operation, now)).collect();
        let new = || readings.iter().filter_map(|reading| reading.as_ref().ok().and_then(Reading::as_new));
        let accounts: BTreeSet<Uuid> = new().map(|reading| reading.measured.account_id).collect();
        let days = Days::load(txn, new().map(|reading| reading.day.clone()).collect()).await?;
        let terms = terms(txn, Readers::Everyone, &accounts.into_iter().collect::<Vec<_>>(), now).await?;
        let (mut slots, mut places, mut wallets) = (Vec::new(), HashSet::new(), Vec::new());
        for reading in readings.iter_mut().filter_map(|reading| reading.as_mut().ok().and_then(Reading::new_mut)) {
            let Use { account_id, meter_id, at, .. } = reading.measured;
            if let Some(terms) = terms.get(&account_id) {
                reading.slots = terms.slots(meter_id, at)?;
            }
            places.insert(reading.measured.place());
            slots.extend(&reading.slots);
            wallets
                .extend(reading.charge.filter(|charge| charge.credits > 0).map(|charge| (account_id, charge.unit_id)));
        }
        let counters = Counters::load(txn, &slots, &places).await?;
        let new = || readings.iter().filter_map(|reading| reading.as_ref().ok().and_then(Reading::as_new));
        let values: HashSet<Seen> = new()
            .flat_map(|NewReading { measured, day, .. }| {
                let windows = counters.windows(measured.place()).into_iter().chain([span(day.day)]);
                windows.filter_map(|window| measured.seen(window)).collect::<Vec<_>>()
            })
            .collect();
        let seen = store::seen_values(txn, values.into_iter().collect()).await?;
        let ledger = Ledger::load(txn, wallets).await?;
        let recorded = std::mem::take(&mut references.recorded);
        Ok(Batch { readings, recorded, seen, days, counters, ledger, rows: Vec::with_capacity(operations.len()) })
    }

    /// Returns what each event says, in their order.
    pub(super) fn take_readings(&mut self) -> Vec<Result<Reading>> {
        std::mem::take(&mut self.readings)
    }

    /// Records an event, unless one before it in this batch is the same.
    pub(super) fn record(&mut self, txn: &Txn, operation: &RecordEvent, reading: Reading) -> Result<Recorded> {
        let reading = match reading {
            Reading::Duplicate(event_id) => return Ok(Recorded { event_id, duplicate: true }),
            Reading::New(reading) => reading,
        };
        let measured = &reading.measured;
        let key = (measured.account_id, measured.meter_id, operation.event.dedupe_key.clone());
        if let Some(event_id) = self.recorded.get(&key) {
            return Ok(Recorded { event_id: *event_id, duplicate: true });
        }
        let day_value = measured.seen(span(reading.day.day));
        let addition = Addition {
            aggregation: measured.aggregation,
            value: measured.value,
            credits: reading.charge.map_or(0, |charge| charge.credits),
            is_new: day_value.as_ref().is_some_and(|value| !self.seen.contains(value)),
        };
        let sum = self.days.sum(&reading.day).with(addition)?;
        measured.check(&self.counters)?;
        let ledger_txn_id = self.spend(operation, &reading)?;
        // Nothing refuses it from here on.
        measured.add(&mut self.counters, &reading.slots, &mut self.seen)?;
        let event_id = txn.new_id();
        self.days.set(reading.day.clone(), sum);
        self.seen.extend(day_value);
        self.recorded.insert(key, event_id);
        self.rows.push(row(txn, (event_id, ledger_txn_id), operation, &reading));
        Ok(Recorded { event_id, duplicate: false })
    }

    /// Spends the credits that an event costs, and returns the ledger transaction; refused, without a change, if they do
    /// not suffice.
    fn spend(&mut self, operation: &RecordEvent, reading: &NewReading) -> Result<Option<Uuid>> {
        let Some(charge) = reading.charge.filter(|charge| charge.credits > 0) else { return Ok(None) };
        let event = &operation.event;
        let spent = self.ledger.spend(Spend {
            account_id: event.account_id,
            credit_unit_id: charge.unit_id,
            amount: charge.credits,
            actor: operation.actor.clone(),
            reason: None,
            reference: event.ref_type.clone().zip(event.ref_id.clone()),
        });
        match spent {
            Ok(id) => Ok(Some(id)),
            // No field of the event is the amount.
            Err(Error::Refused(refusal)) => Err(Error::refused(refusal.code, &[], refusal.message)),
            Err(error) => Err(error),
        }
    }

    /// Writes the events, with one statement for each table.
    pub(super) async fn write(self, txn: &Txn) -> Result<()> {
        self.ledger.write().await?;
        insert_all::<usage_events::Entity>(txn, self.rows).await?;
        self.days.write(txn).await?;
        self.counters.write(txn).await
    }
}

impl References {
    async fn load(txn: &Txn, operations: &[&RecordEvent]) -> Result<References> {
        let events = || operations.iter().map(|operation| &operation.event);
        let codes: BTreeSet<&str> = events().map(|event| event.meter.as_str()).collect();
        let meters = store::meters_by_code(txn, &codes).await?.into_iter().map(|row| {
            let aggregation = MeterAggregation::parse(&row.aggregation)?;
            Ok((row.code.clone(), Meter { row, aggregation }))
        });
        let meters: HashMap<String, Meter> = meters.collect::<Result<_>>()?;
        // From here on nobody else records usage of these accounts.
        let accounts = store::lock_accounts(txn, &events().map(|event| event.account_id).collect()).await?;
        let keys: HashSet<EventKey> = events()
            // PostgreSQL reads no JSON with NUL; the key is refused below.
            .filter(|event| !event.dedupe_key.contains('\0'))
            .filter_map(|event| Some((event.account_id, meters.get(&event.meter)?.row.id, event.dedupe_key.clone())))
            .filter(|(account_id, ..)| accounts.contains(account_id))
            .collect();
        let keys = keys.into_iter().map(|(account_id, meter_id, dedupe_key)| usage_events::ActiveModel {
            account_id: Set(account_id),
            meter_id: Set(meter_id),
            dedupe_key: Set(dedupe_key),
            ..Default::default()
        });
        let recorded = store::recorded_events(txn, keys.collect()).await?;
        let recorded = recorded.into_iter().map(|row| ((row.account_id, row.meter_id, row.dedupe_key), row.id));
        let ids: Vec<Uuid> = meters.values().map(|meter| meter.row.id).collect();
        let mut cards: HashMap<Uuid, Vec<Card>> = HashMap::new();
        for card in store::cards_of(txn, &ids).await? {
            let card = Card::read(card)?;
            cards.entry(card.meter_id()).or_default().push(card);
        }
        let users = accounts::existing_users(txn, &events().filter_map(|event| event.user_id).collect()).await?;
        let devices = store::devices(txn, &events().filter_map(|event| event.device_id).collect()).await?;
        Ok(References { meters, accounts, users, devices, cards, recorded: recorded.collect() })
    }

    /// Returns what an event says, or the rule that refuses it.
    fn read(&self, operation: &RecordEvent, now: DateTime<Utc>) -> Result<Reading> {
        let event = &operation.event;
        let refused = |code, field, message| Err(Error::refused(code, field, message));
        let Some(meter) = self.meters.get(&event.meter) else {
            return refused("METER_NOT_FOUND", &["meter"], "Meter not found: create it with `createMeter`.");
        };
        if !self.accounts.contains(&event.account_id) {
            let message = "Account not found: pass the `id` of an `Account`.";
            return refused("ACCOUNT_NOT_FOUND", &["accountId"], message);
        }
        event.check_key()?;
        // Also an event that would be too old by now was recorded.
        if let Some(id) = self.recorded.get(&(event.account_id, meter.row.id, event.dedupe_key.clone())) {
            return Ok(Reading::Duplicate(*id));
        }
        event.check()?;
        let occurred_at = event.occurred_at(now)?;
        if event.user_id.is_some_and(|id| !self.users.contains(&id)) {
            return refused("USER_NOT_FOUND", &["userId"], "User not found: pass the `id` of a `User`, or omit it.");
        }
        if event.device_id.is_some_and(|id| self.devices.get(&id) != Some(&event.account_id)) {
            let message = "The account has no such device: pass the `id` of one of its devices, or omit it.";
            return refused("DEVICE_NOT_FOUND", &["deviceId"], message);
        }
        let measure = event.measure(meter.aggregation, meter.row.value_path.as_deref())?;
        let group = event.group(meter.row.group_by.as_deref())?;
        let cards = self.cards.get(&meter.row.id).map(Vec::as_slice).unwrap_or_default();
        let charge = charge(cards, occurred_at, measure.value, event.dimensions.as_ref())?;
        let (account_id, meter_id) = (event.account_id, meter.row.id);
        let measured = Use {
            account_id,
            meter_id,
            at: occurred_at,
            aggregation: meter.aggregation,
            value: measure.value,
            unique_value: measure.unique_value,
        };
        let day = DayKey { account_id, meter_id, day: occurred_at.date_naive(), group };
        Ok(Reading::New(Box::new(NewReading { measured, day, charge, slots: Vec::new() })))
    }
}

impl Reading {
    fn as_new(&self) -> Option<&NewReading> {
        match self {
            Reading::New(reading) => Some(reading),
            Reading::Duplicate(_) => None,
        }
    }

    fn new_mut(&mut self) -> Option<&mut NewReading> {
        match self {
            Reading::New(reading) => Some(reading),
            Reading::Duplicate(_) => None,
        }
    }
}

fn row(
    txn: &Txn,
    (id, ledger_txn_id): (Uuid, Option<Uuid>),
    operation: &RecordEvent,
    reading: &NewReading,
) -> usage_events::ActiveModel {
    let event = &operation.event;
    usage_events::ActiveModel {
        id: Set(id),
        account_id: Set(event.account_id),
        meter_id: Set(reading.measured.meter_id),
        user_id: Set(event.user_id),
        device_id: Set(event.device_id),
        dedupe_key: Set(event.dedupe_key.clone()),
        occurred_at: Set(reading.measured.at.fixed_offset()),
        recorded_at: Set(txn.now().fixed_offset()),
        value: Set(reading.measured.value),
        unique_value: Set(reading.measured.unique_value.clone()),
        dimensions: Set(event.dimensions.clone()),
        ref_type: Set(event.ref_type.clone()),
        ref_id: Set(event.ref_id.clone()),
        credits: Set(reading.charge.map_or(0, |charge| charge.credits)),
        credit_unit_id: Set(reading.charge.map(|charge| charge.unit_id)),
        ledger_txn_id: Set(ledger_txn_id),
        rate_card_id: Set(reading.charge.map(|charge| charge.card_id)),
        verified: Set(event.verified),
        proof: Set(event.proof.clone()),
        content_hash: Set(event.content_hash.clone()),
        corrects_id: Set(None),
        recorded_by: Set(operation.actor.clone()),
    }
}
