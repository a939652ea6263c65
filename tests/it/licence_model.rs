//! Orders at random against a model of what their licences are.

use crate::support::{TestApp, both_engines, global_id, local_id, sql};
use chrono::{DateTime, TimeDelta, Utc};
use entity::license_keys;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate::db::Mirror;
use tollgate::licences::{self, ObservedLicences};
use uuid::Uuid;

both_engines!(
    orders_at_random_have_the_licences_that_the_model_has,
    observations_of_one_order_at_the_same_time_make_no_unit_twice,
);

#[derive(Debug, Clone)]
enum Step {
    /// The order is observed with so many units, of which so many were paid back.
    Observe { order: usize, units: i64, revoked: i64 },
    /// An admin revokes a unit, if it is there.
    Revoke { order: usize, unit: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let observe = (0..2usize, 0..5i64, 0..7i64).prop_map(|(order, units, revoked)| Step::Observe {
        order,
        units,
        revoked: revoked.min(units),
    });
    let revoke = (0..2usize, 1..5i64).prop_map(|(order, unit)| Step::Revoke { order, unit });
    proptest::collection::vec(prop_oneof![4 => observe, 1 => revoke], 1..12)
}

/// The state of a unit of an order: revoked by an admin, paid for.
#[derive(Debug, Default, Clone, Copy)]
struct Unit {
    by_admin: bool,
    good: bool,
}

async fn project(test: &TestApp, account: Uuid, payment: Option<Uuid>, observed: ObservedLicences) -> usize {
    let write = test.app.db.write(move |txn| {
        Box::pin(async move {
            let mut mirror = Mirror::new(txn);
            licences::project(&mut mirror, account, payment, &observed, 3).await?;
            Ok(mirror.into_differences().len())
        })
    });
    write.await.unwrap()
}

fn observed(order: &str, units: i64, revoked_units: i64, occurred_at: DateTime<Utc>) -> ObservedLicences {
    ObservedLicences {
        provider: "paddle",
        order_external_id: order.to_owned(),
        product_external_id: "pro_1".to_owned(),
        units,
        revoked_units,
        occurred_at,
    }
}

async fn account(test: &TestApp) -> Uuid {
    let account = "{ viewer { account { id } } }";
    let account = test.user("alice").data(account, json!({})).await["viewer"]["account"]["id"].take();
    local_id(account.as_str().unwrap()).1
}

async fn rows(test: &TestApp, order: &str) -> Vec<license_keys::Model> {
    let all = "SELECT * FROM license_keys ORDER BY unit_number";
    let mut rows = sql::models::<license_keys::Model>(test.app.db.schema(), all).await;
    rows.retain(|row| row.order_external_id.as_deref() == Some(order));
    rows
}

async fn orders_at_random_have_the_licences_that_the_model_has(test: &TestApp) {
    let account = account(test).await;
    let cases = AtomicUsize::new(0);
    let config = Config { cases: 24, max_shrink_iters: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let run = play(test, account, case, &steps);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run))
    });
    outcome.unwrap();
}

async fn play(test: &TestApp, account: Uuid, case: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    const REVOKE: &str = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id}) { userErrors { code } } }";
    let paid_at = test.app.now() - TimeDelta::days(3);
    let name = |order: usize| format!("txn_{case}_{order}");
    let mut model: BTreeMap<(usize, i64), Unit> = BTreeMap::new();
    for step in steps {
        test.advance(TimeDelta::minutes(1));
        match *step {
            Step::Observe { order, units, revoked } => {
                for unit in 1..=units {
                    model.entry((order, unit)).or_default();
                }
                for ((of, unit), state) in &mut model {
                    if *of == order {
                        state.good = *unit <= units - revoked;
                    }
                }
                project(test, account, None, observed(&name(order), units, revoked, paid_at)).await;
                // A repetition changes nothing.
                let again = project(test, account, None, observed(&name(order), units, revoked, paid_at)).await;
                prop_assert_eq!(again, 0);
            }
            Step::Revoke { order, unit } => {
                if let Some(state) = model.get_mut(&(order, unit)) {
                    state.by_admin = true;
                    let id = rows(test, &name(order)).await.into_iter().find(|row| row.unit_number == unit).unwrap().id;
                    test.admin().data(REVOKE, json!({"id": global_id("LicenseKey", id)})).await;
                }
            }
        }
        for order in 0..2 {
            let expected: Vec<_> = model.iter().filter(|((of, _), _)| *of == order).collect();
            let found = rows(test, &name(order)).await;
            prop_assert_eq!(found.len(), expected.len());
            for (row, ((_, unit), state)) in found.iter().zip(expected) {
                prop_assert_eq!(row.unit_number, *unit);
                let by = if state.by_admin { Some("admin") } else { (!state.good).then_some("provider") };
                prop_assert_eq!(row.revoked_by.as_deref(), by);
                prop_assert_eq!(&*row.status, if by.is_some() { "revoked" } else { "active" });
                prop_assert_eq!((row.account_id, row.max_devices, &*row.source), (account, 3, "purchase"));
                prop_assert_eq!(row.created_at, paid_at.fixed_offset());
                prop_assert!(row.hash.is_none() && row.prefix.is_none() && row.payment_id.is_none());
            }
        }
    }
    Ok(())
}

async fn observations_of_one_order_at_the_same_time_make_no_unit_twice(test: &TestApp) {
    let account = account(test).await;
    let at = test.app.now();
    let runs = (0..8).map(|_| {
        let app = Arc::clone(&test.app);
        async move {
            let write = app.db.write(move |txn| {
                Box::pin(async move {
                    let mut mirror = Mirror::new(txn);
                    licences::project(&mut mirror, account, None, &observed("txn", 3, 1, at), 3).await
                })
            });
            write.await
        }
    });
    // If two issue one unit, one of them must repeat its work, like a job that failed.
    let done = futures_util::future::join_all(runs).await;
    assert!(done.iter().any(Result::is_ok));
    project(test, account, None, observed("txn", 3, 1, at)).await;
    let found = rows(test, "txn").await;
    let units: Vec<_> = found.iter().map(|row| (row.unit_number, &*row.status)).collect();
    assert_eq!(units, [(1, "active"), (2, "active"), (3, "revoked")]);
    // A payment that is learned of later is put in, and stays.
    let world = crate::support::World::make(test).await;
    let (_, payment) = local_id(world.id("Payment", "alice"));
    assert_eq!(project(test, account, Some(payment), observed("txn", 3, 1, at)).await, 3);
    assert_eq!(project(test, account, None, observed("txn", 3, 1, at)).await, 0);
    assert!(rows(test, "txn").await.iter().all(|row| row.payment_id == Some(payment)));
}
