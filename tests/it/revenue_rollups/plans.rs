//! Cash by plan, by the rows alone: the plan of each payment at its time, however late its subscription's history comes.

use super::cash::{Figures, facts, figures};
use super::{day, make, start};
use crate::support::company::local_id;
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{DateTime, FixedOffset, NaiveDate};
use entity::{gifts, payments, prices, product_versions, subscription_versions};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

both_engines!(
    cash_belongs_to_the_plan_at_the_time_of_payment,
    a_refund_is_on_its_own_day_and_of_the_plan_of_its_payment
);

/// The plans of subscriptions and gifts.
pub(super) struct Plans {
    /// The versions of each subscription, the one that counts last among those of an instant.
    versions: HashMap<Uuid, Vec<subscription_versions::Model>>,
    products: HashMap<Uuid, Uuid>,
    gifts: HashMap<Uuid, Uuid>,
}

impl Plans {
    pub(super) async fn read(db: &DatabaseConnection) -> Plans {
        let mut versions: HashMap<Uuid, Vec<subscription_versions::Model>> = HashMap::new();
        for version in sql::models::<subscription_versions::Model>(db, "SELECT * FROM subscription_versions").await {
            versions.entry(version.subscription_id).or_default().push(version);
        }
        for versions in versions.values_mut() {
            versions.sort_by_key(|version| (version.effective_at, version.recorded_at, version.id));
        }
        let products = sql::models::<product_versions::Model>(db, "SELECT * FROM product_versions").await;
        let products: HashMap<Uuid, Uuid> = products.iter().map(|version| (version.id, version.product_id)).collect();
        let prices = sql::models::<prices::Model>(db, "SELECT * FROM prices").await;
        let prices: HashMap<Uuid, Uuid> =
            prices.iter().map(|price| (price.id, products[&price.product_version_id])).collect();
        let gifts = sql::models::<gifts::Model>(db, "SELECT * FROM gifts ORDER BY id DESC").await;
        let gifts = gifts.iter().filter_map(|gift| Some((gift.payment_id?, prices[&gift.price_id]))).collect();
        Plans { versions, products, gifts }
    }

    pub(super) fn of_payment(&self, payment: &payments::Model) -> Option<Uuid> {
        match payment.subscription_id {
            Some(subscription) => self.of_subscription(subscription, payment.paid_at),
            None => self.of_gift(payment.id),
        }
    }

    pub(super) fn of_gift(&self, payment: Uuid) -> Option<Uuid> {
        self.gifts.get(&payment).copied()
    }

    /// The plan in force at an instant, or the first one.
    pub(super) fn of_subscription(&self, subscription: Uuid, at: Option<DateTime<FixedOffset>>) -> Option<Uuid> {
        let versions = self.versions.get(&subscription)?;
        let at = at.unwrap_or(versions[0].effective_at).max(versions[0].effective_at);
        let version = versions.iter().rfind(|version| version.effective_at <= at)?;
        self.products.get(&version.product_version_id?).copied()
    }
}

const BY_PLAN: &str = "query($from: Date!, $to: Date!, $period: AnalyticsPeriod!) { analytics {
    revenueByPlan(from: $from, to: $to, period: $period) { startsOn plan { id } ...sums }
    revenue(from: $from, to: $to, period: $period) { startsOn ...total }
} }
fragment sums on PlanRevenueSummary {
    gross { amount currency } net { amount } paymentCount fees { amount } unknownFeeCount
    refunded { amount } refundCount tax { amount } disputed { amount } disputesLost { amount currency }
}
fragment total on RevenueSummary {
    gross { amount currency } net { amount } paymentCount fees { amount } unknownFeeCount
    refunded { amount } refundCount tax { amount } disputed { amount } disputesLost { amount currency }
}";

type Rows = BTreeMap<(NaiveDate, String, Option<Uuid>), Figures>;

fn add(sum: &mut Figures, more: &Figures) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// Asks for cash by plan, whose rows add up to the cash of each period and currency.
async fn asked(test: &TestApp, from: NaiveDate, to: NaiveDate, period: &str) -> Rows {
    let data = test.admin().data(BY_PLAN, json!({"from": from, "to": to, "period": period})).await["analytics"].take();
    let key =
        |row: &Value| (day(row["startsOn"].as_str().unwrap()), row["gross"]["currency"].as_str().unwrap().to_owned());
    let mut totals: BTreeMap<(NaiveDate, String), [Figures; 2]> = BTreeMap::new();
    let mut found = Rows::new();
    for row in data["revenueByPlan"].as_array().unwrap() {
        let plan = row["plan"].get("id").map(local_id);
        add(&mut totals.entry(key(row)).or_default()[0], &figures(row));
        let known = found.insert((key(row).0, key(row).1, plan), figures(row));
        assert_eq!(known, None, "one row for each period, currency and plan");
    }
    for row in data["revenue"].as_array().unwrap() {
        add(&mut totals.entry(key(row)).or_default()[1], &figures(row));
    }
    for (key, [by_plan, total]) in totals {
        assert_eq!(by_plan, total, "the plans add up: {key:?}");
    }
    found
}

