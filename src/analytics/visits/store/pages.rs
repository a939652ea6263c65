//! Pages that were viewed.

use crate::analytics::range::Range;
use crate::analytics::store::people::ALIAS;
use crate::error::Result;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

/// The views of one page, and the number of persons who viewed it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics::visits) struct PageCount {
    pub(in crate::analytics::visits) path: String,
    pub(in crate::analytics::visits) views: i64,
    pub(in crate::analytics::visits) people: i64,
}

/// Returns the pages that at least `least` people viewed in `range`, the most viewed first.
pub(in crate::analytics::visits) async fn top(
    db: &impl ConnectionTrait,
    range: Range,
    least: i64,
    first: i64,
) -> Result<Vec<PageCount>> {
    let backend = db.get_database_backend();
    let binary = match backend {
        DbBackend::Postgres => "COLLATE \"C\"",
        _ => "COLLATE BINARY",
    };
    let sql = format!(
        "SELECT p.path, COUNT(*) AS views, COUNT(DISTINCT p.user_id) + COUNT(DISTINCT p.visitor) AS people FROM \
         (SELECT {} AS path, COALESCE(e.user_id, a.user_id) AS user_id, \
         CASE WHEN e.user_id IS NULL AND a.user_id IS NULL THEN e.anonymous_id END AS visitor \
         FROM analytics_events e {ALIAS} WHERE e.day >= $1 AND e.day < $2 AND e.page IS NOT NULL) AS p GROUP BY p.path \
         HAVING COUNT(DISTINCT p.user_id) + COUNT(DISTINCT p.visitor) >= $3 \
         ORDER BY 2 DESC, p.path {binary} LIMIT $4",
        path(backend, "e.page")
    );
    let values = [Value::from(range.from), range.to.into(), least.into(), first.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok(PageCount::from_query_result(row, "")?)).collect()
}

/// Returns the path of an address: without scheme, host, query string and fragment. `/` where nothing is left.
pub(in crate::analytics::visits) fn path(backend: DbBackend, address: &str) -> String {
    let (at, cut) = match backend {
        DbBackend::Postgres => ("strpos", "split_part(split_part(ADDRESS, '?', 1), '#', 1)"),
        _ => (
            "instr",
            "substr(substr(ADDRESS, 1, instr(ADDRESS || '?', '?') - 1), 1, \
             instr(substr(ADDRESS, 1, instr(ADDRESS || '?', '?') - 1) || '#', '#') - 1)",
        ),
    };
    let cut = cut.replace("ADDRESS", address);
    let host = format!("substr({cut}, {at}({cut}, '://') + 3)");
    format!(
        "CASE WHEN {address} IS NULL THEN NULL WHEN {cut} LIKE 'http://%' OR {cut} LIKE 'https://%' \
         THEN CASE WHEN {at}({host}, '/') > 0 THEN substr({host}, {at}({host}, '/')) ELSE '/' END \
         WHEN {cut} = '' THEN '/' ELSE {cut} END"
    )
}
