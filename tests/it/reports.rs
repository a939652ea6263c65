//! Reports: their rows have the figures of the API, by command, by the API and by schedule.

use crate::commands::{done, on};
use crate::support::{Company, SECRET, TestApp, both_engines};
use chrono::{Days, NaiveDate, TimeDelta};
use entity::revenue_daily;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tollgate::auth::Permission;
use tollgate::clock::Clock;
use uuid::Uuid;

both_engines!(
    a_report_has_the_figures_of_the_api,
    the_command_writes_the_report_of_the_api,
    a_report_that_cannot_be_made_is_refused,
    reports_are_limited_in_length_and_to_their_readers,
    reports_are_written_once_a_month_and_once_a_week,
);

const FIGURES: &str =
    "query($from: Date!, $to: Date!, $period: AnalyticsPeriod!, $discounts: DiscountPolicy!) { analytics {
    revenue(from: $from, to: $to, period: $period) {
        startsOn stream gross { amount currency } refunded { amount } net { amount } paymentCount refundCount
        tax { amount } fees { amount } unknownFeeCount disputed { amount } disputesLost { amount }
    }
    cohorts(from: $from, to: $to, period: $period, discounts: $discounts) {
        startsOn currency customerCount arr { amount }
        periods { number customerCount arr { amount } mrr { amount } logoRetention revenueRetention }
    }
    movements(from: $from, to: $to, period: $period, discounts: $discounts) {
        startsOn currency start { ...standing } end { ...standing }
        new { ...sum } expansion { ...sum } reactivation { ...sum } contraction { ...sum } churn { ...sum }
    }
} }
fragment standing on RecurringRevenueStanding { arr { amount } mrr { amount } count: customerCount }
fragment sum on MovementSum { arr { amount } mrr { amount } count: movementCount }";

const EXPORT: &str =
    "query($kind: ReportKind!, $from: Date!, $to: Date!, $period: AnalyticsPeriod, $discounts: DiscountPolicy,
    $format: ReportFormat!) { analytics {
    exportReport(kind: $kind, from: $from, to: $to, period: $period, discounts: $discounts, format: $format) {
        fileName contentType rowCount text
    }
} }";

/// The columns of revenue, each with the field that has its figure.
const REVENUE: [(&str, &str); 13] = [
    ("starts_on", "/startsOn"),
    ("currency", "/gross/currency"),
    ("stream", "/stream"),
    ("gross_minor", "/gross/amount"),
    ("refunded_minor", "/refunded/amount"),
    ("net_minor", "/net/amount"),
    ("payment_count", "/paymentCount"),
    ("refund_count", "/refundCount"),
    ("tax_minor", "/tax/amount"),
    ("fees_minor", "/fees/amount"),
    ("unknown_fee_count", "/unknownFeeCount"),
    ("disputed_minor", "/disputed/amount"),
    ("disputes_lost_minor", "/disputesLost/amount"),
];

type Line = Vec<(String, String)>;

/// The text of a figure, whether it is a string or a number.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

fn cells(row: &Value, columns: &[(impl AsRef<str>, impl AsRef<str>)]) -> Line {
    let cell = |path: &str| text(row.pointer(path).unwrap_or_else(|| panic!("no {path} in {row}")));
    columns.iter().map(|(name, path)| (name.as_ref().to_owned(), cell(path.as_ref()))).collect()
}

/// The lines of each report by the figures of the API.
fn expected(data: &Value) -> BTreeMap<&'static str, Vec<Line>> {
    let rows = |field: &str| data["analytics"][field].as_array().unwrap().clone();
    let revenue = rows("revenue").iter().map(|row| cells(row, &REVENUE)).collect();
    let mut cohorts = Vec::new();
    for cohort in rows("cohorts") {
        for period in cohort["periods"].as_array().unwrap() {
            let of_all = [
                ("starts_on", "/startsOn"),
                ("currency", "/currency"),
                ("cohort_customer_count", "/customerCount"),
                ("cohort_arr_minor", "/arr/amount"),
            ];
            let of_period = [
                ("period_number", "/number"),
                ("customer_count", "/customerCount"),
                ("arr_minor", "/arr/amount"),
                ("mrr_minor", "/mrr/amount"),
                ("logo_retention", "/logoRetention"),
                ("revenue_retention", "/revenueRetention"),
            ];
            cohorts.push([cells(&cohort, &of_all), cells(period, &of_period)].concat());
        }
    }
    let mut columns = vec![("starts_on".to_owned(), "/startsOn".to_owned()), ("currency".into(), "/currency".into())];
    for part in ["start", "new", "expansion", "reactivation", "contraction", "churn", "end"] {
        columns.push((format!("{part}_arr_minor"), format!("/{part}/arr/amount")));
        columns.push((format!("{part}_mrr_minor"), format!("/{part}/mrr/amount")));
        let count = if matches!(part, "start" | "end") { "customer_count" } else { "count" };
        columns.push((format!("{part}_{count}"), format!("/{part}/count")));
    }
    let movements = rows("movements").iter().map(|row| cells(row, &columns)).collect();
    BTreeMap::from([("REVENUE", revenue), ("COHORTS", cohorts), ("MOVEMENTS", movements)])
}