async fn compare(test: &TestApp, db: &DatabaseConnection, step: &str) -> Rows {
    let facts = facts(db).await;
    for (from, to) in [("2021-01-01", "2027-01-01"), ("2025-02-28", "2025-11-13")].map(|(a, b)| (day(a), day(b))) {
        for period in ["DAY", "MONTH", "RANGE"] {
            let mut wanted = Rows::new();
            for fact in facts.iter().filter(|fact| (from..to).contains(&fact.day)) {
                let key = (start(fact.day, period, from), fact.currency.clone(), fact.plan);
                let row = wanted.entry(key).or_default();
                fact.figures.iter().for_each(|(figure, amount)| row[*figure] += amount);
            }
            assert_eq!(asked(test, from, to, period).await, wanted, "{step} {period}");
        }
    }
    asked(test, day("2021-01-01"), day("2027-01-01"), "RANGE").await
}

async fn cash_belongs_to_the_plan_at_the_time_of_payment(test: &Company<80>) {
    let db = test.db();
    test.complete().await;
    sql::execute(db, "UPDATE invoices SET tax_minor = 7, total_minor = total_minor + 7 WHERE status = 'paid'").await;
    let before = compare(test, db, "as it was").await;
    make(test, db).await;
    assert_eq!(compare(test, db, "after the job").await, before);
    let plans = before.keys().filter(|(_, _, plan)| plan.is_some()).count();
    assert!(plans > 3 && before.keys().any(|(_, _, plan)| plan.is_none()), "{before:?}");
    // The plan of some subscriptions turns out to have been another one from some day on, and that of others is not known.
    let plan = "(SELECT v.id FROM product_versions v ORDER BY v.id LIMIT 1)";
    for (plan, order) in [(plan, "id"), ("NULL", "id DESC")] {
        let other = format!(
            "INSERT INTO subscription_versions (id, account_id, subscription_id, effective_at, recorded_at, status, paused, \
             product_version_id, items, currency, arr_minor, discounted_arr_minor, cause) \
             SELECT (SELECT p.id FROM payments p WHERE p.subscription_id = s.id ORDER BY p.id LIMIT 1), s.account_id, s.id, \
             (SELECT MAX(p.paid_at) FROM payments p WHERE p.subscription_id = s.id), s.updated_at, 'active', FALSE, \
             {plan}, '[]', 'EUR', 1, 1, 'test' FROM subscriptions s WHERE s.first_paid_at IS NOT NULL ORDER BY s.{order} LIMIT 15"
        );
        sql::execute(db, &other).await;
    }
    let after = compare(test, db, "with another history").await;
    assert_ne!(after, before);
    make(test, db).await;
    assert_eq!(compare(test, db, "with another history, after the job").await, after);
}

async fn a_refund_is_on_its_own_day_and_of_the_plan_of_its_payment(test: &Company<60>) {
    let db = test.db();
    // The refund comes months after the payment, when the subscription has another plan.
    let payment = "SELECT p.* FROM payments p JOIN refunds r ON r.payment_id = p.id AND r.status = 'processed' \
        WHERE p.subscription_id IS NOT NULL AND p.status = 'succeeded' ORDER BY p.id LIMIT 1";
    let payment = sql::models::<payments::Model>(db, payment).await.remove(0);
    let plan = Plans::read(db).await.of_payment(&payment);
    let late = "UPDATE refunds SET processed_at = '2026-01-03T23:59:59.999999+00:00' WHERE payment_id = $1";
    sql::rows(db, late, [payment.id.into()]).await;
    let changed = "INSERT INTO subscription_versions (id, account_id, subscription_id, effective_at, recorded_at, status, \
        paused, items, cause) SELECT r.id, r.account_id, $1, '2026-01-02T00:00:00+00:00', r.created_at, 'active', FALSE, \
        '[]', 'test' FROM refunds r WHERE r.payment_id = $2 ORDER BY r.id LIMIT 1";
    sql::rows(db, changed, [payment.subscription_id.into(), payment.id.into()]).await;
    let (from, to) = (day("2026-01-03"), day("2026-01-04"));
    let row = asked(test, from, to, "DAY").await[&(from, payment.currency.clone(), plan)];
    assert!(row[4] > 0 && row[5] > 0, "{row:?}");
    // Nobody but analysts sees it.
    let query = "{ analytics { revenueByPlan(from: \"2026-01-01\", to: \"2026-02-01\") { startsOn } } }";
    assert_eq!(test.user("user_1").code(query, json!({})).await, "FORBIDDEN");
    let query = query.replace("2026-02-01", "2026-01-01");
    assert_eq!(test.admin().code(&query, json!({})).await, "BAD_USER_INPUT");
}
