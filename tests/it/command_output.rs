//! The output of each command line by line, and what a wrong argument is told.

use crate::cli::tollgate;
use crate::commands::{done, on};
use crate::support::{Company, SECRET, Shop, TestApp, both_engines, sql};

both_engines!(
    licences_are_counted_and_issued_to_those_without,
    a_rebuild_lists_each_row_that_differs,
    a_replay_says_how_many_events_match,
    migrations_are_reported_one_by_one,
    a_seed_is_reported_table_by_table,
);

/// Returns a line with a number, as the commands print it.
fn line(number: u64, rest: &str) -> String {
    format!("{number:>10}  {rest}\n")
}

async fn count(test: &TestApp, sql: &str) -> u64 {
    u64::try_from(sql::number(test.app.db.read(), sql).await).unwrap()
}

async fn licences_are_counted_and_issued_to_those_without(test: &Company<12>) {
    let command = ["licences", "issue-missing"];
    let issued = async || count(test, "SELECT COUNT(*) FROM license_keys").await;
    for kind in ["individual", "couple", "team", "organisation"] {
        let all = count(test, &format!("SELECT COUNT(*) FROM accounts WHERE kind = '{kind}'")).await;
        let before = issued().await;
        let dry = done(test, &[&command[..], &["--kind", kind, "--dry-run"]].concat(), &[]);
        let head = line(all, &format!("{kind} accounts")) + &line(0, "had a licence already");
        assert_eq!(dry, format!("{head}{}", line(all, "would get one, for 3 devices each")), "{kind}");
        assert_eq!(issued().await, before, "a dry run issues none");
        let run = done(test, &[&command[..], &["--kind", kind, "--max-devices", "7"]].concat(), &[]);
        assert_eq!(run, format!("{head}{}", line(all, "got one, for 7 devices each")), "{kind}");
        assert_eq!(issued().await, before + all);
        let again = done(test, &[&command[..], &["--kind", kind]].concat(), &[]);
        let head = line(all, &format!("{kind} accounts")) + &line(all, "had a licence already");
        assert_eq!(again, format!("{head}{}", line(0, "got one, for 3 devices each")), "{kind}");
    }
    let other = "SELECT COUNT(*) FROM license_keys WHERE max_devices <> 7 OR source <> 'backfill' OR hash IS NOT NULL";
    assert_eq!(count(test, other).await, 0, "they have no key until their owners ask for one");
    let setting = [("TOLLGATE_LICENSE_MAX_DEVICES", "9")];
    let dry = done(test, &[&command[..], &["--dry-run"]].concat(), &setting);
    assert!(dry.ends_with(&line(0, "would get one, for 9 devices each")), "{dry}");
}

async fn a_rebuild_lists_each_row_that_differs(shop: &Shop) {
    let rebuild = |options: &[&str]| done(&shop.test, &[&["inbox", "rebuild"], options].concat(), &[]);
    let healthy = rebuild(&["--dry-run"]);
    let lines: Vec<_> = healthy.lines().collect();
    assert_eq!(lines.len(), 3, "{healthy}");
    assert!(lines[0].ends_with("  objects") && lines[1].ends_with("  objects wait for something"), "{healthy}");
    assert_eq!(lines[2], line(0, "rows differ").trim_end());
    let db = shop.test.app.db.schema();
    sql::execute(db, "UPDATE provider_prices SET active = FALSE WHERE external_id = 'price_pro'").await;
    sql::execute(db, "DELETE FROM provider_prices WHERE external_id = 'price_seats'").await;
    let dry = rebuild(&["--dry-run"]);
    assert!(dry.contains("provider_prices price_pro  active: false -> true\n"), "{dry}");
    assert!(dry.contains("provider_prices price_seats  is missing\n"), "{dry}");
    assert_eq!(rebuild(&["--dry-run"]), dry, "a dry run changes nothing");
    let rebuilt = rebuild(&[]);
    assert!(rebuilt.contains(&line(2, "rows differ")), "{rebuilt}");
    assert!(rebuilt.contains(&line(2, "provider_prices: 1 missing, 1 different, 0 extra")), "{rebuilt}");
    assert!(rebuilt.contains("provider_prices price_pro  active: false -> true\n"), "{rebuilt}");
    assert!(rebuilt.contains("provider_prices price_seats  is missing\n"), "{rebuilt}");
    assert_eq!(rebuild(&["--dry-run"]), healthy, "then the mirror is healthy again");
    let sold = "SELECT COUNT(*) FROM provider_prices WHERE active AND external_id IN ('price_pro', 'price_seats')";
    assert_eq!(count(&shop.test, sold).await, 2);
}

