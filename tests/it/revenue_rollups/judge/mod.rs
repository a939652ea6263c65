//! The judge of revenue: a generated company over 24 months, whose facts arrive late, repeated and in any order, against an
//! independent reckoning from the raw facts in exact fractions.

mod deliveries;
mod lives;
mod reckoning;
mod rows;

use super::model::Book;
use super::{asked, day, expected, make, number, rates, rollups};
use crate::commands::done;
use crate::support::company::local_id;
use crate::support::{SECRET, Subject, TestApp, TestDatabase, both_engines};
use chrono::{Days, NaiveDate};
use lives::{BEGIN, DAY, Life, NOW, PLANS, lives};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reckoning::{Cash, book, cash, day_of, recurring};
use rows::Arrivals;
use sea_orm::DbBackend;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

both_engines!(a_company_of_two_years_has_the_figures_of_an_independent_reckoning,);

/// The number of customers. CI judges 5,000.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
fn size() -> usize {
    let asked = std::env::var("TOLLGATE_TEST_REVENUE_CUSTOMERS").ok();
    asked.map_or(250, |asked| asked.parse().expect("TOLLGATE_TEST_REVENUE_CUSTOMERS is a number"))
}

/// A Tollgate whose requests may take long: the program of the tests is not optimised, and thousands of customers are marked.
struct Court(TestApp);

impl Subject for Court {
    async fn start(database: &TestDatabase) -> Self {
        let settings = [
            ("TOLLGATE_DATABASE_URL", database.url()),
            ("TOLLGATE_DATABASE_MAX_CONNECTIONS", "4"),
            ("TOLLGATE_JWT_HS256_SECRET", SECRET),
            ("TOLLGATE_REQUEST_TIMEOUT_MS", "300000"),
            ("TOLLGATE_DATABASE_STATEMENT_TIMEOUT_MS", "300000"),
        ];
        Court(TestApp::configured(&settings).await)
    }

    async fn finish(self) {
        self.0.finish().await;
    }
}

const POLICIES: [&str; 2] = ["FOREVER_ONLY", "ALL_ACTIVE"];

async fn a_company_of_two_years_has_the_figures_of_an_independent_reckoning(court: &Court) {
    let test = &court.0;
    let db = test.app.db.schema();
    // One company on both engines, whose facts arrive in different orders.
    let arrival = if db.get_database_backend() == DbBackend::Sqlite { 1 } else { 2 };
    let lives = lives(size(), 7, true);
    let books = [false, true].map(|every_discount| book(&lives, every_discount));
    assert!(super::KINDS.iter().all(|kind| books[0].values().flatten().any(|movement| movement.kind == *kind)));
    let mut arrivals = Arrivals::new(db, &lives, &[0.5, 0.93], arrival).await;
    for _ in 0..2 {
        arrivals.next(db).await.unwrap();
        make(test, db).await;
    }
    // The last facts: before the job has made their rows, and after.
    arrivals.next(db).await.unwrap();
    let whole = (day_of(BEGIN), day_of(NOW) + Days::new(1));
    for (policy, book) in POLICIES.into_iter().zip(&books) {
        assert_eq!(asked(test, whole.0, whole.1, "MONTH", policy).await, expected(book, whole.0, whole.1, "MONTH"));
    }
    rates::compare(test, &books, day("2025-02-01"), day("2025-03-01")).await;
    compare_cash(test, &lives).await;
    make(test, db).await;
    compare_movements(test, &books, whole).await;
    let mut known = 0;
    for (from, to) in [
        ("2024-02-29", "2024-03-01"),
        ("2024-01-01", "2024-02-01"),
        ("2025-12-01", "2026-01-01"),
        ("2024-11-15", "2025-01-10"),
        ("2025-06-01", "2026-01-16"),
    ] {
        known += rates::compare(test, &books, day(from), day(to)).await;
    }
    assert!(known > 150, "{known} rates have a value");
    compare_instants(test, &lives, true).await;
    compare_cash(test, &lives).await;
    compare_trials(test, &lives).await;
    let made = rollups(db).await;
    let out = done(test, &["analytics", "rebuild"], &[]);
    for rows in [" customers, 0 movements", " days, 0 rows of cash", "         0  other sums"] {
        assert!(out.contains(&format!("{rows} corrected\n")), "{out}");
    }
    assert!(rollups(db).await == made, "a rebuild makes the rows of the job");
}

