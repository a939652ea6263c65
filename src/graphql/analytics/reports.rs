//! Reports as files.

use super::cash::AnalyticsPeriod;
use super::summary::DiscountPolicy;
use crate::analytics;
use crate::graphql::common::{ContextExt, Date};
use async_graphql::{Context, Enum, Object, Result, SimpleObject};

/// The kind of a report. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "analytics::ReportKind")]
pub enum ReportKind {
    /// The figures of `revenue`: a row for each period, currency and stream.
    Revenue,
    /// The figures of `cohorts`: a row for each month or week of first payments, currency, and
    /// month or week since.
    Cohorts,
    /// The figures of `movements`: a row for each period and currency.
    Movements,
}

/// The format of a report. Both have the same columns. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "analytics::ReportFormat")]
pub enum ReportFormat {
    /// A header and a line for each row (RFC 4180). Amounts are numbers of minor units, and a value that does not exist is
    /// empty.
    Csv,
    /// An array with an object for each row. Amounts are numbers of minor units in strings.
    Json,
}

/// A report as a file.
#[derive(SimpleObject)]
pub struct ExportedReport {
    /// A name for the file, such as `revenue-2026-10-01-2026-11-01.csv`.
    file_name: String,
    /// The media type of the text, such as `text/csv; charset=utf-8`.
    content_type: String,
    /// The number of rows, without the header.
    row_count: i32,
    /// The content of the file.
    text: String,
}

/// Reports, over all accounts.
#[derive(Default)]
pub struct ReportFigures;

#[Object]
impl ReportFigures {
    /// A report as a file of at most 2,000 rows; a longer one is refused with the code `REPORT_TOO_LONG`.
    async fn export_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The kind of report.")] kind: ReportKind,
        #[graphql(desc = "The first day of the range, in UTC; of cohorts a day in the first month or week.")]
        from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The length of a period; a month by default. Cohorts are by `MONTH` or `WEEK`.")]
        period: Option<AnalyticsPeriod>,
        #[graphql(desc = "The discounts to deduct; `FOREVER_ONLY` by default. Not for revenue, which is cash.")]
        discounts: Option<DiscountPolicy>,
        #[graphql(desc = "The format.", default_with = "ReportFormat::Csv")] format: ReportFormat,
    ) -> Result<ExportedReport> {
        let request = analytics::ReportRequest {
            kind: kind.into(),
            from: from.0,
            to: to.0,
            period: period.map(Into::into),
            discounts: discounts.map(Into::into),
        };
        let format = format.into();
        let (text, row_count) = analytics::report_text(ctx.app(), ctx.viewer(), request, format).await?;
        let content_type = format.content_type().to_owned();
        Ok(ExportedReport { file_name: request.file_name(format), content_type, row_count, text })
    }
}