async fn a_replay_says_how_many_events_match(shop: &Shop) {
    let applied = async || count(&shop.test, "SELECT COUNT(*) FROM inbox_events WHERE state = 'applied'").await;
    let all = applied().await;
    assert!(all > 5, "{all}");
    let replay = |options: &[&str]| done(&shop.test, &[&["inbox", "replay"], options].concat(), &[]);
    assert_eq!(replay(&[]), line(0, "events are applied again by the worker"), "none failed");
    let dry = replay(&["--state", "applied", "--dry-run"]);
    assert_eq!(dry, line(all, "events would be applied again") + &line(0, "rows differ"));
    let kinds = "SELECT kind FROM inbox_events WHERE state = 'applied' ORDER BY id";
    let kinds: Vec<String> = sql::column(shop.test.app.db.read(), kinds, []).await;
    let of_kind = u64::try_from(kinds.iter().filter(|kind| *kind == &kinds[0]).count()).unwrap();
    let dry = replay(&["--kind", &kinds[0], "--state", "applied", "--dry-run"]);
    assert_eq!(dry, line(of_kind, "events would be applied again") + &line(0, "rows differ"));
    let one = "SELECT external_id FROM inbox_events WHERE state = 'applied' ORDER BY id LIMIT 1";
    let one: String = sql::column(shop.test.app.db.read(), one, []).await.remove(0);
    assert_eq!(replay(&["--id", &one]), line(1, "events are applied again by the worker"));
    assert_eq!(applied().await, all - 1, "it waits for the worker");
    assert_eq!(replay(&["--state", "applied"]), line(all - 1, "events are applied again by the worker"));
    assert_eq!(applied().await, 0);
}

async fn migrations_are_reported_one_by_one(test: &TestApp) {
    let names: Vec<_> = migration::changes().iter().map(|change| change.name).collect();
    let (last, before) = (names[names.len() - 1], names[names.len() - 2]);
    assert_eq!(done(test, &["migrate", "down", "--count", "0"], &[]), "nothing to do\n");
    assert_eq!(done(test, &["migrate", "down", "--count", "2"], &[]), format!("undone  {last}\nundone  {before}\n"));
    let run = on(test, &["migrate", "check"], &[]);
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert_eq!(run.err, "tollgate: 2 migrations are pending. Run `tollgate migrate up`.\n");
    assert_eq!(done(test, &["migrate", "up"], &[]), format!("applied  {before}\napplied  {last}\n"));
    assert_eq!(done(test, &["migrate", "up"], &[]), "nothing to do\n");
    assert_eq!(done(test, &["migrate", "check"], &[]), "the schema is up to date\n");
}

async fn a_seed_is_reported_table_by_table(test: &TestApp) {
    let out = done(test, &["seed", "--users", "4"], &[]);
    for written in out.lines().filter(|line| !line.contains("rows in")) {
        let (number, table) = written.trim_start().split_once("  ").unwrap_or_else(|| panic!("{written}"));
        let found = count(test, &format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(number.parse::<u64>().unwrap(), found, "{table}: {out}");
    }
    assert!(out.lines().count() > 25, "{out}");
}

#[test]
fn a_wrong_argument_is_told_with_the_ones_that_there_are() {
    let secret = [("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    for (arguments, words) in [
        (&["token"][..], &["--user <SUBJECT>"][..]),
        (&["token", "--user"], &["--user <SUBJECT>"]),
        (&["token", "--user", "a", "--role", "root"], &["root", "admin", "service", "user"]),
        (&["token", "--user", "a", "--ttl-s", "soon"], &["soon", "--ttl-s"]),
        (&["licences"], &["issue-missing"]),
        (&["licences", "issue-missing", "--max-devices", "0"], &["0", "--max-devices", "1..=10000"]),
        (&["licences", "issue-missing", "--max-devices", "10001"], &["10001", "1..=10000"]),
        (&["licences", "issue-missing", "--kind", "family"], &["family", "individual", "couple", "team"]),
        (&["inbox", "replay", "--state", "lost"], &["lost", "received", "applied", "ignored", "failed", "parked"]),
        (&["inbox", "replay", "--colour", "red"], &["--colour"]),
        (&["inbox", "forget"], &["forget"]),
        (&["reconcile"], &["--since <WHEN>"]),
        (&["migrate", "down", "--count", "many"], &["many", "--count"]),
        (&["migrate"], &["up", "down", "status", "check"]),
        (&["seed", "--users", "0"], &["0", "--users"]),
        (&["bill"], &["bill"]),
        (&["--colour"], &["--colour"]),
    ] {
        let run = tollgate(arguments, &secret);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        for word in words {
            assert!(run.err.contains(word), "{arguments:?}: {word} is not in {}", run.err);
        }
    }
}

#[test]
fn a_value_that_only_the_command_can_judge_ends_it_with_one() {
    let secret = [("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    let scopes = "Unknown scope. The scopes are billing:read, billing:write, catalogue:write, credits:write, keys:write, \
        analytics:read, events:write, audit:read, operations:read, operations:write.";
    let time = |text: &str| {
        format!("`{text}` is not a time: write a date, an instant, or a length of time such as 90m, 24h or 7d.")
    };
    for (arguments, message) in [
        (&["token", "--user", "a", "--role", "service", "--scope", "billing"][..], scopes.to_owned()),
        (&["inbox", "replay", "--since", "yesterday"], time("yesterday")),
        (&["inbox", "replay", "--since", "7"], time("7")),
        (&["inbox", "replay", "--since", "2026-02-30"], time("2026-02-30")),
        (&["reconcile", "--since", "1y"], time("1y")),
    ] {
        let run = tollgate(arguments, &secret);
        assert_eq!((run.status, run.out.as_str()), (1, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("tollgate: ") && run.err.contains(&message), "{arguments:?}: {}", run.err);
    }
}
