//! Reports: figures over all accounts as rows of a file.

mod file;
mod report;
mod table;
mod write;

pub use file::save;
pub use report::{Report, ReportKind, ReportRequest, report, report_text};
pub use write::ReportFormat;
