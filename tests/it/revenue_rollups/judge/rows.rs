//! The raw facts of lives as rows, which arrive in waves: late, repeated, and in any order.

use super::lives::{Contract, Life, NOW, PLANS, Payment, State};
use super::reckoning::account;
use crate::support::sql;
use chrono::{DateTime, FixedOffset};
use entity::{
    accounts, payments, product_versions, products, refunds, subscription_arr_changes, subscription_versions,
};
use entity::{subscriptions, users};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// Rows of one statement.
const ROWS: usize = 300;

pub(super) fn at(seconds: i64) -> DateTime<FixedOffset> {
    DateTime::from_timestamp(seconds, 0).unwrap().fixed_offset()
}

/// The id of a row of some kind.
fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128((kind << 64) + u128::try_from(number).unwrap())
}

pub(super) fn product(plan: usize) -> Uuid {
    id(1, plan)
}

/// The rows of one wave.
#[derive(Default)]
struct Wave {
    versions: Vec<subscription_versions::ActiveModel>,
    changes: Vec<subscription_arr_changes::ActiveModel>,
    payments: Vec<payments::ActiveModel>,
    refunds: Vec<refunds::ActiveModel>,
}

/// Facts that have not arrived yet.
pub(super) struct Arrivals {
    waves: Vec<Wave>,
    /// The chance that a fact comes in each wave but the last.
    chances: Vec<f64>,
    dice: ChaCha8Rng,
    count: usize,
}

async fn insert<A: ActiveModelTrait + sea_orm::ActiveModelBehavior + Send + 'static>(
    db: &DatabaseConnection,
    rows: Vec<A>,
) {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some: Vec<A> = rows.by_ref().take(ROWS).collect();
        <A::Entity as EntityTrait>::insert_many(some).exec_without_returning(db).await.unwrap();
    }
}

impl Arrivals {
    /// Inserts the customers, the plans and the subscriptions, of which nothing is known yet, and deals the other facts.
    pub(super) async fn new(db: &DatabaseConnection, lives: &[Life], chances: &[f64], seed: u64) -> Arrivals {
        let began = at(super::lives::BEGIN);
        let person = |number: usize| users::ActiveModel {
            id: Set(id(2, number)),
            role: Set("user".to_owned()),
            created_at: Set(began),
            ..Default::default()
        };
        insert(db, (0..lives.len()).map(person).collect()).await;
        let own = |number: usize| accounts::ActiveModel {
            id: Set(account(number)),
            kind: Set("individual".to_owned()),
            owner_id: Set(id(2, number)),
            created_at: Set(began),
            time_zone: Set("UTC".to_owned()),
            ..Default::default()
        };
        insert(db, (0..lives.len()).map(own).collect()).await;
        plans(db).await;
        let waves = (0..=chances.len()).map(|_| Wave::default()).collect();
        let dice = ChaCha8Rng::seed_from_u64(seed);
        let mut arrivals = Arrivals { waves, chances: chances.to_vec(), dice, count: 0 };
        let contracts: Vec<&Contract> = lives.iter().flat_map(|life| &life.contracts).collect();
        let sold = contracts.iter().enumerate().map(|(number, contract)| {
            let first = &contract.states[0];
            let last = contract.states.last().unwrap();
            subscriptions::ActiveModel {
                id: Set(id(3, number)),
                account_id: Set(account(last.owner)),
                provider: Set("stripe".to_owned()),
                external_id: Set(format!("sub_{number}")),
                status: Set(last.status.to_owned()),
                started_at: Set(at(first.at)),
                trial_start: Set(contract.trial_start.map(at)),
                created_at: Set(at(first.at)),
                updated_at: Set(at(last.at)),
                cancel_at_period_end: Set(false),
                ..Default::default()
            }
        });
        insert(db, sold.collect()).await;
        for (number, contract) in contracts.into_iter().enumerate() {
            arrivals.deal(number, contract);
        }
        arrivals
    }

    /// The wave in which a fact comes, at `from` or later.
    fn wave(&mut self, from: usize) -> usize {
        let last = self.chances.len();
        (from..last).find(|wave| self.dice.random_bool(self.chances[*wave])).unwrap_or(last)
    }

