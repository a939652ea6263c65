//! Credits sold, granted, spent, expired and outstanding: sums over all accounts, whenever a job ran.

use crate::support::company::{global_id, local_id};
use crate::support::credits::{account, grant, number, unit};
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta};
use entity::{accounts, credit_grants, ledger_entries, ledger_txns};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tollgate::auth::{Permission, Viewer};
use tollgate::credits::{Note, Request, change_all};
use uuid::Uuid;

both_engines!(
    summaries_equal_those_of_an_independent_model,
    each_flow_is_counted_once_on_its_day,
    callers_without_analytics_have_no_summaries,
);

const QUERY: &str = "query($from: Date!, $to: Date!) { analytics { creditSummaries(from: $from, to: $to) {
    unit { id code } start { ...standing } sold granted spent expired revoked end { ...standing }
} } }
fragment standing on CreditStanding { outstanding available held owed }";

/// Available, held and owed at the start; sold, granted, spent, expired and revoked; available, held and owed at the end.
type Row = [i64; 11];

/// Asks for the summaries, by the id of the unit.
async fn asked(test: &TestApp, from: NaiveDate, to: NaiveDate) -> BTreeMap<Uuid, Row> {
    let data = test.admin().data(QUERY, json!({"from": from, "to": to})).await;
    let rows = data["analytics"]["creditSummaries"].as_array().unwrap();
    let read = |row: &Value| {
        let standing = |side: &str| ["available", "held", "owed"].map(|field| number(&row[side][field]));
        let outstanding = |side: &str| number(&row[side]["outstanding"]);
        let (start, end) = (standing("start"), standing("end"));
        for (side, [available, held, owed]) in [("start", start), ("end", end)] {
            assert_eq!(outstanding(side), available + held - owed, "{row}");
        }
        let flows = ["sold", "granted", "spent", "expired", "revoked"].map(|field| number(&row[field]));
        let change = flows[0] + flows[1] - flows[2] - flows[3] - flows[4];
        assert_eq!(outstanding("start") + change, outstanding("end"), "{row}");
        let figures = start.into_iter().chain(flows).chain(end).collect::<Vec<_>>();
        (local_id(&row["unit"]["id"]), figures.try_into().unwrap())
    };
    rows.iter().map(read).collect()
}

fn midnight(day: NaiveDate) -> DateTime<FixedOffset> {
    day.and_time(NaiveTime::MIN).and_utc().fixed_offset()
}

/// The balances after the last entries before an instant, added up by unit and bucket.
fn balances(entries: &[ledger_entries::Model], at: DateTime<FixedOffset>) -> BTreeMap<Uuid, HashMap<String, i64>> {
    let mut last: HashMap<(Uuid, Uuid, &str), (i64, i64)> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.effective_at.unwrap() < at) {
        let newest = last.entry((entry.account_id, entry.credit_unit_id, &*entry.bucket)).or_default();
        *newest = (*newest).max((entry.seq, entry.balance_after));
    }
    let mut sums: BTreeMap<Uuid, HashMap<String, i64>> = BTreeMap::new();
    for ((_, unit, bucket), (_, balance)) in last {
        *sums.entry(unit).or_default().entry(bucket.to_owned()).or_default() += balance;
    }
    sums
}

/// Returns the summaries by the rows of the ledger, which must be settled.
async fn expected(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate) -> BTreeMap<Uuid, Row> {
    let entries = sql::models::<ledger_entries::Model>(db, "SELECT * FROM ledger_entries").await;
    let bought = "SELECT * FROM credit_grants WHERE source = 'purchase'";
    let bought = sql::models::<credit_grants::Model>(db, bought).await;
    let transfers = sql::models::<ledger_txns::Model>(db, "SELECT * FROM ledger_txns WHERE kind = 'transfer'").await;
    let [start, end] = [from, to].map(|day| balances(&entries, midnight(day)));
    let mut rows = BTreeMap::new();
    for unit in entries.iter().map(|entry| entry.credit_unit_id) {
        let at = |sums: &BTreeMap<Uuid, HashMap<String, i64>>, bucket: &str| {
            sums.get(&unit).and_then(|buckets| buckets.get(bucket)).copied().unwrap_or_default()
        };
        let change = |bucket: &str| at(&end, bucket) - at(&start, bucket);
        let sold = entries.iter().filter(|entry| entry.credit_unit_id == unit && entry.bucket == "issued");
        let sold = sold.filter(|entry| (midnight(from)..midnight(to)).contains(&entry.effective_at.unwrap()));
        let sold = sold.filter(|entry| bought.iter().any(|grant| Some(grant.id) == entry.grant_id));
        let sold = sold.filter(|entry| transfers.iter().all(|txn| txn.id != entry.txn_id));
        let sold = -sold.map(|entry| entry.amount).sum::<i64>();
        let row = [
            at(&start, "available"),
            at(&start, "held"),
            -at(&start, "owed"),
            sold,
            -change("issued") - sold,
            change("spent"),
            change("expired"),
            change("revoked"),
            at(&end, "available"),
            at(&end, "held"),
            -at(&end, "owed"),
        ];
        rows.insert(unit, row);
    }
    rows
}

