//! `tollgate analytics export`.

use crate::analytics::{self, DiscountPolicy, Period, ReportFormat, ReportKind, ReportRequest};
use crate::auth::Viewer;
use crate::config::Config;
use anyhow::Context;
use chrono::NaiveDate;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use strum::VariantNames;

/// The rows and columns, for the help.
pub(super) const COLUMNS: &str = "\
Reports, each with a header and a row for:
  revenue    a period, currency and stream: cash, refunds, tax, fees, disputes
  cohorts    a month or week of first payments, a currency, and a month or week
             since: retention
  movements  a period and currency: recurring revenue before, its changes, and after

Names of columns stay as they are, and new columns come last. Amounts are whole
numbers of minor units of the currency in the column `currency`; in JSON they are
strings. A rate whose denominator is zero is empty, in JSON null. In CSV a text that
a program for tables would run as a formula begins with an apostrophe.

Examples:
  tollgate analytics export revenue --from 2026-10-01 --to 2026-11-01 -o october.csv
  tollgate analytics export cohorts --from 2025-01-01 --to 2026-01-01 --period week";

/// Writes a report.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The report.
    #[arg(value_parser = one_of::<ReportKind>(ReportKind::VARIANTS))]
    report: ReportKind,
    /// The first day in UTC; of cohorts a day in the first month or week.
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,
    /// The day after the last one, in UTC, at most 3,700 days after the first.
    #[arg(long, value_name = "DATE")]
    to: NaiveDate,
    /// The length of a period, a month if not given. Weeks begin on Monday. Cohorts are by month or week.
    #[arg(long, value_parser = one_of::<Period>(Period::VARIANTS))]
    period: Option<Period>,
    /// The discounts to deduct from recurring revenue, those without an end if not given. Not for revenue, which is cash.
    #[arg(long, value_parser = one_of::<DiscountPolicy>(&["forever_only", "all_active"]))]
    discounts: Option<DiscountPolicy>,
    /// The format.
    #[arg(long, default_value = "csv", value_parser = one_of::<ReportFormat>(ReportFormat::VARIANTS))]
    format: ReportFormat,
    /// The file to write, which appears when it is whole and replaces one of that name; - for the standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Reads one of these words.
fn one_of<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = strum::ParseError> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

impl Export {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let Export { report: kind, from, to, period, discounts, format, output } = self;
        let app = super::open::app(config).await?;
        let request = ReportRequest { kind, from, to, period, discounts };
        let report = analytics::report(&app, &Viewer::system("analytics"), request).await?;
        if output == Path::new("-") {
            return report.write(format, std::io::stdout().lock()).context("the report cannot be written");
        }
        let saved = analytics::save(&report, format, &output);
        saved.with_context(|| format!("{} cannot be written", output.display()))?;
        eprintln!("{:>10}  rows in {}", report.row_count(), output.display());
        Ok(())
    }
}
