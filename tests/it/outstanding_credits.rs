//! Credits in the hands of accounts by source and currency: the part that was paid for, at any instant, whenever a job ran.

use crate::support::company::{global_id, local_id};
use crate::support::credits::{account, grant, number, unit};
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{DateTime, FixedOffset, TimeDelta};
use entity::{accounts, credit_grants, ledger_entries, payments};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tollgate::auth::{Permission, Viewer};
use tollgate::credits::{Note, Request, change_all};
use uuid::Uuid;

both_engines!(
    outstanding_credits_equal_those_of_an_independent_model,
    bought_credits_stay_bought_wherever_they_go,
    callers_without_analytics_see_no_outstanding_credits,
);

const QUERY: &str = "query($at: DateTime) { analytics { outstandingCredits(asOf: $at) {
    unit { id } source currency outstanding paid { amount currency } unpriced
} } }";

/// The unit, the source and the currency.
type Key = (Uuid, String, Option<String>);

/// Outstanding, paid and unpriced.
type Row = (i64, Option<i64>, i64);

async fn asked(test: &TestApp, at: DateTime<FixedOffset>) -> BTreeMap<Key, Row> {
    let data = test.admin().data(QUERY, json!({"at": at.to_rfc3339()})).await;
    let rows = data["analytics"]["outstandingCredits"].as_array().unwrap();
    let read = |row: &Value| {
        let currency = row["currency"].as_str().map(str::to_owned);
        let paid = row["paid"].get("amount").map(|amount| {
            assert_eq!(row["paid"]["currency"], row["currency"]);
            number(amount)
        });
        let key = (local_id(&row["unit"]["id"]), row["source"].as_str().unwrap().to_owned(), currency);
        (key, (number(&row["outstanding"]), paid, number(&row["unpriced"])))
    };
    let found: BTreeMap<Key, Row> = rows.iter().map(read).collect();
    assert_eq!(found.len(), rows.len(), "one row for each unit, source and currency");
    found
}

/// The figures by the entries of every grant, which must be settled.
async fn expected(db: &DatabaseConnection, at: DateTime<FixedOffset>) -> BTreeMap<Key, Row> {
    let grants = sql::models::<credit_grants::Model>(db, "SELECT * FROM credit_grants").await;
    let payments = sql::models::<payments::Model>(db, "SELECT * FROM payments").await;
    let payments: HashMap<Uuid, &payments::Model> = payments.iter().map(|payment| (payment.id, payment)).collect();
    let mut held: HashMap<Uuid, i64> = HashMap::new();
    for entry in sql::models::<ledger_entries::Model>(db, "SELECT * FROM ledger_entries").await {
        if matches!(&*entry.bucket, "available" | "held") && entry.effective_at.unwrap() <= at {
            *held.entry(entry.grant_id.expect("credits are of a grant")).or_default() += entry.amount;
        }
    }
    // Credits of one price, which are rounded together.
    let mut prices: BTreeMap<(Key, Option<(i64, i64)>), i64> = BTreeMap::new();
    for grant in &grants {
        let payment = grant.payment_id.filter(|_| grant.source == "purchase").map(|id| payments[&id]);
        let key = (grant.credit_unit_id, grant.source.to_uppercase(), payment.map(|payment| payment.currency.clone()));
        let others = grants.iter().filter(|other| other.source == "purchase" && other.payment_id == grant.payment_id);
        let alone = others.count() == 1;
        let priced = payment.filter(|payment| alone && payment.stream == "credits" && payment.status == "succeeded");
        let price = priced.map(|payment| (payment.received_minor, grant.amount));
        *prices.entry((key, price)).or_default() += held.get(&grant.id).copied().unwrap_or_default();
    }
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for ((key, price), credits) in prices.into_iter().filter(|(_, credits)| *credits != 0) {
        let bought = key.1 == "PURCHASE";
        let row = rows.entry(key.clone()).or_insert((0, (bought && key.2.is_some()).then_some(0), 0));
        row.0 += credits;
        match price {
            Some((received, of)) => *row.1.as_mut().unwrap() += (2 * credits * received + of) / (2 * of),
            None => row.2 += if bought { credits } else { 0 },
        }
    }
    rows
}

