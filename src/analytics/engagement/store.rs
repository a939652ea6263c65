//! Queries on scores of engagement, and on the people who have each score.

use super::weight::Weight;
use crate::analytics::range::Range;
use crate::analytics::store::people::{ALIAS, PERSON};
use crate::auth::Scope;
use crate::db::{Listing, Order, Visible};
use crate::error::Result;
use crate::order;
use chrono::{NaiveDate, NaiveTime};
use entity::engagement_scores;
use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, Select, Statement, Value};

/// Scores of engagement, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EngagementScores;

impl Listing for EngagementScores {
    type Entity = engagement_scores::Entity;

    fn filter(&self, rows: Select<engagement_scores::Entity>) -> Select<engagement_scores::Entity> {
        rows
    }

    fn order(&self) -> Order<engagement_scores::Entity> {
        order!(engagement_scores, created_at, CreatedAt, true)
    }
}

/// Returns the score with this code.
pub(super) async fn by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<engagement_scores::Model>> {
    let rows = engagement_scores::Entity::visible(Scope::Everything).filter(engagement_scores::Column::Code.eq(code));
    Ok(rows.one(db).await?)
}

/// The number of people with one score on one day.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct Scored {
    pub(super) day: NaiveDate,
    pub(super) score: i64,
    pub(super) people: i64,
}

/// Returns the people with each score of the days in `range`, by day and score; those without a weighted event have no
/// score.
pub(super) async fn scored(db: &impl ConnectionTrait, weights: &[Weight], range: Range) -> Result<Vec<Scored>> {
    let place = |at: usize| format!("${}", at + 3);
    let cases = weights.iter().enumerate().map(|(at, weight)| format!("WHEN {} THEN {}", place(at), weight.weight));
    let cases = cases.collect::<Vec<_>>().join(" ");
    let names = (0..weights.len()).map(place).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "WITH scores AS (SELECT e.day, {PERSON}, SUM(CASE e.name {cases} END) AS score FROM analytics_events e {ALIAS} \
         WHERE e.name IN ({names}) AND e.occurred_at >= $1 AND e.occurred_at < $2 GROUP BY 1, 2, 3) \
         SELECT day, CAST(score AS BIGINT) AS score, COUNT(*) AS people FROM scores GROUP BY day, score ORDER BY day, score"
    );
    let start = |day: NaiveDate| Value::from(day.and_time(NaiveTime::MIN).and_utc().fixed_offset());
    let names = weights.iter().map(|weight| Value::from(weight.event_name.clone()));
    let values = [start(range.from), start(range.to)].into_iter().chain(names);
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(Scored::from_query_result(row, "")?)).collect()
}

/// Returns the number of people who were active on each day in `range` that has any, in their order.
pub(super) async fn active(db: &impl ConnectionTrait, range: Range) -> Result<Vec<(NaiveDate, i64)>> {
    let sql = format!(
        "SELECT d.day, COUNT(*) AS people FROM (SELECT DISTINCT e.day, {PERSON} FROM visitor_days e {ALIAS} \
         WHERE e.day >= $1 AND e.day < $2) AS d GROUP BY d.day ORDER BY d.day"
    );
    let values = [Value::from(range.from), range.to.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "day")?, row.try_get("", "people")?))).collect()
}
