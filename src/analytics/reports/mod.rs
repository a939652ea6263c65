//! Reports: figures over all accounts as rows of a file.

mod file;
mod report;
mod scheduled;
mod table;
mod write;

pub use file::save;
pub use report::{Report, ReportKind, ReportRequest, report, report_text};
pub(super) use scheduled::write_due;
pub use write::ReportFormat;
