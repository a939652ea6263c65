//! Rates of a period, as exact fractions (metrics v1, section 3).

use super::derived;
use super::range::Range;
use super::store::retention::{self as store, SetChange, SetChanges};
use super::values::{DiscountPolicy, Period, month_of};
use super::view::{Standing, View};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::money;
use crate::subscriptions::Exact;
use chrono::{Months, NaiveDate};
use entity::{mrr_daily, mrr_movements};
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Decimal places of a rate.
pub const RATE_PLACES: u32 = 12;
/// Months whose churn the life-time value follows from.
const LTV_MONTHS: u32 = 6;

/// Rates of a period in one currency. A rate whose denominator is zero is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// ISO 4217 code.
    pub currency: String,
    /// At the end of the day before the period.
    pub start: Standing,
    /// At the end of the last day of the period.
    pub end: Standing,
    /// The part of the customers at the start who pay nothing at the end.
    pub logo_churn: Option<Exact>,
    /// Revenue at the start that is left at the end, without increases, as a part of the revenue at the start.
    pub gross_retention: Option<Exact>,
    /// Revenue at the end of the customers at the start, as a part of the revenue at the start.
    pub net_retention: Option<Exact>,
    /// Contraction and churn, as a part of the revenue at the start.
    pub gross_churn: Option<Exact>,
    /// Contraction and churn less expansion and reactivation, as a part of the revenue at the start.
    pub net_churn: Option<Exact>,
    /// New, expansion and reactivation, as a multiple of contraction and churn.
    pub quick_ratio: Option<Exact>,
    /// Monthly recurring revenue of a customer at the end, in minor units.
    pub arpa_minor: Option<Exact>,
    /// Life-time value of a customer in minor units.
    pub ltv_minor: Option<Exact>,
}

/// Returns the rates of the UTC days in `[from, to)`, by currency, up to today. A currency that nothing recurs in has no
/// row.
pub async fn rates(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    policy: DiscountPolicy,
) -> Result<Vec<Rates>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?.until(app.now().date_naive());
    let view = View::open(app).await?;
    let starts = view.before(policy, range.from).await?;
    let ends = view.before(policy, range.to).await?;
    let sums = view.daily(policy, range).await?.into_iter().map(|row| {
        // The rows of all days have one key, that of their currency.
        Ok(mrr_daily::Model { id: derived::row_id("currency", &[&row.currency]), ..row })
    });
    let sums = derived::collect::<mrr_daily::Entity>(sums)?;
    let sums: BTreeMap<String, mrr_daily::Model> = sums.into_values().map(|row| (row.currency.clone(), row)).collect();
    let changes = changes(&view, policy, range, Period::Range).await?;
    let churn = monthly_churn(&view, policy, range).await?;
    let currencies: BTreeSet<&String> = starts.keys().chain(ends.keys()).chain(sums.keys()).collect();
    let mut found = Vec::with_capacity(currencies.len());
    for currency in currencies {
        let of = |standings: &BTreeMap<String, Standing>| standings.get(currency).copied().unwrap_or_default();
        let change = changes.get(&(range.from, currency.clone())).copied().unwrap_or_default();
        let sum = sums.get(currency);
        let rates = of_currency(currency, [of(&starts), of(&ends)], change, sum, churn.get(currency).copied());
        found.push(rates.ok_or_else(too_large)?);
    }
    Ok(found)
}

fn too_large() -> Error {
    Error::bad_input("The rates cannot be computed: an intermediate result exceeds 128 bits.")
}

/// Returns the rates of one currency; `None` past 128 bits.
fn of_currency(
    currency: &str,
    [start, end]: [Standing; 2],
    change: SetChange,
    sum: Option<&mrr_daily::Model>,
    churn: Option<Exact>,
) -> Option<Rates> {
    let part = |numerator: i128, denominator: i128| (denominator != 0).then(|| Exact::new(numerator, denominator));
    let amount = |read: fn(&mrr_daily::Model) -> i64| i128::from(sum.map_or(0, read));
    let gained = amount(|row| row.expansion_minor) + amount(|row| row.reactivation_minor);
    let lost = -amount(|row| row.contraction_minor) - amount(|row| row.churn_minor);
    let base = i128::from(start.arr_minor);
    let arpa = part(i128::from(end.arr_minor), 12 * i128::from(end.customers));
    let ltv = match churn.filter(|churn| *churn.numer() != 0) {
        Some(churn) => arpa.map(|arpa| arpa.checked_div(&churn)),
        None => None,
    };
    Some(Rates {
        currency: currency.to_owned(),
        start,
        end,
        logo_churn: part(change.lost.into(), start.customers.into()),
        gross_retention: part(base - i128::from(change.reduced_minor), base),
        net_retention: part(base + i128::from(change.changed_minor), base),
        gross_churn: part(lost, base),
        net_churn: part(lost - gained, base),
        quick_ratio: part(amount(|row| row.new_minor) + gained, lost),
        arpa_minor: arpa,
        ltv_minor: match ltv {
            Some(value) => Some(value?),
            None => None,
        },
    })
}

