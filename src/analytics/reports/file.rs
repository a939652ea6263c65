//! Files that appear when they are whole.

use super::report::Report;
use super::write::ReportFormat;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Writes a report to a file, which appears when it is whole. A file of that name is replaced.
pub fn save(report: &Report, format: ReportFormat, path: &Path) -> io::Result<()> {
    replace(path, |file| report.write(format, file))
}

/// Writes a file beside `path` and renames it. Leaves `path` as it was if that fails.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".part");
    let part = path.with_file_name(hidden);
    let written = File::create(&part).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    let written = written.and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        _ = fs::remove_file(&part);
    }
    written
}
