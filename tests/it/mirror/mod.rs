//! Observed states give the same rows in any order and number.

mod catalogue;
mod history;
mod observed;
mod people;
mod rows;

use crate::support::{TestApp, both_engines, local_id};
use chrono::TimeDelta;
use observed::{Observed, earlier, everything};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rows::rows;
use serde_json::json;
use tollgate::db::{Difference, Mirror};
use tollgate::error::Result;
use tollgate::{accounts, credits, discounts, payments, plans, subscriptions};
use uuid::Uuid;

both_engines!(any_order_gives_the_same_rows);

/// The account of a user, who is made if they are new.
pub(crate) async fn account(test: &TestApp, user: &str) -> Uuid {
    let answer = test.user(user).data("{ viewer { account { id } } }", json!({})).await;
    local_id(answer["viewer"]["account"]["id"].as_str().unwrap()).1
}

/// Mirrors one observed state, in its own transaction, and returns the changes.
async fn apply(test: &TestApp, account: Uuid, observed: &Observed) -> Vec<Difference> {
    let observed = observed.clone();
    let written = test.app.db.write(move |txn| {
        Box::pin(async move {
            let mut mirror = Mirror::new(txn);
            project(&mut mirror, account, observed).await?;
            Ok(mirror.into_differences())
        })
    });
    written.await.unwrap()
}

async fn project(mirror: &mut Mirror<'_>, account: Uuid, observed: Observed) -> Result<()> {
    match observed {
        Observed::Customer(it) => drop(accounts::project_customer(mirror, account, &it).await?),
        Observed::Price(it) => drop(plans::project_price(mirror, &it).await?),
        Observed::Subscription(it, history) => {
            drop(subscriptions::project_subscription(mirror, account, &it, &history).await?);
        }
        Observed::Invoice(it) => drop(payments::project_invoice(mirror, account, &it).await?),
        Observed::Payment(it) => drop(payments::project_payment(mirror, account, &it).await?),
        Observed::Coupon(it) => drop(discounts::project_coupon(mirror, &it).await?),
        Observed::PromoCode(it) => drop(discounts::project_promo_code(mirror, &it).await?),
        Observed::Redemption(it) => drop(discounts::project_redemption(mirror, account, &it).await?),
        Observed::Purchase(it) => drop(credits::project_purchase(mirror, account, &it, false).await?),
    }
    Ok(())
}

async fn any_order_gives_the_same_rows(test: &TestApp) {
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let mut expected: Option<Vec<String>> = None;
    for case in 0..12 {
        let name = format!(".c{case}.");
        let (account, event) = (account(test, &format!("user{name}")).await, crate::support::event(&test.app).await);
        let mut things = everything(&name, event);
        if case > 0 {
            things.shuffle(&mut dice);
        }
        for thing in &things {
            test.advance(TimeDelta::milliseconds(dice.random_range(0..3_000)));
            if let Some(earlier) = earlier(thing).filter(|_| case > 0 && dice.random_bool(0.5)) {
                apply(test, account, &earlier).await;
            }
            apply(test, account, thing).await;
            if dice.random_bool(0.3) {
                assert_eq!(apply(test, account, thing).await, [], "{thing:?} at once again");
            }
        }
        // All referenced rows exist by now.
        for round in 0.. {
            let mut changed = Vec::new();
            things.shuffle(&mut dice);
            for thing in &things {
                changed.extend(apply(test, account, thing).await);
            }
            if changed.is_empty() {
                break;
            }
            assert!(round < 3, "case {case}: {changed:#?}");
        }
        let found = rows(test.app.db.read(), &name, (account, event)).await;
        let expected = expected.get_or_insert_with(|| found.clone());
        same(expected, &found, case);
    }
    let rows = expected.unwrap().join("\n");
    insta::assert_snapshot!("rows", rows);
}

/// Fails with the lines that differ.
fn same(expected: &[String], found: &[String], case: usize) {
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    let foreign: Vec<_> = found.iter().filter(|row| !expected.contains(row)).collect();
    assert!(expected == found, "case {case}\nmissing {missing:#?}\ninstead {foreign:#?}");
}