/// The lines of a file.
fn read(file: &str, format: &str) -> Vec<Line> {
    if format == "CSV" {
        assert!(file.ends_with("\r\n"), "every line ends: {file}");
        let mut reader = csv::Reader::from_reader(file.as_bytes());
        let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let line = |line: csv::StringRecord| names.iter().cloned().zip(line.iter().map(str::to_owned)).collect();
        return reader.records().map(|record| line(record.unwrap())).collect();
    }
    let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_str(file).unwrap();
    for (name, value) in rows.iter().flatten() {
        // Numbers of JSON lose digits, so that amounts are none.
        assert_eq!(value.is_number(), name.ends_with("count") || name == "period_number", "{name}: {value}");
    }
    rows.iter().map(|row| row.iter().map(|(name, value)| (name.clone(), text(value))).collect()).collect()
}

/// The lines without their order of columns, which objects of JSON do not keep.
fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.iter_mut().for_each(|line| line.sort());
    lines
}

async fn a_report_has_the_figures_of_the_api(test: &Company<80>) {
    test.complete().await;
    let (from, to) = ("2024-06-15", "2026-01-20");
    for (period, discounts) in [("MONTH", "ALL_ACTIVE"), ("WEEK", "FOREVER_ONLY")] {
        let range = json!({"from": from, "to": to, "period": period, "discounts": discounts});
        let expected = expected(&test.admin().data(FIGURES, range).await);
        for ((kind, lines), format) in expected.iter().flat_map(|of| [(of, "CSV"), (of, "JSON")]) {
            assert!(lines.len() > 5, "{kind}");
            let mut variables = json!({"kind": kind, "from": from, "to": to, "period": period, "format": format});
            if *kind != "REVENUE" {
                variables["discounts"] = discounts.into();
            }
            let exported = test.admin().data(EXPORT, variables).await["analytics"]["exportReport"].take();
            let file = read(exported["text"].as_str().unwrap(), format);
            if format == "CSV" {
                assert_eq!(&file, lines, "{kind}");
            }
            assert_eq!(sorted(file), sorted(lines.clone()), "{kind} {format}");
            assert_eq!(exported["rowCount"], lines.len());
            let ending = format.to_lowercase();
            assert_eq!(exported["fileName"], format!("{}-{from}-{to}.{ending}", kind.to_lowercase()));
            let media = if format == "CSV" { "text/csv; charset=utf-8" } else { "application/json" };
            assert_eq!(exported["contentType"], media);
        }
    }
}

async fn the_command_writes_the_report_of_the_api(test: &Company<80>) {
    test.complete().await;
    let directory = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // The command's clock is the machine's, so that cohorts have more months there.
    test.advance(Clock::System.now() - test.app.now());
    let (from, to) = ("2025-03-10", "2026-01-10");
    let range = json!({"from": from, "to": to, "period": "WEEK", "discounts": "ALL_ACTIVE"});
    let expected = expected(&test.admin().data(FIGURES, range).await);
    for ((kind, lines), format) in expected.iter().flat_map(|of| [(of, "CSV"), (of, "JSON")]) {
        let (word, ending) = (kind.to_lowercase(), format.to_lowercase());
        let range = ["--from", from, "--to", to, "--period", "week"];
        let mut args = [&["analytics", "export", &word][..], &range, &["--format", &ending]].concat();
        if *kind != "REVENUE" {
            args.extend(["--discounts", "all_active"]);
        }
        let out = done(test, &[&args[..], &["--output", "-"]].concat(), &[]);
        assert_eq!(sorted(read(&out, format)), sorted(lines.clone()), "{args:?}");
        assert_eq!(done(test, &args, &[]), out, "the output is the default");
        let file = directory.path().join(format!("{word}.{ending}"));
        std::fs::write(&file, "of before").unwrap();
        let path = file.to_str().unwrap();
        let run = on(test, &[&args[..], &["-o", path]].concat(), &[]);
        assert_eq!((run.status, run.out.as_str()), (0, ""), "{}", run.err);
        assert!(run.err.contains(&format!("{:>10}  rows in {path}\n", lines.len())), "{}", run.err);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), out);
    }
    assert_eq!(names(directory.path()).len(), 6, "nothing is left beside the files");
}