async fn outstanding_credits_equal_those_of_an_independent_model(test: &Company<80>) {
    let db = test.db();
    // Time passes without a job: credits expire, and allowances are due.
    test.advance(TimeDelta::days(47));
    let now = test.app.now().fixed_offset();
    let instants = [0, 1, 20, 46, 48, 100, 300].map(|days| now - TimeDelta::days(days));
    let mut answers = Vec::new();
    for at in instants {
        answers.push(asked(test, at).await);
    }
    assert_eq!(asked(test, now + TimeDelta::days(9)).await, answers[0], "nothing is foretold");
    test.run_jobs().await;
    let mut sources: Vec<String> = Vec::new();
    for (at, answer) in instants.into_iter().zip(answers) {
        let wanted = expected(db, at).await;
        assert_eq!(answer, wanted, "{at} before the jobs");
        assert_eq!(asked(test, at).await, wanted, "{at} after the jobs");
        sources.extend(wanted.into_keys().map(|(_, source, currency)| format!("{source} {}", currency.is_some())));
    }
    for source in ["PURCHASE true", "PLAN false"] {
        assert!(sources.iter().any(|known| known == source), "{sources:?}");
    }
    // They are the credits in hand of the summaries.
    let today = test.app.now().date_naive();
    let query = "query($from: Date!, $to: Date!) { analytics { creditSummaries(from: $from, to: $to) {
        unit { id } end { available held } } } }";
    let data = test.admin().data(query, json!({"from": today, "to": today + TimeDelta::days(1)})).await;
    let mut held: BTreeMap<Uuid, i64> = BTreeMap::new();
    for ((unit, ..), (outstanding, ..)) in asked(test, now).await {
        *held.entry(unit).or_default() += outstanding;
    }
    for row in data["analytics"]["creditSummaries"].as_array().unwrap() {
        let end = number(&row["end"]["available"]) + number(&row["end"]["held"]);
        assert_eq!(held.get(&local_id(&row["unit"]["id"])).copied().unwrap_or_default(), end, "{row}");
    }
}

/// Makes a grant into one that was bought by a payment.
async fn buy(test: &TestApp, account_id: Uuid, grants: &[Uuid], received: i64, currency: &str) {
    let id = test.app.new_id();
    let now = test.app.now().fixed_offset();
    let payment = payments::ActiveModel {
        id: Set(id),
        account_id: Set(account_id),
        provider: Set("stripe".to_owned()),
        external_id: Set(id.to_string()),
        stream: Set("credits".to_owned()),
        status: Set("succeeded".to_owned()),
        currency: Set(currency.to_owned()),
        amount_minor: Set(received),
        refunded_minor: Set(0),
        paid_at: Set(Some(now)),
        created_at: Set(now),
        received_minor: Set(received),
        disputed: Set(false),
        failed_attempts: Set(0),
        ..Default::default()
    };
    payments::Entity::insert(payment).exec_without_returning(test.app.db.schema()).await.unwrap();
    for grant in grants {
        let sql = "UPDATE credit_grants SET source = 'purchase', payment_id = $1 WHERE id = $2";
        sql::rows(test.app.db.schema(), sql, [id.into(), (*grant).into()]).await;
    }
}

