//! The columns of each report. Their names and their order are part of what operators build on: new ones go to the end.

use super::write::Cell;
use crate::analytics::cash::Cash;
use crate::analytics::cohorts::Cohort;
use crate::analytics::rates::{RATE_PLACES, rounded};
use crate::analytics::summaries::{MovementSum, MovementSummary};
use crate::analytics::view::Standing;
use crate::money;
use crate::subscriptions::Exact;

pub(super) const REVENUE: [&str; 13] = [
    "starts_on",
    "currency",
    "stream",
    "gross_minor",
    "refunded_minor",
    "net_minor",
    "payment_count",
    "refund_count",
    "tax_minor",
    "fees_minor",
    "unknown_fee_count",
    "disputed_minor",
    "disputes_lost_minor",
];

pub(super) fn of_cash(cash: &Cash) -> [Cell<'_>; 13] {
    let sums = &cash.sums;
    [
        Cell::Day(cash.starts_on),
        Cell::text(&cash.currency),
        Cell::Text(cash.stream.to_uppercase().into()),
        Cell::Amount(sums.gross_minor),
        Cell::Amount(sums.refunded_minor),
        Cell::Amount(sums.net_minor()),
        Cell::Count(sums.payment_count),
        Cell::Count(sums.refund_count),
        Cell::Amount(sums.tax_minor),
        Cell::Amount(sums.fee_minor),
        Cell::Count(sums.unknown_fee_count),
        Cell::Amount(sums.disputed_minor),
        Cell::Amount(sums.lost_minor),
    ]
}

pub(super) const COHORTS: [&str; 10] = [
    "starts_on",
    "currency",
    "cohort_customer_count",
    "cohort_arr_minor",
    "period_number",
    "customer_count",
    "arr_minor",
    "mrr_minor",
    "logo_retention",
    "revenue_retention",
];

pub(super) fn of_cohort(cohort: &Cohort) -> impl Iterator<Item = [Cell<'_>; 10]> {
    cohort.periods.iter().map(|period| {
        [
            Cell::Day(cohort.starts_on),
            Cell::text(&cohort.currency),
            Cell::Count(cohort.customers),
            Cell::Amount(cohort.arr_minor),
            Cell::Count(period.number.into()),
            Cell::Count(period.customers),
            Cell::Amount(period.arr_minor),
            Cell::Amount(money::mrr_minor(period.arr_minor)),
            rate(cohort.logo_retention(period)),
            rate(cohort.revenue_retention(period)),
        ]
    })
}

pub(super) const MOVEMENTS: [&str; 23] = [
    "starts_on",
    "currency",
    "start_arr_minor",
    "start_mrr_minor",
    "start_customer_count",
    "new_arr_minor",
    "new_mrr_minor",
    "new_count",
    "expansion_arr_minor",
    "expansion_mrr_minor",
    "expansion_count",
    "reactivation_arr_minor",
    "reactivation_mrr_minor",
    "reactivation_count",
    "contraction_arr_minor",
    "contraction_mrr_minor",
    "contraction_count",
    "churn_arr_minor",
    "churn_mrr_minor",
    "churn_count",
    "end_arr_minor",
    "end_mrr_minor",
    "end_customer_count",
];

pub(super) fn of_movements(row: &MovementSummary) -> [Cell<'_>; 23] {
    let [start_arr, start_mrr, start_customers] = standing(row.start);
    let [new_arr, new_mrr, new_count] = sum(row.new);
    let [expansion_arr, expansion_mrr, expansion_count] = sum(row.expansion);
    let [reactivation_arr, reactivation_mrr, reactivation_count] = sum(row.reactivation);
    let [contraction_arr, contraction_mrr, contraction_count] = sum(row.contraction);
    let [churn_arr, churn_mrr, churn_count] = sum(row.churn);
    let [end_arr, end_mrr, end_customers] = standing(row.end);
    [
        Cell::Day(row.starts_on),
        Cell::text(&row.currency),
        start_arr,
        start_mrr,
        start_customers,
        new_arr,
        new_mrr,
        new_count,
        expansion_arr,
        expansion_mrr,
        expansion_count,
        reactivation_arr,
        reactivation_mrr,
        reactivation_count,
        contraction_arr,
        contraction_mrr,
        contraction_count,
        churn_arr,
        churn_mrr,
        churn_count,
        end_arr,
        end_mrr,
        end_customers,
    ]
}

fn standing(standing: Standing) -> [Cell<'static>; 3] {
    arr(standing.arr_minor, standing.customers)
}

fn sum(sum: MovementSum) -> [Cell<'static>; 3] {
    arr(sum.arr_minor, sum.count)
}

fn arr(arr_minor: i64, count: i64) -> [Cell<'static>; 3] {
    [Cell::Amount(arr_minor), Cell::Amount(money::mrr_minor(arr_minor)), Cell::Count(count)]
}

fn rate(value: Option<Exact>) -> Cell<'static> {
    Cell::Rate(value.and_then(|value| rounded(&value, RATE_PLACES)))
}
