//! The errors of apollo-compiler in our form.

use apollo_compiler::{
    diagnostic::{Diagnostic, ToCliReport as _},
    validation::{DiagnosticData, DiagnosticList},
};
use async_graphql::Pos;

use crate::graphql::engine::errors::RequestError;

/// Returns the first errors of a document, at most `limit`.
pub(super) fn diagnosed(code: &'static str, diagnostics: &DiagnosticList, limit: usize) -> Vec<RequestError> {
    let told = diagnostics.iter().filter(|it| !follows_from_another(it)).take(limit);
    let errors = told.map(|diagnostic| {
        let at = diagnostic.line_column_range().map(|range| Pos { line: range.start.line, column: range.start.column });
        RequestError::new(code, diagnostic.error.to_string()).at(at)
    });
    errors.collect()
}

/// Returns true for a complaint about a missing selection set that is present: all of its contents were wrong and are
/// reported on their own.
fn follows_from_another(diagnostic: &Diagnostic<'_, DiagnosticData>) -> bool {
    let text = diagnostic.error.location().and_then(|span| {
        let source = diagnostic.sources.get(&span.file_id())?;
        source.source_text().get(span.offset()..span.end_offset())
    });
    text.is_some_and(|text| text.ends_with('}'))
        && diagnostic.error.to_string().ends_with("must have a subselection set")
}
