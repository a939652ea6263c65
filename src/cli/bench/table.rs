//! The table of results, printed row by row as they are measured.

use super::callers::Measured;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// The width of the column of names.
const NAME_WIDTH: usize = 44;

/// A table on the standard output, with the progress on a terminal.
pub(super) struct Table {
    progress: ProgressBar,
}

impl Table {
    /// Prints the head of a table of `rows` rows, which are measured for `time` each.
    pub(super) fn start(unit: &str, rows: usize, time: Duration) -> Table {
        let progress = ProgressBar::new(u64::try_from(rows).unwrap_or(u64::MAX));
        let style = "{msg} {wide_bar} {pos}/{len}";
        progress.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        println!("{rows} measurements of {} s", time.as_secs());
        let rate = format!("{unit}/s");
        println!("{:NAME_WIDTH$} {rate:>14} {:>9} {:>9} {:>11}", "", "p50 ms", "p99 ms", "per commit");
        Table { progress }
    }

    /// Shows the name of what is measured now.
    pub(super) fn begin(&self, name: &str) {
        self.progress.set_message(name.to_owned());
        self.progress.tick();
    }

    /// Prints a row.
    pub(super) fn row(&self, name: &str, measured: &Measured) {
        let figures = &measured.figures;
        // In tenths.
        let shared = figures.operations * 10 / measured.commits.max(1);
        let shared = format!("{}.{}", shared / 10, shared % 10);
        let (rate, p50, p99) = (figures.per_second, figures.p50, figures.p99);
        self.progress.suspend(|| println!("{name:NAME_WIDTH$} {rate:>14} {p50:>9} {p99:>9} {shared:>11}"));
        self.progress.inc(1);
    }

    /// Ends the table.
    pub(super) fn end(self) {
        self.progress.finish_and_clear();
    }
}
