//! The figures of each report.

use super::table;
use super::write::{self, ReportFormat};
use crate::analytics::cash::{Cash, revenue};
use crate::analytics::cohorts::{Cohort, cohorts};
use crate::analytics::summaries::{MovementSummary, movement_summaries};
use crate::analytics::values::{DiscountPolicy, Period};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::NaiveDate;
use std::io::{self, Write};

/// The most rows of a report in one text, which is held in memory.
const MAX_TEXT_ROWS: i32 = 2_000;

/// The kind of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ReportKind {
    /// Cash by period, currency and stream.
    Revenue,
    /// Retention by cohort, currency and month or week.
    Cohorts,
    /// Movements of recurring revenue by period and currency.
    Movements,
}

/// A request for a report on the UTC days in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportRequest {
    /// The kind of report.
    pub kind: ReportKind,
    /// The first day.
    pub from: NaiveDate,
    /// The day after the last one.
    pub to: NaiveDate,
    /// The length of a period, by default a month. Cohorts are by month or by week.
    pub period: Option<Period>,
    /// The discounts to deduct, by default those that last forever. Cash has none.
    pub discounts: Option<DiscountPolicy>,
}

/// The figures of a report. Their number depends on the range and the currencies, not on the number of customers.
#[derive(Debug, Clone)]
pub struct Report(Figures);

#[derive(Debug, Clone)]
enum Figures {
    Revenue(Vec<Cash>),
    Cohorts(Vec<Cohort>),
    Movements(Vec<MovementSummary>),
}

/// Returns the figures of a report.
pub async fn report(app: &App, viewer: &Viewer, request: ReportRequest) -> Result<Report> {
    viewer.require(Permission::AnalyticsRead)?;
    let ReportRequest { kind, from, to, period, discounts } = request;
    if kind == ReportKind::Revenue && discounts.is_some() {
        return Err(Error::bad_input("Cash does not depend on `discounts`: leave it out."));
    }
    let period = period.unwrap_or(Period::Month);
    let policy = discounts.unwrap_or(DiscountPolicy::ForeverOnly);
    Ok(Report(match kind {
        ReportKind::Revenue => Figures::Revenue(revenue(app, viewer, from, to, period).await?),
        ReportKind::Cohorts => Figures::Cohorts(cohorts(app, viewer, from, to, period, policy).await?),
        ReportKind::Movements => Figures::Movements(movement_summaries(app, viewer, from, to, period, policy).await?),
    }))
}

/// Returns a report as one text with its number of rows. A report of more than 2,000 rows is refused.
pub async fn report_text(
    app: &App,
    viewer: &Viewer,
    request: ReportRequest,
    format: ReportFormat,
) -> Result<(String, i32)> {
    let report = report(app, viewer, request).await?;
    let count = report.row_count();
    let Some(rows) = i32::try_from(count).ok().filter(|rows| *rows <= MAX_TEXT_ROWS) else {
        let kind = request.kind;
        let rule = format!(
            "This report has {count} rows, and at most 2,000 are allowed here: shorten the range, choose longer periods, or \
             run `tollgate analytics export {kind}`."
        );
        return Err(Error::refused("REPORT_TOO_LONG", &["to"], rule));
    };
    let mut text = Vec::new();
    report.write(format, &mut text).map_err(Error::internal)?;
    Ok((String::from_utf8(text).map_err(Error::internal)?, rows))
}

impl Report {
    /// Returns the number of rows, without the header.
    pub fn row_count(&self) -> usize {
        match &self.0 {
            Figures::Revenue(rows) => rows.len(),
            Figures::Cohorts(cohorts) => cohorts.iter().map(|cohort| cohort.periods.len()).sum(),
            Figures::Movements(rows) => rows.len(),
        }
    }

    /// Writes the report row by row.
    pub fn write(&self, format: ReportFormat, out: impl Write) -> io::Result<()> {
        match &self.0 {
            Figures::Revenue(rows) => write::write(format, table::REVENUE, rows.iter().map(table::of_cash), out),
            Figures::Cohorts(cohorts) => {
                write::write(format, table::COHORTS, cohorts.iter().flat_map(table::of_cohort), out)
            }
            Figures::Movements(rows) => {
                write::write(format, table::MOVEMENTS, rows.iter().map(table::of_movements), out)
            }
        }
    }
}

impl ReportRequest {
    /// Returns a name for the file, such as `revenue-2026-10-01-2026-11-01.csv`.
    pub fn file_name(&self, format: ReportFormat) -> String {
        format!("{}-{}-{}.{format}", self.kind, self.from, self.to)
    }
}
