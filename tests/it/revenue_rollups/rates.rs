//! Rates and cohorts, computed from the book of movements alone.

use super::model::{Book, Movement, standing};
use super::{arrive_late, books, day, make, number};
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{Days, Months, NaiveDate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::subscriptions::Exact;

both_engines!(
    rates_and_cohorts_equal_those_of_an_independent_model,
    rates_without_a_base_are_null,
    days_after_today_change_nothing,
);

const RATES: &str = "query($from: Date!, $to: Date!, $discounts: DiscountPolicy!) { analytics {
    rates(from: $from, to: $to, discounts: $discounts) {
        currency start { customerCount } logoChurn grossRetention netRetention grossRevenueChurn netRevenueChurn
        quickRatio averageRevenueMinor lifetimeValueMinor
    }
    months: cohorts(from: $from, to: $to, discounts: $discounts) { ...cohort }
    weeks: cohorts(from: $from, to: $to, period: WEEK, discounts: $discounts) { ...cohort }
} }
fragment cohort on RevenueCohort {
    startsOn currency customerCount arr { amount } periods {
        number customerCount arr { amount } logoRetention revenueRetention
    }
}";

const FIELDS: [&str; 8] = [
    "logoChurn",
    "grossRetention",
    "netRetention",
    "grossRevenueChurn",
    "netRevenueChurn",
    "quickRatio",
    "averageRevenueMinor",
    "lifetimeValueMinor",
];

/// A fraction; `None` for one whose denominator is zero.
fn part(numerator: i64, denominator: i64) -> Option<Exact> {
    (denominator != 0).then(|| Exact::new(numerator.into(), denominator.into()))
}

/// The annual amounts of the customers of a currency at the end of the day before `day`.
fn of(book: &Book, currency: &str, day: NaiveDate) -> BTreeMap<uuid::Uuid, i64> {
    let all = standing(book, day).into_iter().filter(|((_, own), _)| own == currency);
    all.map(|((account, _), arr)| (account, arr)).collect()
}

/// The logo churn of a range: those who paid at the start and do not at the end, and all who paid at the start.
fn logo(book: &Book, currency: &str, from: NaiveDate, to: NaiveDate) -> (i64, i64) {
    let (start, end) = (of(book, currency, from), of(book, currency, to));
    let lost = start.keys().filter(|account| !end.contains_key(account)).count();
    (i64::try_from(lost).unwrap(), i64::try_from(start.len()).unwrap())
}

fn expected(book: &Book, currency: &str, from: NaiveDate, to: NaiveDate) -> [Option<Exact>; 8] {
    let (start, end) = (of(book, currency, from), of(book, currency, to));
    let base: i64 = start.values().sum();
    let at_end = |account| end.get(account).copied().unwrap_or(0);
    let kept: i64 = start.iter().map(|(account, arr)| at_end(account).min(*arr)).sum();
    let later: i64 = start.keys().map(at_end).sum();
    let inside = |movement: &&Movement| from <= movement.day && movement.day < to;
    let movements = book.iter().filter(|((_, own), _)| own == currency).flat_map(|(_, movements)| movements);
    let movements: Vec<&Movement> = movements.filter(inside).collect();
    let sum = |kinds: &[&str]| -> i64 {
        movements.iter().filter(|m| kinds.contains(&m.kind)).map(|m| m.after - m.before).sum()
    };
    let (new, gained, lost) = (sum(&["new"]), sum(&["expansion", "reactivation"]), -sum(&["contraction", "churn"]));
    let (gone, all) = logo(book, currency, from, to);
    let arpa = part(end.values().sum(), 12 * i64::try_from(end.len()).unwrap());
    let this_month = super::month(to - Days::new(1));
    let months = (1..=6).map(|back| this_month - Months::new(back));
    let churns: Vec<Exact> = months
        .filter_map(|month| {
            let (gone, all) = logo(book, currency, month, month + Months::new(1));
            part(gone, all)
        })
        .collect();
    let count = i128::try_from(churns.len()).unwrap();
    let mean = (count > 0).then(|| churns.iter().sum::<Exact>() / count);
    let ltv = mean.filter(|mean| *mean.numer() > 0).and_then(|mean| Some(arpa? / mean));
    [
        part(gone, all),
        part(kept, base),
        part(later, base),
        part(lost, base),
        part(lost - gained, base),
        part(new + gained, lost),
        arpa,
        ltv,
    ]
}

