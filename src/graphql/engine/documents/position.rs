//! Positions in a document.

use apollo_compiler::parser::{SourceMap, SourceSpan};
use async_graphql::Pos;

/// Returns the start of `span`, for the `locations` of an error.
pub(super) fn position(span: Option<SourceSpan>, sources: &SourceMap) -> Option<Pos> {
    span?.line_column(sources).map(|at| Pos { line: at.line, column: at.column })
}