/// The names of the files of a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn a_report_that_cannot_be_made_is_refused(test: &TestApp) {
    let range = ["--from", "2026-01-01", "--to", "2026-02-01"];
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no such directory").join("file.csv");
    let missing = missing.to_str().unwrap();
    for (report, options, status, rule) in [
        ("revenues", &range[..], 2, "[possible values: revenue, cohorts, movements]"),
        ("revenue", &range[..2], 2, "--to <DATE>"),
        ("revenue", &["--from", "2026-02-30", "--to", "2026-03-01"], 2, "'2026-02-30' for '--from <DATE>'"),
        ("revenue", &[&range[..], &["--format", "xlsx"]].concat(), 2, "[possible values: csv, json]"),
        (
            "revenue",
            &[&range[..], &["--period", "hour"]].concat(),
            2,
            "[possible values: day, week, month, quarter, year, range]",
        ),
        ("cohorts", &[&range[..], &["--period", "day"]].concat(), 1, "Cohorts are by month or by week: choose one of"),
        ("revenue", &[&range[..], &["--discounts", "all_active"]].concat(), 1, "Cash does not depend on `discounts`"),
        ("revenue", &["--from", "2026-02-01", "--to", "2026-02-01"], 1, "The range must be 1 to 3,700 days long."),
        (
            "revenue",
            &[&range[..], &["--output", missing]].concat(),
            1,
            "no such directory/file.csv cannot be written: ",
        ),
        ("revenue", &[&range[..], &["--output", ".."]].concat(), 1, ".. cannot be written: "),
    ] {
        let run = on(test, &[&["analytics", "export", report], options].concat(), &[]);
        assert_eq!((run.status, run.out.as_str()), (status, ""), "{options:?}: {}", run.err);
        assert!(run.err.contains(rule), "{options:?}: {}", run.err);
    }
    let header = "starts_on,currency,stream,gross_minor,refunded_minor,net_minor,payment_count,refund_count,tax_minor,\
        fees_minor,unknown_fee_count,disputed_minor,disputes_lost_minor\r\n";
    assert_eq!(done(test, &[&["analytics", "export", "revenue"], &range[..]].concat(), &[]), header);
}

async fn reports_are_limited_in_length_and_to_their_readers(test: &TestApp) {
    let first: NaiveDate = "2016-01-01".parse().unwrap();
    let row = |number: u32| revenue_daily::Model {
        id: Uuid::from_u128(number.into()),
        day: first + Days::new(number.into()),
        currency: "EUR".to_owned(),
        stream: "other".to_owned(),
        gross_minor: 5,
        payment_count: 1,
        fee_minor: 0,
        unknown_fee_count: 1,
        refunded_minor: 7,
        refund_count: 1,
        tax_minor: 0,
        disputed_minor: 0,
        lost_minor: 0,
    };
    for rows in (0..2_001).collect::<Vec<_>>().chunks(500) {
        let rows = rows.iter().map(|number| row(*number).into_active_model());
        revenue_daily::Entity::insert_many(rows).exec(test.app.db.schema()).await.unwrap();
    }
    let variables = |days: u64| json!({"kind": "REVENUE", "from": first, "to": first + Days::new(days), "period": "DAY", "format": "CSV"});
    let reader = test.service(&[Permission::AnalyticsRead]);
    let exported = reader.data(EXPORT, variables(2_000)).await["analytics"]["exportReport"].take();
    assert_eq!(exported["rowCount"], 2_000);
    let text = exported["text"].as_str().unwrap();
    assert!(text.contains("\r\n2016-01-02,EUR,OTHER,5,7,-2,1,1,0,0,1,0,0\r\n"), "{text}");
    let error = reader.post(EXPORT, variables(2_001)).await.json()["errors"][0].take();
    assert_eq!(error["extensions"]["code"], "REPORT_TOO_LONG");
    let rule = "This report has 2001 rows, and at most 2,000 are allowed here: shorten the range, choose longer periods, or \
        run `tollgate analytics export revenue`.";
    assert_eq!(error["message"], rule);
    let last = (first + Days::new(2_001)).to_string();
    let whole = ["analytics", "export", "revenue", "--period", "day", "--from", "2016-01-01", "--to", &last];
    assert_eq!(done(test, &whole, &[]).lines().count(), 2_002);
    for (kind, argument) in [("COHORTS", "period: YEAR"), ("REVENUE", "discounts: ALL_ACTIVE")] {
        let field = format!("exportReport(kind: {kind}, from: \"2026-01-01\", to: \"2026-02-01\", {argument})");
        assert_eq!(
            reader.code(&format!("{{ analytics {{ {field} {{ text }} }} }}"), json!({})).await,
            "BAD_USER_INPUT"
        );
    }
    for client in [test.user("alice"), test.anonymous(), test.service(&[Permission::BillingRead])] {
        let code = client.code(EXPORT, variables(1)).await;
        assert!(["FORBIDDEN", "UNAUTHENTICATED"].contains(&code.as_str()), "{code}");
    }
}