async fn summaries_equal_those_of_an_independent_model(test: &Company<80>) {
    let db = test.db();
    // Time passes without a job: credits expire, and allowances are due.
    test.advance(TimeDelta::days(47));
    let today = test.app.now().date_naive();
    let ranges = [(120, 60), (60, 30), (30, 10), (400, 0), (47, 46), (3_000, 1), (2, -1), (0, -40), (-3, -9)];
    let ranges = ranges.map(|(from, to): (i64, i64)| (today - TimeDelta::days(from), today - TimeDelta::days(to)));
    let mut answers = Vec::new();
    for (from, to) in ranges {
        answers.push(asked(test, from, to).await);
    }
    let due = "SELECT COUNT(*) FROM balances WHERE next_due_at IS NOT NULL";
    assert!(sql::number(db, due).await > 0);
    let before = sql::number(db, "SELECT COUNT(*) FROM ledger_entries").await;
    test.run_jobs().await;
    assert!(sql::number(db, "SELECT COUNT(*) FROM ledger_entries").await > before, "time brought changes");
    let mut all = [0; 11];
    for ((from, to), answer) in ranges.into_iter().zip(answers) {
        let tomorrow = today + Days::new(1);
        let wanted = expected(db, from.min(tomorrow), to.min(tomorrow)).await;
        assert_eq!(answer, wanted, "{from} {to} before the jobs");
        assert_eq!(asked(test, from, to).await, wanted, "{from} {to} after the jobs");
        for row in wanted.values() {
            all.iter_mut().zip(row).for_each(|(sum, figure)| *sum += figure.abs());
        }
    }
    let [_, _, _, sold, granted, spent, expired, ..] = all;
    assert!([sold, granted, spent, expired].iter().all(|sum| *sum > 0), "{all:?}");
}

async fn each_flow_is_counted_once_on_its_day(test: &TestApp) {
    let viewer = Viewer::system("test");
    unit(test, "credit").await;
    let alice = account(test, "alice").await;
    let alice_id = local_id(&json!(alice));
    let owner = accounts::Entity::find_by_id(alice_id).one(test.app.db.read()).await.unwrap().unwrap().owner_id;
    let team = accounts::ActiveModel {
        id: Set(test.app.new_id()),
        kind: Set("team".to_owned()),
        owner_id: Set(owner),
        created_at: Set(test.app.now().fixed_offset()),
        ..Default::default()
    };
    let team_id = accounts::Entity::insert(team).exec_with_returning(test.app.db.schema()).await.unwrap().id;
    let team = global_id("Account", team_id);
    let first = test.app.now().date_naive();
    let in_time = |days: i64| (test.app.now() + TimeDelta::days(days)).to_rfc3339();
    grant(test, &alice, 1_000, json!({"expiresAt": in_time(10)})).await;
    grant(test, &team, 500, json!({"startsAt": in_time(2)})).await;
    let run = async |request: Request, key: &str| {
        let done = change_all(&test.app, &viewer, vec![Ok((request, Note::default(), key.to_owned()))]).await.unwrap();
        done.into_iter().next().unwrap().unwrap()
    };
    let spend = |amount| Request::Spend { account_id: alice_id, unit: "credit".to_owned(), amount };
    let spent = run(spend(300), "spend").await;
    run(spend(40), "more").await;
    let moved =
        Request::Transfer { account_id: alice_id, to_account_id: team_id, unit: "credit".to_owned(), amount: 100 };
    run(moved, "transfer").await;
    grant(test, &team, 70, json!({"reason": "a mistake"})).await;
    let mistake = "SELECT txn_id FROM ledger_entries WHERE bucket = 'issued' AND amount = -70";
    let transaction_id = sql::ids(test.app.db.read(), mistake, []).await[0];
    run(Request::Reverse { transaction_id }, "mistake").await;
    test.advance(TimeDelta::days(1));
    run(Request::Reverse { transaction_id: spent.transaction_id.unwrap() }, "undo").await;
    run(Request::Hold { account_id: alice_id, unit: "credit".to_owned(), amount: 60, expires_at: None }, "hold").await;
    test.advance(TimeDelta::days(30));
    let row = async |from: u64, to: u64| {
        asked(test, first + Days::new(from), first + Days::new(to)).await.into_values().next().unwrap()
    };
    for stage in 0..2 {
        // The transfer is not granted again, and the reversal is on its own day.
        assert_eq!(row(0, 1).await, [0, 0, 0, 0, 1_070, 340, 0, 70, 660, 0, 0], "{stage}");
        assert_eq!(row(1, 2).await[3..8], [0, 0, -300, 0, 0], "{stage}");
        // A grant counts when it begins.
        assert_eq!(row(2, 3).await[3..8], [0, 500, 0, 0, 0], "{stage}");
        // On the tenth day the credits of Alice that are left, and those that the team has of her, expire.
        let whole = row(0, 40).await;
        assert_eq!(whole[..8], [0, 0, 0, 0, 1_570, 40, 960, 70], "{stage}");
        assert_eq!(whole[8] + whole[9], 500, "{stage}");
        test.run_jobs().await;
    }
}

async fn callers_without_analytics_have_no_summaries(test: &TestApp) {
    let field = "creditSummaries(from: \"2026-01-01\", to: \"2026-02-01\") { sold }";
    let query = format!("{{ analytics {{ {field} }} }}");
    let reply = test.user("alice").post(&query, json!({})).await.json();
    assert_eq!(reply["errors"][0]["extensions"]["code"], "FORBIDDEN");
    // Figures need no permission to see accounts, and there is no row before there are credits.
    let data = test.service(&[Permission::AnalyticsRead]).data(&query, json!({})).await;
    assert_eq!(data["analytics"]["creditSummaries"], json!([]));
    let reply = test.admin().post(&query.replace("2026-02-01", "2026-01-01"), json!({})).await.json();
    assert_eq!(reply["errors"][0]["message"], "The range must be 1 to 3,700 days long.");
}