/// Movements by every period, and over ranges at random, each of which leads from its start to its end.
async fn compare_movements(test: &TestApp, books: &[Book; 2], (first, last): (NaiveDate, NaiveDate)) {
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let days = u64::try_from((last - first).num_days()).unwrap();
    for (policy, book) in POLICIES.into_iter().zip(books) {
        for period in ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "RANGE"] {
            let wanted = expected(book, first, last, period);
            assert_eq!(asked(test, first, last, period, policy).await, wanted, "{period} {policy}");
        }
        for _ in 0..20 {
            let from = first + Days::new(dice.random_range(0..days));
            let to = from + Days::new(dice.random_range(1..400));
            let wanted = expected(book, from, to.min(last), "RANGE");
            assert_eq!(asked(test, from, to, "RANGE", policy).await, wanted, "{from} {to} {policy}");
        }
    }
}

const INSTANT: &str = "query($at: DateTime!, $discounts: DiscountPolicy!) { analytics {
    recurringRevenue(asOf: $at, discounts: $discounts) {
        currency mrr { amount } arr { amount } subscriptionCount customerCount
    }
    recurringRevenueByPlan(asOf: $at, discounts: $discounts) { currency plan { id } recurring { arr { amount } } }
    subscriptionCounts(asOf: $at) { status subscriptionCount }
} }";

/// Recurring revenue and counts at instants at random; and that all plans are known, if they are.
async fn compare_instants(test: &TestApp, lives: &[Life], are_plans_known: bool) {
    let mut dice = ChaCha8Rng::seed_from_u64(5);
    for (every_discount, policy) in POLICIES.into_iter().enumerate() {
        for _ in 0..6 {
            let at = dice.random_range(BEGIN + 30 * DAY..NOW);
            let variables = json!({"at": rows::at(at).to_rfc3339(), "discounts": policy});
            let data = test.admin().data(INSTANT, variables).await["analytics"].take();
            let wanted = recurring(lives, at, every_discount == 1);
            let mut found = BTreeMap::new();
            for row in data["recurringRevenue"].as_array().unwrap() {
                let arr = number(&row["arr"]["amount"]);
                assert_eq!(number(&row["mrr"]["amount"]), (arr + 6).div_euclid(12), "{row}");
                let counts = (arr, number(&row["subscriptionCount"]), number(&row["customerCount"]));
                found.insert(row["currency"].as_str().unwrap().to_owned(), counts);
            }
            assert_eq!(found, wanted, "{at} {policy}");
            let mut by_plan: BTreeMap<&str, i64> = BTreeMap::new();
            for row in data["recurringRevenueByPlan"].as_array().unwrap() {
                assert!(!are_plans_known || !row["plan"].is_null(), "{row}");
                *by_plan.entry(row["currency"].as_str().unwrap()).or_default() +=
                    number(&row["recurring"]["arr"]["amount"]);
            }
            assert!(wanted.iter().all(|(currency, sums)| by_plan[&**currency] == sums.0), "{by_plan:?} {wanted:?}");
            let mut statuses: BTreeMap<String, i64> = BTreeMap::new();
            for state in lives.iter().flat_map(|life| &life.contracts).filter_map(|contract| contract.state(at)) {
                *statuses.entry(state.status.to_uppercase()).or_default() += 1;
            }
            let rows = data["subscriptionCounts"].as_array().unwrap().iter();
            let shown = rows.map(|row| (row["status"].as_str().unwrap().to_owned(), number(&row["subscriptionCount"])));
            assert_eq!(shown.collect::<BTreeMap<_, _>>(), statuses, "{at}");
        }
    }
}