    fn next_id(&mut self, kind: u128) -> Uuid {
        self.count += 1;
        // In no order.
        let mixed = u128::try_from(self.count).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15) & u128::from(u64::MAX);
        Uuid::from_u128((kind << 64) + mixed)
    }

    fn deal(&mut self, number: usize, contract: &Contract) {
        for (place, state) in contract.states.iter().enumerate() {
            let recorded = NOW - 1_000 + i64::try_from(place).unwrap();
            self.version(number, contract.currency, state, recorded);
            // The report of before, which was wrong, and one that comes twice.
            if self.dice.random_bool(0.05) {
                let mut wrong = state.clone();
                (wrong.status, wrong.item.quantity) = ("active", 99);
                self.version(number, contract.currency, &wrong, recorded - 5_000);
            }
            if self.dice.random_bool(0.05) {
                self.version(number, contract.currency, state, recorded);
            }
        }
        for payment in &contract.payments {
            self.payment(number, contract, payment);
        }
    }

    fn version(&mut self, number: usize, currency: &str, state: &State, recorded: i64) {
        let wave = self.wave(0);
        let version_id = self.next_id(4);
        let [arr, discounted] = state.arr(state.at);
        self.waves[wave].versions.push(subscription_versions::ActiveModel {
            id: Set(version_id),
            account_id: Set(account(state.owner)),
            subscription_id: Set(id(3, number)),
            effective_at: Set(at(state.at)),
            recorded_at: Set(at(recorded)),
            status: Set(state.status.to_owned()),
            paused: Set(state.paused),
            product_version_id: Set(Some(id(5, state.item.plan))),
            items: Set(json!([])),
            currency: Set(Some(currency.to_owned())),
            arr_minor: Set(Some(arr)),
            discounted_arr_minor: Set(Some(discounted)),
            cause: Set("test".to_owned()),
            ..Default::default()
        });
        if let Some(end) = state.coupon.and_then(|coupon| coupon.end).filter(|end| *end > state.at) {
            let [arr, discounted] = state.arr(end);
            let change_id = self.next_id(6);
            self.waves[wave].changes.push(subscription_arr_changes::ActiveModel {
                id: Set(change_id),
                account_id: Set(account(state.owner)),
                subscription_version_id: Set(version_id),
                effective_at: Set(at(end)),
                currency: Set(Some(currency.to_owned())),
                arr_minor: Set(Some(arr)),
                discounted_arr_minor: Set(Some(discounted)),
            });
        }
    }

    fn payment(&mut self, number: usize, contract: &Contract, payment: &Payment) {
        let wave = self.wave(0);
        let payment_id = self.next_id(7);
        let owner = account(contract.states[0].owner);
        let received = if payment.succeeded { payment.amount } else { 0 };
        self.waves[wave].payments.push(payments::ActiveModel {
            id: Set(payment_id),
            account_id: Set(owner),
            subscription_id: Set(Some(id(3, number))),
            provider: Set("stripe".to_owned()),
            external_id: Set(format!("pi_{payment_id}")),
            stream: Set("subscription".to_owned()),
            status: Set(if payment.succeeded { "succeeded" } else { "failed" }.to_owned()),
            currency: Set(contract.currency.to_owned()),
            amount_minor: Set(payment.amount),
            fee_minor: Set(payment.fee),
            refunded_minor: Set(0),
            paid_at: Set(payment.succeeded.then(|| at(payment.at))),
            created_at: Set(at(payment.at)),
            received_minor: Set(received),
            disputed: Set(false),
            failed_attempts: Set(0),
            ..Default::default()
        });
        if let Some((refunded, amount)) = payment.refund {
            let (wave, refund_id) = (self.wave(wave), self.next_id(8));
            self.waves[wave].refunds.push(refunds::ActiveModel {
                id: Set(refund_id),
                account_id: Set(owner),
                payment_id: Set(payment_id),
                provider: Set("stripe".to_owned()),
                external_id: Set(Some(format!("re_{refund_id}"))),
                status: Set("processed".to_owned()),
                currency: Set(contract.currency.to_owned()),
                amount_minor: Set(amount),
                credits_taken_back: Set(0),
                created_at: Set(at(refunded)),
                processed_at: Set(Some(at(refunded))),
                ..Default::default()
            });
        }
    }

    /// Inserts the facts of the next wave; `None` after the last.
    pub(super) async fn next(&mut self, db: &DatabaseConnection) -> Option<()> {
        if self.waves.is_empty() {
            return None;
        }
        let Wave { versions, changes, payments, refunds } = self.waves.remove(0);
        insert(db, payments).await;
        insert(db, refunds).await;
        insert(db, versions).await;
        insert(db, changes).await;
        let first = "UPDATE subscriptions SET first_paid_at = f.at FROM (SELECT subscription_id AS id, MIN(paid_at) AS at \
            FROM payments WHERE status = 'succeeded' AND received_minor > 0 GROUP BY 1) AS f WHERE f.id = subscriptions.id \
            AND first_paid_at IS DISTINCT FROM f.at";
        sql::execute(db, first).await;
        Some(())
    }
}

async fn plans(db: &DatabaseConnection) {
    let began = at(super::lives::BEGIN);
    let sold = PLANS.iter().enumerate().map(|(plan, (code, _))| products::ActiveModel {
        id: Set(product(plan)),
        code: Set((*code).to_owned()),
        kind: Set("plan".to_owned()),
        rank: Set(i64::try_from(plan).unwrap()),
        name: Set((*code).to_owned()),
        active: Set(true),
        created_at: Set(began),
        updated_at: Set(began),
        ..Default::default()
    });
    insert(db, sold.collect()).await;
    let versions = (0..PLANS.len()).map(|plan| product_versions::ActiveModel {
        id: Set(id(5, plan)),
        product_id: Set(product(plan)),
        number: Set(1),
        status: Set("published".to_owned()),
        published_at: Set(Some(began)),
        created_at: Set(began),
        access_while_paused: Set(false),
        access_in_trial: Set(true),
        ..Default::default()
    });
    insert(db, versions.collect()).await;
}
