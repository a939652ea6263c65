//! Events in bulk, made by the database itself, and plain statements to compare with.

use crate::support::Bench;
use anyhow::{Context, ensure};
use chrono::{Days, NaiveDate};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait, TryGetable};
use std::time::{Duration, Instant};
use tollgate::analytics::{self, NewEvent, RecomputeVisits, Tracked};
use tollgate::auth::Viewer;
use tollgate::jobs::Job;

/// The events of one statement.
const STEP: u64 = 250_000;
/// The events of a session.
const SESSION: u64 = 8;
/// The days before today on which there are events.
const DAYS: u64 = 365;
/// The names of events, those of the generated company.
const NAMES: [&str; 8] = [
    "page_viewed",
    "pricing_viewed",
    "app_opened",
    "message_sent",
    "page_viewed",
    "comment_written",
    "export_made",
    "project_made",
];
/// The events of the day whose rollup is measured, and of one request.
const DAY: usize = 5_000;
const REQUEST: usize = 1_000;

/// Adds events until there are `count`, half of users and half of visitors, with everything that is made from them.
pub(crate) async fn fill(bench: &Bench, count: u64) -> anyhow::Result<()> {
    let db = bench.app.db.schema();
    let start = Instant::now();
    let mut there = u64::try_from(value::<i64>(db, "SELECT COUNT(*) FROM analytics_events").await?)?;
    if there >= count {
        return Ok(());
    }
    eprintln!("Generating events up to {count}");
    let users = value::<i64>(db, "SELECT COUNT(*) FROM users").await?;
    db.execute_unprepared(&numbered(db.get_database_backend())).await?;
    while there < count {
        let step = STEP.min(count - there);
        db.execute_unprepared(&some(db.get_database_backend(), there, step, users, today(bench))).await?;
        there += step;
    }
    db.execute_unprepared("DROP TABLE bench_users").await?;
    let id = if db.get_database_backend() == DbBackend::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    db.execute_unprepared(&format!(
        "INSERT INTO visitor_days (id, day, user_id, anonymous_id) SELECT {id}, e.day, e.user_id, e.anonymous_id \
         FROM (SELECT DISTINCT day, user_id, anonymous_id FROM analytics_events) AS e WHERE 1 = 1 ON CONFLICT DO NOTHING"
    ))
    .await?;
    let filled = start.elapsed();
    RecomputeVisits {}.run(&bench.app).await?;
    while value::<i64>(
        db,
        "SELECT COUNT(*) FROM activity_marks WHERE day IS NULL OR user_id IS NOT NULL OR anonymous_id IS NOT NULL",
    )
    .await?
        > 0
    {
        RecomputeVisits {}.run(&bench.app).await?;
    }
    let tidy = if db.get_database_backend() == DbBackend::Postgres { "VACUUM ANALYZE" } else { "ANALYZE" };
    db.execute_unprepared(tidy).await?;
    eprintln!("{:.0} s, and {:.0} s for the rollups", filled.as_secs_f64(), (start.elapsed() - filled).as_secs_f64());
    Ok(())
}

/// Returns the statement that numbers the users.
fn numbered(backend: DbBackend) -> String {
    let made = "CREATE TABLE bench_users AS SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM users";
    match backend {
        DbBackend::Postgres => {
            format!("{made}; CREATE UNIQUE INDEX bench_user ON bench_users (number); ANALYZE bench_users")
        }
        _ => format!("{made}; CREATE UNIQUE INDEX bench_user ON bench_users (number)"),
    }
}

