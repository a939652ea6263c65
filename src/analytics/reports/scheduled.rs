//! The reports that a worker writes to a directory.

use super::file;
use super::report::{Report, ReportKind, ReportRequest, report};
use super::write::ReportFormat;
use crate::analytics::values::{month_of, week_of};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use anyhow::Context;
use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use std::path::Path;

/// The time after midnight at which reports are due, so that the providers' last events of the day before have arrived.
const DELAY: TimeDelta = TimeDelta::hours(6);
/// The days of cohorts in a report: ten years, which is less than the longest range by more than a month.
const COHORT_DAYS: Days = Days::new(3_650);

/// A report that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Due {
    request: ReportRequest,
    /// The day from which it is due. Each report is written once for each such day.
    since: NaiveDate,
    /// The name of its files, without the ending.
    name: String,
}

/// Writes the reports that are due and were not written to this directory before, each in both formats.
pub(in crate::analytics) async fn write_due(app: &App, directory: &Path) -> Result<()> {
    for due in due(app.now()) {
        let marker = directory.join(format!(".{}.last", due.request.kind));
        if last(&marker)?.is_some_and(|last| last >= due.since) {
            continue;
        }
        let report = report(app, &Viewer::system("reports"), due.request).await?;
        let (kind, rows, files) =
            (due.request.kind, report.row_count(), directory.join(format!("{}.{{csv,json}}", due.name)));
        let directory = directory.to_owned();
        let written = tokio::task::spawn_blocking(move || write(&report, &directory, &due, &marker)).await;
        written.map_err(Error::internal)?.map_err(Error::internal)?;
        tracing::info!(%kind, rows, files = %files.display(), "report written");
    }
    Ok(())
}

/// Returns the newest report of each kind: revenue of the month before, cohorts up to Monday.
fn due(now: DateTime<Utc>) -> [Due; 2] {
    let today = (now - DELAY).date_naive();
    let (month, monday) = (month_of(today), week_of(today));
    let before = month - Months::new(1);
    let request = |kind, from, to| ReportRequest { kind, from, to, period: None, discounts: None };
    [
        Due {
            request: request(ReportKind::Revenue, before, month),
            since: month,
            name: format!("revenue-{}", before.format("%Y-%m")),
        },
        Due {
            request: request(ReportKind::Cohorts, monday - COHORT_DAYS, monday),
            since: monday,
            name: format!("cohorts-{monday}"),
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
        for (now, revenue, cohorts) in [
            ("2026-11-30T05:59:59Z", "revenue-2026-10", "cohorts-2026-11-23"),
            ("2026-11-30T06:00:00Z", "revenue-2026-10", "cohorts-2026-11-30"),
            ("2026-12-01T05:59:59Z", "revenue-2026-10", "cohorts-2026-11-30"),
            ("2026-12-01T06:00:00Z", "revenue-2026-11", "cohorts-2026-11-30"),
            ("2027-01-01T06:00:00Z", "revenue-2026-12", "cohorts-2026-12-28"),
            ("2028-03-01T06:00:00Z", "revenue-2028-02", "cohorts-2028-02-28"),
        ] {
            let due = due(now.parse().unwrap());
            assert_eq!(due.each_ref().map(|due| due.name.as_str()), [revenue, cohorts], "{now}");
        }
        let [revenue, cohorts] = due("2028-03-01T06:00:00Z".parse().unwrap());
        let days = |due: &Due| [due.request.from.to_string(), due.request.to.to_string(), due.since.to_string()];
        assert_eq!(days(&revenue), ["2028-02-01", "2028-03-01", "2028-03-01"]);
        assert_eq!(days(&cohorts), ["2018-03-02", "2028-02-28", "2028-02-28"]);
    }
}
