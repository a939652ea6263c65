//! Credits that were bought, against a model: what is kept follows the money, whatever the order.

use crate::mirror::account;
use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use entity::{balances, credit_grants, ledger_entries};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use std::collections::BTreeMap;
use tollgate::auth::Viewer;
use tollgate::credits::{self, ObservedPurchase};
use tollgate::db::Mirror;
use uuid::Uuid;

both_engines!(kept_credits_follow_the_money, credits_restored_after_their_expiry_are_gone);

async fn apply(test: &TestApp, account: Uuid, purchase: &ObservedPurchase) -> bool {
    let purchase = purchase.clone();
    let written = test.app.db.write(move |txn| {
        Box::pin(async move { credits::project_purchase(&mut Mirror::new(txn), account, &purchase, false).await })
    });
    written.await.unwrap()
}

fn purchase(test: &TestApp, key: &str, credits: i64, amount_minor: i64) -> ObservedPurchase {
    ObservedPurchase {
        business_key: key.to_owned(),
        unit: "credit".to_owned(),
        credits,
        amount_minor,
        returned_minor: 0,
        payment_id: None,
        paid_at: test.app.now() - TimeDelta::days(1),
    }
}

/// Available, expired and revoked, which must be the sums of the entries.
async fn books(test: &TestApp, account: Uuid) -> (i64, i64, i64) {
    let db = test.app.db.read();
    let balance = balances::Entity::find().filter(balances::Column::AccountId.eq(account)).one(db).await.unwrap();
    let balance = balance.unwrap();
    let entries = ledger_entries::Entity::find()
        .filter(ledger_entries::Column::AccountId.eq(account))
        .order_by_asc(ledger_entries::Column::Seq)
        .all(db)
        .await
        .unwrap();
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (number, entry) in (1..).zip(&entries) {
        let sum = sums.entry(&entry.bucket).or_default();
        *sum += entry.amount;
        assert_eq!((entry.seq, entry.balance_after), (number, *sum));
    }
    let of = |bucket| sums.get(bucket).copied().unwrap_or(0);
    let found = (balance.available, balance.expired, balance.revoked, balance.issued, balance.held, balance.spent);
    assert_eq!(found, (of("available"), of("expired"), of("revoked"), of("issued"), 0, 0));
    let grants = credit_grants::Entity::find().filter(credit_grants::Column::AccountId.eq(account)).all(db).await;
    assert_eq!(grants.unwrap().iter().map(|grant| grant.remaining).sum::<i64>(), balance.available);
    (balance.available, balance.expired, balance.revoked)
}

async fn kept_credits_follow_the_money(test: &TestApp) {
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    for round in 0..8 {
        let account = account(test, &format!("buyer {round}")).await;
        let mut bought: Vec<ObservedPurchase> = Vec::new();
        for step in 0..40 {
            test.advance(TimeDelta::seconds(dice.random_range(0..90)));
            let index = if bought.is_empty() || dice.random_bool(0.1) {
                let credits = if dice.random_bool(0.2) { 1_000_000_000_000_000 } else { dice.random_range(1..2_000) };
                let amount = if dice.random_bool(0.1) { 0 } else { dice.random_range(1..5_000) };
                bought.push(purchase(test, &format!("{round} {step}"), credits, amount));
                bought.len() - 1
            } else {
                dice.random_range(0..bought.len())
            };
            let purchase = &mut bought[index];
            // Refunds and disputes that go up and down, sometimes past what was paid.
            purchase.returned_minor = dice.random_range(-1..purchase.amount_minor + 10).max(0);
            apply(test, account, purchase).await;
            assert!(!apply(test, account, purchase).await, "the same again changes nothing");
            let kept = |purchase: &ObservedPurchase| match purchase.amount_minor {
                0 => purchase.credits,
                amount => {
                    let back = i128::from(amount - purchase.returned_minor.min(amount));
                    i64::try_from((i128::from(purchase.credits) * back).div_euclid(i128::from(amount))).unwrap()
                }
            };
            let kept: i64 = bought.iter().map(kept).sum();
            let all: i64 = bought.iter().map(|purchase| purchase.credits).sum();
            assert_eq!(books(test, account).await, (kept, 0, all - kept));
        }
    }
}

async fn credits_restored_after_their_expiry_are_gone(test: &TestApp) {
    let account = account(test, "buyer").await;
    let mut purchase = purchase(test, "stripe:cs_1", 900, 300);
    purchase.returned_minor = 100;
    assert!(apply(test, account, &purchase).await);
    assert_eq!(books(test, account).await, (600, 0, 300));
    let ends = test.app.now() + TimeDelta::days(1);
    let end = credit_grants::ActiveModel {
        expires_at: sea_orm::ActiveValue::Set(Some(ends.fixed_offset())),
        ..Default::default()
    };
    credit_grants::Entity::update_many().set(end).exec(test.app.db.schema()).await.unwrap();
    let due = balances::ActiveModel {
        next_due_at: sea_orm::ActiveValue::Set(Some(ends.fixed_offset())),
        ..Default::default()
    };
    balances::Entity::update_many().set(due).exec(test.app.db.schema()).await.unwrap();
    test.advance(TimeDelta::days(2));
    credits::settle_all(&test.app, &Viewer::system("test")).await.unwrap();
    assert_eq!(books(test, account).await, (0, 600, 300));
    purchase.returned_minor = 200;
    apply(test, account, &purchase).await;
    assert_eq!(books(test, account).await, (0, 600, 300), "nothing is left to take");
    assert!(!apply(test, account, &purchase).await, "and nothing new is known");
    purchase.returned_minor = 0;
    assert!(apply(test, account, &purchase).await);
    assert_eq!(books(test, account).await, (0, 900, 0));
}
