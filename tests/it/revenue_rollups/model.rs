//! Recurring revenue by the definitions of the metrics, from the raw rows alone: every customer at the end of every day.

use crate::support::sql;
use chrono::{DateTime, Days, FixedOffset, NaiveDate};
use entity::{payments, subscription_arr_changes, subscription_versions};
use sea_orm::DatabaseConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

type Instant = DateTime<FixedOffset>;

/// A customer's movement: the day, the kind, and the annual amount before and after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Movement {
    pub(super) day: NaiveDate,
    pub(super) kind: &'static str,
    pub(super) before: i64,
    pub(super) after: i64,
}

/// The movements of each account and currency, by day.
pub(super) type Book = BTreeMap<(Uuid, String), Vec<Movement>>;

/// The facts of one subscription.
struct Facts {
    versions: Vec<subscription_versions::Model>,
    changes: HashMap<Uuid, Vec<subscription_arr_changes::Model>>,
    paid_at: Option<Instant>,
}

impl Facts {
    /// The account, the currency and the annual amount just before `end`; `None` if it does not count then.
    fn before(&self, end: Instant, every_discount: bool) -> Option<(Uuid, String, i64)> {
        let state = self.versions.iter().rfind(|version| version.effective_at < end)?;
        let changes = self.changes.get(&state.id).map_or(&[][..], Vec::as_slice);
        let later = changes.iter().filter(|change| change.effective_at < end).max_by_key(|change| change.effective_at);
        let (forever, every) = match later {
            Some(change) => (change.arr_minor, change.discounted_arr_minor),
            None => (state.arr_minor, state.discounted_arr_minor),
        };
        let arr = if every_discount { every } else { forever }?;
        let counts = matches!(&*state.status, "active" | "past_due") && !state.paused;
        let counts = counts && self.paid_at.is_some_and(|paid| paid < end) && arr > 0;
        counts.then(|| (state.account_id, state.currency.clone().unwrap(), arr))
    }
}

async fn facts(db: &DatabaseConnection) -> Vec<Facts> {
    let mut found: BTreeMap<Uuid, Facts> = BTreeMap::new();
    let mut versions = sql::models::<subscription_versions::Model>(db, "SELECT * FROM subscription_versions").await;
    versions.sort_by_key(|version| (version.effective_at, version.recorded_at, version.id));
    let mut subscription_of = HashMap::new();
    for version in versions {
        subscription_of.insert(version.id, version.subscription_id);
        let none = Facts { versions: Vec::new(), changes: HashMap::new(), paid_at: None };
        found.entry(version.subscription_id).or_insert(none).versions.push(version);
    }
    let changes = "SELECT * FROM subscription_arr_changes";
    for change in sql::models::<subscription_arr_changes::Model>(db, changes).await {
        let version_id = change.subscription_version_id;
        let facts = found.get_mut(&subscription_of[&version_id]).unwrap();
        facts.changes.entry(version_id).or_default().push(change);
    }
    for payment in sql::models::<payments::Model>(db, "SELECT * FROM payments WHERE received_minor > 0").await {
        let Some(facts) = payment.subscription_id.and_then(|id| found.get_mut(&id)) else { continue };
        if payment.status == "succeeded" {
            facts.paid_at = facts.paid_at.into_iter().chain(payment.paid_at).min();
        }
    }
    found.into_values().collect()
}

pub(super) fn midnight(day: NaiveDate) -> Instant {
    day.and_hms_opt(0, 0, 0).unwrap().and_utc().fixed_offset()
}

/// Returns every movement up to the end of `last`.
pub(super) async fn book(db: &DatabaseConnection, last: NaiveDate, every_discount: bool) -> Book {
    let facts = facts(db).await;
    let first = facts.iter().flat_map(|facts| &facts.versions).map(|version| version.effective_at.naive_utc().date());
    let Some(first) = first.min() else { return Book::new() };
    let mut book = Book::new();
    let mut yesterday: BTreeMap<(Uuid, String), i64> = BTreeMap::new();
    let mut ever: BTreeSet<(Uuid, String)> = BTreeSet::new();
    let mut day = first;
    while day <= last {
        let end = midnight(day + Days::new(1));
        let mut today: BTreeMap<(Uuid, String), i64> = BTreeMap::new();
        for (account, currency, arr) in facts.iter().filter_map(|facts| facts.before(end, every_discount)) {
            *today.entry((account, currency)).or_default() += arr;
        }
        for customer in yesterday.keys().chain(today.keys()).cloned().collect::<BTreeSet<_>>() {
            let amount = |of: &BTreeMap<_, i64>| of.get(&customer).copied().unwrap_or(0);
            let (before, after) = (amount(&yesterday), amount(&today));
            let kind = match (before, after) {
                _ if before == after => continue,
                (0, _) if ever.insert(customer.clone()) => "new",
                (0, _) => "reactivation",
                (_, 0) => "churn",
                _ if after > before => "expansion",
                _ => "contraction",
            };
            book.entry(customer).or_default().push(Movement { day, kind, before, after });
        }
        yesterday = today;
        day = day + Days::new(1);
    }
    book
}

/// Returns each customer's annual amount at the end of the day before `day`; customers without one are left out.
pub(super) fn standing(book: &Book, day: NaiveDate) -> BTreeMap<(Uuid, String), i64> {
    let last = |movements: &Vec<Movement>| movements.iter().rfind(|movement| movement.day < day).map(|last| last.after);
    let known = book.iter().filter_map(|(customer, movements)| Some((customer.clone(), last(movements)?)));
    known.filter(|(_, arr)| *arr > 0).collect()
}
