//! The reports that a worker writes to a directory.

use super::file;
use super::report::{Report, ReportKind, ReportRequest, report};
use super::write::ReportFormat;
use crate::analytics::values::{Period, month_of, week_of};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use anyhow::Context;
use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use std::path::Path;

/// The time after midnight at which reports are due, so that the providers' last events of the day before have arrived.
const DELAY: TimeDelta = TimeDelta::hours(6);
/// The months of cohorts in a report, ten years.
const COHORT_MONTHS: Months = Months::new(120);
/// The days of cohorts of weeks in a report, two years.
const WEEKLY_COHORT_DAYS: Days = Days::new(104 * 7);

/// A report that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Due {
    request: ReportRequest,
    /// The name of all reports of this kind and period.
    series: &'static str,
    /// The day from which it is due. Each report is written once for each such day.
    since: NaiveDate,
    /// The name of its files, without the ending.
    name: String,
}

/// Writes the reports that are due and were not written to this directory before, each in both formats.
pub(in crate::analytics) async fn write_due(app: &App, directory: &Path) -> Result<()> {
    for due in due(app.now()) {
        let marker = directory.join(format!(".{}.last", due.series));
        if last(&marker)?.is_some_and(|last| last >= due.since) {
            continue;
        }
        let report = report(app, &Viewer::system("reports"), due.request).await?;
        let (kind, rows, files) =
            (due.series, report.row_count(), directory.join(format!("{}.{{csv,json}}", due.name)));
        let directory = directory.to_owned();
        let written = tokio::task::spawn_blocking(move || write(&report, &directory, &due, &marker)).await;
        written.map_err(Error::internal)?.map_err(Error::internal)?;
        tracing::info!(%kind, rows, files = %files.display(), "report written");
    }
    Ok(())
}

/// Returns the newest report of each series: revenue of the month before, cohorts of months up to it, and cohorts of weeks
/// up to Monday.
fn due(now: DateTime<Utc>) -> [Due; 3] {
    let today = (now - DELAY).date_naive();
    let (month, monday) = (month_of(today), week_of(today));
    let before = month - Months::new(1);
    let request = |kind, from, to, period| ReportRequest { kind, from, to, period: Some(period), discounts: None };
    [
        Due {
            request: request(ReportKind::Revenue, before, month, Period::Month),
            series: "revenue",
            since: month,
            name: format!("revenue-{}", before.format("%Y-%m")),
        },
        Due {
            request: request(ReportKind::Cohorts, month - COHORT_MONTHS, month, Period::Month),
            series: "cohorts",
            since: month,
            name: format!("cohorts-{}", before.format("%Y-%m")),
        },
        Due {
            request: request(ReportKind::Cohorts, monday - WEEKLY_COHORT_DAYS, monday, Period::Week),
            series: "weekly-cohorts",
            since: monday,
            name: format!("weekly-cohorts-{monday}"),
        },
    ]
}

/// Reads the day of the last report. Files may be moved elsewhere once they are written, so that they say nothing of it.
fn last(marker: &Path) -> Result<Option<NaiveDate>> {
    let text = match std::fs::read_to_string(marker) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let cause = anyhow::Error::new(error).context(format!("{} cannot be read", marker.display()));
            return Err(Error::internal(cause));
        }
    };
    let day = text.trim().parse();
    let wrong = || format!("{} has no date: delete it, and the report is written again", marker.display());
    Ok(Some(day.with_context(wrong).map_err(Error::internal)?))
}

fn write(report: &Report, directory: &Path, due: &Due, marker: &Path) -> anyhow::Result<()> {
    let Due { name, since, .. } = due;
    for format in ReportFormat::ALL {
        let path = directory.join(format!("{name}.{format}"));
        file::save(report, format, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let noted = file::replace(marker, |file| std::io::Write::write_all(file, format!("{since}\n").as_bytes()));
    noted.with_context(|| format!("{} cannot be written", marker.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_due_six_hours_into_mondays_and_first_days() {
        for (now, month, week) in [
            ("2026-11-30T05:59:59Z", "2026-10", "2026-11-23"),
            ("2026-11-30T06:00:00Z", "2026-10", "2026-11-30"),
            ("2026-12-01T05:59:59Z", "2026-10", "2026-11-30"),
            ("2026-12-01T06:00:00Z", "2026-11", "2026-11-30"),
            ("2027-01-01T06:00:00Z", "2026-12", "2026-12-28"),
            ("2028-03-01T06:00:00Z", "2028-02", "2028-02-28"),
        ] {
            let wanted = [format!("revenue-{month}"), format!("cohorts-{month}"), format!("weekly-cohorts-{week}")];
            assert_eq!(due(now.parse().unwrap()).map(|due| due.name), wanted, "{now}");
        }
        let [revenue, cohorts, weekly] = due("2028-03-01T06:00:00Z".parse().unwrap());
        let days = |due: &Due| [due.request.from.to_string(), due.request.to.to_string(), due.since.to_string()];
        assert_eq!(days(&revenue), ["2028-02-01", "2028-03-01", "2028-03-01"]);
        assert_eq!(days(&cohorts), ["2018-03-01", "2028-03-01", "2028-03-01"]);
        assert_eq!(days(&weekly), ["2026-03-02", "2028-02-28", "2028-02-28"]);
    }
}