async fn bought_credits_stay_bought_wherever_they_go(test: &TestApp) {
    let viewer = Viewer::system("test");
    unit(test, "credit").await;
    let alice = account(test, "alice").await;
    let alice_id = local_id(&json!(alice));
    let owner = accounts::Entity::find_by_id(alice_id).one(test.app.db.read()).await.unwrap().unwrap().owner_id;
    let mut teams = Vec::new();
    for _ in 0..2 {
        let team = accounts::ActiveModel {
            id: Set(test.app.new_id()),
            kind: Set("team".to_owned()),
            owner_id: Set(owner),
            created_at: Set(test.app.now().fixed_offset()),
            ..Default::default()
        };
        teams.push(accounts::Entity::insert(team).exec_with_returning(test.app.db.schema()).await.unwrap().id);
    }
    let given = async |account: &str, amount: i64, more: Value| {
        local_id(&grant(test, account, amount, more).await["creditGrant"]["id"])
    };
    let run = async |request: Request, key: &str| {
        let done = change_all(&test.app, &viewer, vec![Ok((request, Note::default(), key.to_owned()))]).await.unwrap();
        done.into_iter().next().unwrap().unwrap();
    };
    let expiry = (test.app.now() + TimeDelta::days(30)).to_rfc3339();
    // 1,000 for 9.99 euros, which are spent first, as they expire.
    let pack = given(&alice, 1_000, json!({"expiresAt": expiry})).await;
    buy(test, alice_id, &[pack], 999, "EUR").await;
    given(&alice, 70, json!({"reason": "a promotion"})).await;
    let bought = test.app.now();
    test.advance(TimeDelta::days(1));
    run(Request::Spend { account_id: alice_id, unit: "credit".to_owned(), amount: 499 }, "spend").await;
    let unit_id = sql::ids(test.app.db.read(), "SELECT id FROM credit_units", []).await[0];
    let (eur, admin) = ((unit_id, "PURCHASE".to_owned(), Some("EUR".to_owned())), (unit_id, "ADMIN".to_owned(), None));
    // 501 of 1,000 for 999 are 500.499.
    let wanted = BTreeMap::from([(eur.clone(), (501, Some(500), 0)), (admin.clone(), (70, None, 0))]);
    assert_eq!(asked(test, test.app.now().fixed_offset()).await, wanted);
    // Reserved, and moved twice.
    run(Request::Hold { account_id: alice_id, unit: "credit".to_owned(), amount: 60, expires_at: None }, "hold").await;
    let pass = |account_id, to_account_id, amount| Request::Transfer {
        account_id,
        to_account_id,
        unit: "credit".to_owned(),
        amount,
    };
    run(pass(alice_id, teams[0], 200), "first").await;
    run(pass(teams[0], teams[1], 150), "second").await;
    assert_eq!(asked(test, test.app.now().fixed_offset()).await, wanted);
    // Two grants of one payment: what each cost is not known.
    let both = [given(&alice, 5, json!({})).await, given(&alice, 6, json!({})).await];
    buy(test, alice_id, &both, 300, "USD").await;
    let usd = (unit_id, "PURCHASE".to_owned(), Some("USD".to_owned()));
    let more: BTreeMap<Key, Row> =
        wanted.iter().map(|(key, row)| (key.clone(), *row)).chain([(usd.clone(), (11, Some(0), 11))]).collect();
    assert_eq!(asked(test, test.app.now().fixed_offset()).await, more);
    // As of the day of the purchase, when nothing was spent.
    let before = BTreeMap::from([(eur, (1_000, Some(999), 0)), (admin.clone(), (70, None, 0))]);
    assert_eq!(asked(test, bought.fixed_offset()).await, before);
    // Credits that expire are owed to nobody.
    test.advance(TimeDelta::days(40));
    let left = BTreeMap::from([(usd, (11, Some(0), 11)), (admin, (70, None, 0))]);
    assert_eq!(asked(test, test.app.now().fixed_offset()).await, left);
    test.run_jobs().await;
    assert_eq!(asked(test, test.app.now().fixed_offset()).await, left);
    assert_eq!(global_id("Account", alice_id), alice);
}

async fn callers_without_analytics_see_no_outstanding_credits(test: &TestApp) {
    let query = "{ analytics { outstandingCredits { outstanding } } }";
    assert_eq!(test.user("alice").code(query, json!({})).await, "FORBIDDEN");
    let data = test.service(&[Permission::AnalyticsRead]).data(query, json!({})).await;
    assert_eq!(data["analytics"]["outstandingCredits"], json!([]));
}