/// Returns the statement that inserts `step` events from number `first` on. The events of a session are a minute apart;
/// sessions are spread over the days and people by their numbers.
fn some(backend: DbBackend, first: u64, step: u64, users: i64, today: NaiveDate) -> String {
    let last = first + step - 1;
    let seconds = DAYS * 86_400;
    let session = format!("(g.i / {SESSION})");
    let from = today.checked_sub_days(Days::new(DAYS)).unwrap_or(today);
    let after = format!("(({session} * 7919) % {seconds} + (g.i % {SESSION}) * 60)");
    let names = NAMES.iter().enumerate().map(|(at, name)| format!("WHEN {at} THEN '{name}'")).collect::<String>();
    let name = format!("CASE (g.i % {SESSION}) {names} END");
    let person = format!("(({session} * 104729) % {users})");
    let is_user = format!("{session} % 2 = 0");
    let (numbers, id, at, day) = match backend {
        DbBackend::Postgres => (
            format!("generate_series({first}, {last}) AS g(i)"),
            "(lpad(to_hex(1700000000000 + g.i), 12, '0') || '7000' || '8' || lpad(to_hex(g.i), 15, '0'))::uuid"
                .to_owned(),
            format!("(timestamp '{from}' + make_interval(secs => {after})) AT TIME ZONE 'UTC'"),
            format!("(timestamp '{from}' + make_interval(secs => {after}))::date"),
        ),
        _ => (
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n) AS g"
            ),
            "unhex(printf('%012x', 1700000000000 + g.i) || '70008' || printf('%015x', g.i))".to_owned(),
            format!("strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', '{from}', '+' || {after} || ' seconds')"),
            format!("date('{from}', '+' || {after} || ' seconds')"),
        ),
    };
    format!(
        "INSERT INTO analytics_events (id, name, user_id, anonymous_id, dedupe_key, page, referrer, occurred_at, day, recorded_at) \
         SELECT {id}, {name}, CASE WHEN {is_user} THEN u.id END, CASE WHEN NOT ({is_user}) THEN 'bench_' || {person} END, \
         'bench_' || g.i, CASE WHEN g.i % {SESSION} IN (0, 1, 4) THEN '/page/' || (g.i % 50) END, \
         CASE WHEN g.i % {SESSION} = 0 THEN 'https://search.example/' END, {at}, {day}, {at} \
         FROM {numbers} LEFT JOIN bench_users u ON u.number = {person} AND {is_user}"
    )
}

/// Records 5,000 events of yesterday, and returns the seconds that the job takes for them.
pub(crate) async fn roll_up_a_day(bench: &Bench, round: usize) -> anyhow::Result<f64> {
    let app = &bench.app;
    let yesterday =
        today(bench).pred_opt().and_then(|day| day.and_hms_opt(12, 0, 0)).context("There is no yesterday.")?;
    for request in 0..DAY / REQUEST {
        let event = |number: usize| NewEvent {
            name: NAMES[number % NAMES.len()].to_owned(),
            user_id: None,
            anonymous_id: Some(format!("day_{}", number % 1_500)),
            dedupe_key: format!("day:{round}:{request}:{number}:{}", app.new_id()),
            properties: None,
            page: None,
            referrer: None,
            occurred_at: Some(yesterday.and_utc()),
        };
        let events = (0..REQUEST).map(|number| Ok(event(number))).collect();
        let tracked = analytics::track(app, &Viewer::system("bench"), events).await?;
        ensure!(tracked.iter().all(|event| matches!(event, Ok(Tracked::Recorded))), "An event was not recorded.");
    }
    let start = Instant::now();
    RecomputeVisits {}.run(app).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Inserts events with plain statements of `rows` each on one connection for `time`, and returns the events per second.
pub(crate) async fn plain(bench: &Bench, rows: usize, time: Duration) -> anyhow::Result<f64> {
    let (db, app) = (bench.app.db.schema(), &bench.app);
    let backend = db.get_database_backend();
    let places: Vec<String> = (0..rows)
        .map(|row| {
            let place = |at: usize| format!("${}", row * 6 + at);
            format!(
                "({}, {}, {}, {}, {}, {}, {})",
                place(1),
                place(2),
                place(3),
                place(4),
                place(5),
                place(6),
                place(5)
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO analytics_events (id, name, anonymous_id, dedupe_key, occurred_at, day, recorded_at) VALUES {}",
        places.join(", ")
    );
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        let values = (0..rows).flat_map(|row| {
            let (id, now) = (app.new_id(), app.now());
            let visitor = format!("plain_{}", row % 100);
            [
                id.into(),
                NAMES[row % NAMES.len()].into(),
                visitor.into(),
                id.to_string().into(),
                now.fixed_offset().into(),
                now.date_naive().into(),
            ]
        });
        let transaction = db.begin().await?;
        transaction.execute_raw(Statement::from_sql_and_values(backend, &sql, values)).await?;
        transaction.commit().await?;
        done += u32::try_from(rows)?;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Returns today's date.
pub(crate) fn today(bench: &Bench) -> NaiveDate {
    bench.app.now().date_naive()
}

/// Returns the only value of a query.
async fn value<T: TryGetable>(db: &impl ConnectionTrait, sql: &str) -> anyhow::Result<T> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.context("The query has no row.")?.try_get_by_index(0)?)
}
