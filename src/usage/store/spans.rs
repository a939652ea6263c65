//! Queries on the use of meters in spans of time.

use crate::db::stored_instant;
use crate::error::Result;
use crate::usage::spans::Span;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

/// A part of the use in a span.
#[derive(FromQueryResult)]
pub(in crate::usage) struct Part {
    /// The number of the span.
    pub(in crate::usage) n: i64,
    /// The aggregation of the meter.
    pub(in crate::usage) aggregation: String,
    /// The sum of the values, divided by 2^32 one by one.
    pub(in crate::usage) high: i64,
    /// The sum of what these divisions left over.
    pub(in crate::usage) low: i64,
    /// The greatest value of a meter that has one.
    pub(in crate::usage) greatest: Option<i64>,
    /// The number of different values of a meter that counts them.
    pub(in crate::usage) different: i64,
}

/// The instants and days of a span: whole days are read from their sums.
struct Cut {
    days: (NaiveDate, NaiveDate),
    events: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Returns the parts of the use in each span, in one statement. A sum has those of whole days from the sums of days, so
/// that at most two days of events are read; different values are counted in the events.
pub(in crate::usage) async fn parts(db: &impl ConnectionTrait, spans: &[Span]) -> Result<Vec<Part>> {
    const STANDS: &str =
        "u.corrects_id IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events c WHERE c.corrects_id = u.id)";
    let (mut days, mut events, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    for (number, span) in spans.iter().enumerate() {
        let cut = Cut::of(span);
        let key = |since: String, until: String| json!({"n": number, "account": id(span.account_id), "meter": id(span.meter_id), "since": since, "until": until});
        if cut.days.0 < cut.days.1 {
            days.push(key(cut.days.0.to_string(), cut.days.1.to_string()));
        }
        let instants = cut.events.iter().filter(|(since, until)| since < until);
        events.extend(instants.map(|(since, until)| key(stored_instant(*since), stored_instant(*until))));
        wholes.push(key(stored_instant(span.window.start), stored_instant(end(span))));
    }
    let backend = db.get_database_backend();
    let keys = |parameter: &str, kind: &str| match backend {
        DbBackend::Postgres => format!(
            "jsonb_to_recordset({parameter}::jsonb) AS k(n bigint, account uuid, meter uuid, since {kind}, until {kind})"
        ),
        _ => format!(
            "(SELECT value->>'n' AS n, unhex(value->>'account') AS account, unhex(value->>'meter') AS meter, \
             value->>'since' AS since, value->>'until' AS until FROM json_each({parameter})) AS k"
        ),
    };
    // Both halves are summed apart, since their sums stay in range.
    let sums = |value: &str| {
        format!("CAST(SUM({value} >> 32) AS bigint) AS high, CAST(SUM({value} & 4294967295) AS bigint) AS low")
    };
    let (of_days, of_events, of_wholes) = (keys("$1", "date"), keys("$2", "timestamptz"), keys("$3", "timestamptz"));
    let within = "u.account_id = k.account AND u.meter_id = k.meter AND u.occurred_at >= k.since \
        AND u.occurred_at < k.until";
    let sql = format!(
        "SELECT k.n, m.aggregation, {}, MAX(d.value) AS greatest, 0 AS different \
         FROM {of_days} CROSS JOIN meters m CROSS JOIN usage_daily d \
         WHERE m.id = k.meter AND m.aggregation <> 'unique' AND d.account_id = k.account AND d.meter_id = k.meter \
         AND d.day >= k.since AND d.day < k.until GROUP BY k.n, m.aggregation \
         UNION ALL SELECT k.n, m.aggregation, {}, \
         MAX(CASE WHEN m.aggregation = 'max' AND {STANDS} THEN u.value END) AS greatest, 0 AS different \
         FROM {of_events} CROSS JOIN meters m CROSS JOIN usage_events u \
         WHERE m.id = k.meter AND m.aggregation <> 'unique' AND {within} GROUP BY k.n, m.aggregation \
         UNION ALL SELECT k.n, m.aggregation, 0 AS high, 0 AS low, NULL AS greatest, \
         COUNT(DISTINCT u.unique_value) AS different \
         FROM {of_wholes} CROSS JOIN meters m CROSS JOIN usage_events u \
         WHERE m.id = k.meter AND m.aggregation = 'unique' AND {within} AND {STANDS} GROUP BY k.n, m.aggregation",
        sums("d.value"),
        sums("u.value"),
    );
    let lists = [days, events, wholes].map(|list| Value::Array(list).to_string().into());
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, lists)).await?;
    rows.iter().map(|row| Ok(Part::from_query_result(row, "")?)).collect()
}

impl Cut {
    fn of(span: &Span) -> Cut {
        let (since, until) = (span.window.start, end(span));
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let first = since.date_naive();
        let first = if midnight(first) == since { first } else { first + Days::new(1) };
        let last = until.date_naive();
        if first >= last {
            return Cut { days: (first, first), events: vec![(since, until)] };
        }
        Cut { days: (first, last), events: vec![(since, midnight(first)), (midnight(last), until)] }
    }
}

/// Returns the end of a span; for all time one that no event reaches.
fn end(span: &Span) -> DateTime<Utc> {
    let far = || NaiveDate::from_ymd_opt(9999, 1, 1).unwrap_or(NaiveDate::MAX).and_time(NaiveTime::MIN).and_utc();
    span.window.end.unwrap_or_else(far)
}

fn id(id: Uuid) -> String {
    id.simple().to_string()
}
