//! Cash by period.

use super::range::Range;
use super::store::cash as store;
use super::values::Period;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::money;
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Cash of one period, currency and stream. Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cash {
    /// The first day of the period.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// The stream of revenue.
    pub stream: String,
    /// Money received by payments in the period.
    pub gross_minor: i64,
    /// Number of successful payments.
    pub payments: i64,
    /// The provider's fees for these payments, as far as they are known.
    pub fee_minor: i64,
    /// Number of payments whose fee is not known.
    pub unknown_fees: i64,
    /// Refunds processed in the period, also of earlier payments.
    pub refunded_minor: i64,
    /// Number of these refunds.
    pub refunds: i64,
    /// Gross less refunded; may be negative.
    pub net_minor: i64,
    /// Tax in the invoices that were paid in the period.
    pub tax_minor: i64,
    /// Disputes opened in the period.
    pub disputed_minor: i64,
    /// Disputes lost in the period.
    pub lost_minor: i64,
}

/// Returns the cash of the UTC days in `[from, to)`, by period, currency and stream. Periods without money have no row.
pub async fn revenue(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate, period: Period) -> Result<Vec<Cash>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let mut found: BTreeMap<(NaiveDate, String, String), Cash> = BTreeMap::new();
    for part in store::parts(app.db.read(), range.from, range.to).await? {
        let key = (period.start(part.day, range), part.currency, part.stream);
        let cash = found.entry(key).or_insert_with_key(|(starts_on, currency, stream)| Cash {
            starts_on: *starts_on,
            currency: currency.clone(),
            stream: stream.clone(),
            gross_minor: 0,
            payments: 0,
            fee_minor: 0,
            unknown_fees: 0,
            refunded_minor: 0,
            refunds: 0,
            net_minor: 0,
            tax_minor: 0,
            disputed_minor: 0,
            lost_minor: 0,
        });
        for (sum, more) in [
            (&mut cash.gross_minor, part.gross_minor),
            (&mut cash.payments, part.payment_count),
            (&mut cash.fee_minor, part.fee_minor),
            (&mut cash.unknown_fees, part.unknown_fee_count),
            (&mut cash.refunded_minor, part.refunded_minor),
            (&mut cash.refunds, part.refund_count),
            (&mut cash.tax_minor, part.tax_minor),
            (&mut cash.disputed_minor, part.disputed_minor),
            (&mut cash.lost_minor, part.lost_minor),
        ] {
            *sum = money::add(*sum, more)?;
        }
        cash.net_minor = money::add(cash.gross_minor, -cash.refunded_minor)?;
    }
    Ok(found.into_values().collect())
}