/// Returns whether a decimal number is `expected`, rounded to `places`.
pub(crate) fn is_rounded(value: &Value, expected: Option<Exact>, places: u32) -> bool {
    let (Some(text), Some(expected)) = (value.as_str(), expected) else {
        return value.is_null() && expected.is_none();
    };
    let (_, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = text.replace('.', "").parse().unwrap();
    let difference = Exact::new(digits, 10_i128.pow(u32::try_from(decimals.len()).unwrap())) - expected;
    difference.max(-difference) <= Exact::new(1, 2 * 10_i128.pow(places))
}

/// Compares rates and cohorts, and returns the number of rates that are not null.
pub(super) async fn compare(test: &TestApp, books: &[Book; 2], from: NaiveDate, to: NaiveDate) -> usize {
    let mut known = 0;
    for (policy, book) in ["FOREVER_ONLY", "ALL_ACTIVE"].into_iter().zip(books) {
        let variables = json!({"from": from, "to": to, "discounts": policy});
        let data = test.admin().data(RATES, variables).await["analytics"].take();
        for row in data["rates"].as_array().unwrap() {
            let currency = row["currency"].as_str().unwrap();
            assert_eq!(number(&row["start"]["customerCount"]), logo(book, currency, from, to).1);
            for (field, expected) in FIELDS.iter().zip(expected(book, currency, from, to)) {
                let places = if field.ends_with("Minor") { 6 } else { 12 };
                assert!(is_rounded(&row[*field], expected, places), "{field} {expected:?} {from} {to} {row}");
                known += usize::from(expected.is_some());
            }
        }
        for (field, period) in [("months", "MONTH"), ("weeks", "WEEK")] {
            let begin = |day: NaiveDate| super::start(day, period, from);
            let cohorts = data[field].as_array().unwrap();
            let key = |row: &Value| (day(row["startsOn"].as_str().unwrap()), row["currency"].to_string());
            let shown: BTreeSet<_> = cohorts.iter().map(key).collect();
            let present = begin(test.app.now().date_naive());
            let wanted: BTreeSet<_> = book
                .iter()
                .map(|((_, currency), movements)| (begin(movements[0].day), format!("{currency:?}")))
                .filter(|(cohort, _)| begin(from) <= *cohort && *cohort < to && *cohort < present)
                .collect();
            assert_eq!(shown, wanted, "{period} {from} {to}");
            let mut ends = Ends::new();
            cohorts.iter().for_each(|row| compare_cohort(book, row, period, present, &mut ends));
        }
    }
    known
}

/// The annual amounts of the customers of a currency at the end of a period, by that.
type Ends = BTreeMap<(NaiveDate, String), BTreeMap<uuid::Uuid, i64>>;

/// The first day of the period after the one that begins on `start`.
fn after(start: NaiveDate, period: &str) -> NaiveDate {
    if period == "WEEK" { start + Days::new(7) } else { start + Months::new(1) }
}

fn compare_cohort(book: &Book, row: &Value, period: &str, present: NaiveDate, ends: &mut Ends) {
    let cohort = day(row["startsOn"].as_str().unwrap());
    let currency = row["currency"].as_str().unwrap();
    let members = book
        .iter()
        .filter(|((_, own), movements)| own == currency && super::start(movements[0].day, period, cohort) == cohort);
    let members: BTreeMap<_, _> = members.map(|((account, _), movements)| (*account, movements[0].after)).collect();
    let size = i64::try_from(members.len()).unwrap();
    let first: i64 = members.values().sum();
    assert_eq!((number(&row["customerCount"]), number(&row["arr"]["amount"])), (size, first));
    let mut start = cohort;
    for (place, cell) in row["periods"].as_array().unwrap().iter().enumerate() {
        assert_eq!(cell["number"], place);
        let end = ends.entry((start, currency.to_owned()));
        let end = end.or_insert_with(|| of(book, currency, after(start, period)));
        let paying: Vec<i64> = members.keys().filter_map(|account| end.get(account).copied()).collect();
        let count = i64::try_from(paying.len()).unwrap();
        assert_eq!((number(&cell["customerCount"]), number(&cell["arr"]["amount"])), (count, paying.iter().sum()));
        assert!(is_rounded(&cell["logoRetention"], part(count, size), 12), "{cell}");
        assert!(is_rounded(&cell["revenueRetention"], part(paying.iter().sum(), first), 12), "{cell}");
        start = after(start, period);
    }
    assert_eq!(start, present, "the periods that are over, and no others");
}

async fn rates_and_cohorts_equal_those_of_an_independent_model(test: &Company<120>) {
    let db = test.db();
    let today = test.app.now().date_naive();
    let ranges = [("2025-10-01", "2025-11-01"), ("2025-06-15", "2025-12-03"), ("2024-01-01", "2026-01-01")]
        .map(|(a, b)| (day(a), day(b)));
    for stage in 0..3 {
        match stage {
            0 => {}
            1 => make(test, db).await,
            _ => arrive_late(db).await,
        }
        let books = books(test, db).await;
        let mut known = 0;
        for (from, to) in ranges.into_iter().chain([(today - Days::new(60), today + Days::new(1))]) {
            known += compare(test, &books, from, to).await;
        }
        assert!(known > 40, "{known}");
    }
}

async fn rates_without_a_base_are_null(test: &Company<20>) {
    let variables = json!({"from": "2019-01-01", "to": "2019-02-01", "discounts": "FOREVER_ONLY"});
    let data = test.admin().data(RATES, variables).await["analytics"].take();
    assert_eq!(data, json!({"rates": [], "months": [], "weeks": []}));
    // The month of the first customer has a quick ratio or none, and no rate over a start.
    let first = "SELECT MIN(day) FROM mrr_movements";
    make(test, test.db()).await;
    let first: NaiveDate = sql::column(test.db(), first, []).await.remove(0);
    let variables = json!({"from": first, "to": first + Days::new(1), "discounts": "FOREVER_ONLY"});
    let data = test.admin().data(RATES, variables).await["analytics"].take();
    for field in
        ["logoChurn", "grossRetention", "netRetention", "grossRevenueChurn", "netRevenueChurn", "lifetimeValueMinor"]
    {
        assert_eq!(data["rates"][0][field], Value::Null, "{field}");
    }
    assert_ne!(data["rates"][0]["averageRevenueMinor"], Value::Null);
}

async fn days_after_today_change_nothing(test: &Company<60>) {
    let db = test.db();
    let today = test.app.now().date_naive();
    // Discounts that are known to end or begin later are rows, and no figures yet.
    let added = "INSERT INTO subscription_arr_changes (id, account_id, subscription_version_id, effective_at, currency, \
        arr_minor, discounted_arr_minor) SELECT v.id, v.account_id, v.id, '2031-05-05T00:00:00+00:00', v.currency, 0, 0 \
        FROM subscription_versions v JOIN subscriptions s ON s.id = v.subscription_id AND s.status = 'active' \
        WHERE v.arr_minor > 0 AND v.effective_at = (SELECT MAX(o.effective_at) FROM subscription_versions o \
        WHERE o.subscription_id = v.subscription_id) ORDER BY v.id LIMIT 20";
    sql::execute(db, added).await;
    for stage in 0..2 {
        let from_today = json!({"from": today, "to": today + Days::new(1), "discounts": "FOREVER_ONLY"});
        let from_today = test.admin().data(RATES, from_today).await["analytics"]["rates"].take();
        for (from, to) in [(today + Days::new(1), today + Days::new(9)), (day("2031-01-01"), day("2032-01-01"))] {
            let variables = json!({"from": from, "to": to, "discounts": "FOREVER_ONLY"});
            let rates = test.admin().data(RATES, variables).await["analytics"]["rates"].take();
            for (row, now) in rates.as_array().unwrap().iter().zip(from_today.as_array().unwrap()) {
                assert_eq!(row["averageRevenueMinor"], now["averageRevenueMinor"], "{stage} {from}");
                assert_eq!([&row["logoChurn"], &row["grossRetention"]], ["0", "1"], "{stage} {from}");
            }
            assert!(!rates.as_array().unwrap().is_empty());
        }
        make(test, db).await;
        let future = sql::number(db, "SELECT COUNT(*) FROM mrr_movements WHERE day > '2031-01-01'").await;
        assert!(future > 0, "{future}");
    }
}