const CASH: &str = "query($from: Date!, $to: Date!) { analytics { revenueByPlan(from: $from, to: $to) {
    startsOn plan { id } gross { amount currency } paymentCount fees { amount } unknownFeeCount refunded { amount }
    refundCount
} revenue(from: $from, to: $to, period: MONTH) {
    startsOn gross { amount currency } paymentCount fees { amount } unknownFeeCount refunded { amount } refundCount
} } }";

/// Cash by month and plan, and by month alone.
async fn compare_cash(test: &TestApp, lives: &[Life]) {
    let range = json!({"from": day_of(BEGIN), "to": day_of(NOW) + Days::new(1)});
    let data = test.admin().data(CASH, range).await["analytics"].take();
    let plans: BTreeMap<Uuid, usize> = (0..PLANS.len()).map(|plan| (rows::product(plan), plan)).collect();
    let figures = |row: &Value| -> Cash {
        let amount = |field: &str| number(&row[field]["amount"]);
        let count = |field: &str| number(&row[field]);
        [
            amount("gross"),
            count("paymentCount"),
            amount("fees"),
            count("unknownFeeCount"),
            amount("refunded"),
            count("refundCount"),
        ]
    };
    let key =
        |row: &Value| (day(row["startsOn"].as_str().unwrap()), row["gross"]["currency"].as_str().unwrap().to_owned());
    let read = |row: &Value| ((key(row).0, key(row).1, plans[&local_id(&row["plan"]["id"])]), figures(row));
    let wanted = cash(lives);
    let found: BTreeMap<_, Cash> = data["revenueByPlan"].as_array().unwrap().iter().map(read).collect();
    assert_eq!(found, wanted);
    let mut totals: BTreeMap<(NaiveDate, String), Cash> = BTreeMap::new();
    for ((month, currency, _), sums) in wanted {
        totals.entry((month, currency)).or_default().iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
    }
    let found: BTreeMap<_, Cash> =
        data["revenue"].as_array().unwrap().iter().map(|row| (key(row), figures(row))).collect();
    assert_eq!(found, totals);
}

const TRIALS: &str = "query($from: Date!, $to: Date!) { analytics { trialCohorts(from: $from, to: $to) {
    startsOn startedCount convertedCount runningCount pendingPaymentCount lostCount
} } }";

/// Trials by month: started, converted, running, pending and lost.
async fn compare_trials(test: &TestApp, lives: &[Life]) {
    let contracts = || lives.iter().flat_map(|life| &life.contracts);
    let mut wanted: BTreeMap<NaiveDate, [i64; 5]> = BTreeMap::new();
    for contract in contracts() {
        let Some(start) = contract.trial_start else { continue };
        let owner = contract.states.last().unwrap().owner;
        let own = contracts().filter(|other| other.states[0].owner == owner).flat_map(|other| &other.payments);
        let paid = own.into_iter().any(|payment| payment.succeeded && payment.at >= start);
        let place = match contract.states.last().unwrap().status {
            _ if paid => 1,
            "trialing" => 2,
            "past_due" => 3,
            _ => 4,
        };
        let row = wanted.entry(super::month(day_of(start))).or_default();
        (row[0], row[place]) = (row[0] + 1, row[place] + 1);
    }
    let range = json!({"from": day_of(BEGIN), "to": day_of(NOW) + Days::new(1)});
    let data = test.admin().data(TRIALS, range).await["analytics"]["trialCohorts"].take();
    let fields = ["started", "converted", "running", "pendingPayment", "lost"];
    let read = |row: &Value| {
        (day(row["startsOn"].as_str().unwrap()), fields.map(|field| number(&row[format!("{field}Count")])))
    };
    assert_eq!(data.as_array().unwrap().iter().map(read).collect::<BTreeMap<_, _>>(), wanted);
}