/// Returns the mean logo churn of up to six months before the month of the last day, by currency. Months without
/// customers at their start do not count; a currency without others is left out.
async fn monthly_churn(view: &View, policy: DiscountPolicy, range: Range) -> Result<BTreeMap<String, Exact>> {
    let last = range.to.pred_opt().unwrap_or(range.to).max(range.from);
    let to = month_of(last);
    let from = to.checked_sub_months(Months::new(LTV_MONTHS)).unwrap_or(to);
    let months = Range { from, to };
    let changes = changes(view, policy, months, Period::Month).await?;
    let mut standings = view.before(policy, from).await?;
    let mut rows: BTreeMap<NaiveDate, Vec<mrr_daily::Model>> = BTreeMap::new();
    for row in view.daily(policy, months).await? {
        rows.entry(month_of(row.day)).or_default().push(row);
    }
    let mut found: BTreeMap<String, Vec<Exact>> = BTreeMap::new();
    let mut month = from;
    while month < to {
        for (currency, standing) in standings.iter().filter(|(_, standing)| standing.customers > 0) {
            let lost = changes.get(&(month, currency.clone())).map_or(0, |change| change.lost);
            let rate = Exact::new(lost.into(), standing.customers.into());
            found.entry(currency.clone()).or_default().push(rate);
        }
        for row in rows.remove(&month).unwrap_or_default() {
            let standing = standings.entry(row.currency).or_default();
            standing.customers += row.new_count + row.reactivation_count - row.churn_count;
        }
        month = month.checked_add_months(Months::new(1)).unwrap_or(to);
    }
    let mean = |rates: Vec<Exact>| {
        let count = i128::try_from(rates.len()).ok()?;
        let sum = rates.iter().try_fold(Exact::from_integer(0), |sum, rate| sum.checked_add(rate))?;
        sum.checked_div(&Exact::from_integer(count))
    };
    found.into_iter().map(|(currency, rates)| Ok((currency, mean(rates).ok_or_else(too_large)?))).collect()
}

/// Returns the changes of the customers who paid at the start of a period: of each month of `range`, or of the whole range,
/// which are the periods that the store knows.
async fn changes(view: &View, policy: DiscountPolicy, range: Range, period: Period) -> Result<SetChanges> {
    let mut found = store::changes(&view.snapshot, policy, range, period).await?;
    let mut rows: Vec<&mrr_movements::Model> = view.fresh.values().collect();
    rows.retain(|row| row.discounts == policy.as_str() && range.contains(row.day));
    rows.sort_by_key(|row| row.day);
    let mut ends: BTreeMap<(NaiveDate, &str, Uuid), (i64, i64)> = BTreeMap::new();
    for row in rows {
        let key = (period.start(row.day, range), &*row.currency, row.account_id);
        ends.entry(key).or_insert((row.arr_before_minor, 0)).1 = row.arr_after_minor;
    }
    for ((starts_on, currency, _), (before, after)) in ends {
        if before > 0 {
            let change = found.entry((starts_on, currency.to_owned())).or_default();
            change.lost += i64::from(after == 0);
            change.reduced_minor = money::add(change.reduced_minor, (before - after).max(0))?;
            change.changed_minor = money::add(change.changed_minor, after - before)?;
        }
    }
    Ok(found)
}

/// Returns a number as a decimal with at most `places` decimal places, rounded half up.
pub fn rounded(value: &Exact, places: u32) -> Option<String> {
    let scale = Exact::from_integer(10_i128.checked_pow(places)?);
    let scaled = value.checked_mul(&scale)?;
    let units = scaled.checked_add(&Exact::new(1, 2))?.floor().to_integer();
    let (sign, digits) = if units < 0 { ("-", units.checked_neg()?) } else { ("", units) };
    let scale = scale.to_integer();
    let width = usize::try_from(places).ok()?;
    let text = format!("{sign}{}.{:0width$}", digits / scale, digits % scale);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_half_up() {
        let text = |numerator, denominator, places| rounded(&Exact::new(numerator, denominator), places).unwrap();
        assert_eq!(text(1, 3, 6), "0.333333");
        assert_eq!(text(2, 3, 6), "0.666667");
        assert_eq!(text(-1, 2, 0), "0");
        assert_eq!(text(1, 2, 0), "1");
        assert_eq!(text(-2, 3, 2), "-0.67");
        assert_eq!(text(12, 1, 6), "12");
        assert_eq!(text(100, 1, 0), "100");
        assert_eq!(text(0, 7, 4), "0");
    }
}