async fn reports_are_written_once_a_month_and_once_a_week(test: &Company<40>) {
    let directory = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path();
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_REPORTS_DIRECTORY", path.to_str().unwrap())];
    // A Thursday. Nodes without the setting leave reports to those that have it.
    test.run_jobs().await;
    assert_eq!(names(path), [""; 0]);
    let node = test.beside_at(test.app.clock.clone(), &settings).await;
    node.run_jobs().await;
    let markers = [".cohorts.last", ".revenue.last", ".weekly-cohorts.last"];
    let of = [
        ("cohorts-2025-12", "COHORTS", "2016-01-01", "2026-01-01", "MONTH"),
        ("revenue-2025-12", "REVENUE", "2025-12-01", "2026-01-01", "MONTH"),
        ("weekly-cohorts-2026-01-12", "COHORTS", "2024-01-15", "2026-01-12", "WEEK"),
    ];
    let both = |name: &str| ["csv", "json"].map(|ending| format!("{name}.{ending}"));
    let files = of.iter().flat_map(|(name, ..)| both(name));
    assert_eq!(names(path), markers.map(str::to_owned).into_iter().chain(files).collect::<Vec<_>>());
    for ((name, kind, from, to, period), format) in of.into_iter().flat_map(|of| [(of, "CSV"), (of, "JSON")]) {
        let name = format!("{name}.{}", format.to_lowercase());
        let variables = json!({"kind": kind, "from": from, "to": to, "period": period, "format": format});
        // A text of the API has 2,000 rows at most.
        let exported = node.admin().data(EXPORT, variables).await["analytics"]["exportReport"].take();
        assert_eq!(std::fs::read_to_string(path.join(&name)).unwrap(), exported["text"].as_str().unwrap(), "{name}");
        assert!(exported["rowCount"].as_i64().unwrap() > 0, "{name}");
        // Somebody takes the file away, and it does not come again.
        std::fs::remove_file(path.join(&name)).unwrap();
    }
    let other = test.beside_at(test.app.clock.clone(), &settings).await;
    let mut seen = Vec::new();
    for _ in 0..4 * 18 {
        test.advance(TimeDelta::hours(6));
        for node in [&node, &other] {
            node.run_jobs().await;
            for name in names(path).into_iter().filter(|name| !markers.contains(&name.as_str())) {
                std::fs::remove_file(path.join(&name)).unwrap();
                seen.push((test.app.now().format("%a %d %H").to_string(), name));
            }
        }
    }
    let wanted = [
        ("Mon 19 06", "weekly-cohorts-2026-01-19"),
        ("Mon 26 06", "weekly-cohorts-2026-01-26"),
        ("Sun 01 06", "cohorts-2026-01"),
        ("Sun 01 06", "revenue-2026-01"),
        ("Mon 02 06", "weekly-cohorts-2026-02-02"),
    ];
    let wanted = wanted.into_iter().flat_map(|(at, name)| both(name).map(|file| (at.to_owned(), file)));
    assert_eq!(seen, wanted.collect::<Vec<_>>());
    // A report that cannot be written is tried again.
    std::fs::write(path.join(".weekly-cohorts.last"), "yesterday").unwrap();
    test.advance(TimeDelta::hours(1));
    let tally = tollgate::worker::worker(&node.app.config).run_due(&node.app).await.unwrap();
    assert_eq!(tally.failed, 1, "a marker without a date");
    std::fs::remove_file(path.join(".weekly-cohorts.last")).unwrap();
    test.advance(TimeDelta::hours(1));
    node.run_jobs().await;
    assert!(path.join("weekly-cohorts-2026-02-02.csv").exists());
}
