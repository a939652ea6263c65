//! Licences as operators issue and applications check them, with the real program.

use crate::support::{Subject, TestApp, TestDatabase, both_engines, local_id, sql};
use sea_orm::{Database, DatabaseConnection};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use tollgate::accounts::AccountKind;
use tollgate::auth::Viewer;
use tollgate::licences::{self, Backfill, Issued};

both_engines!(
    everyone_who_has_none_gets_one,
    a_backfill_that_was_killed_goes_on_and_gives_nobody_two,
    two_backfills_at_once_give_nobody_two,
    no_key_is_in_the_log,
    the_connection_says_where_a_request_comes_from,
);

/// The directory and database of the program.
struct Place(String);

impl Subject for Place {
    async fn start(database: &TestDatabase) -> Self {
        Place(database.url().to_owned())
    }

    async fn finish(self) {}
}

/// A server that runs as a process of its own.
struct Server {
    process: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Place {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.env_clear().env("TOLLGATE_DATABASE_URL", &self.0).env("TOLLGATE_LISTEN", "127.0.0.1:0");
        command.env("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.envs(settings.iter().copied());
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| {
            let (_, rest) = line.split_once("listening on http://")?;
            Some(rest.split_once("/graphql").unwrap().0.to_owned())
        });
        // Read to its end, so that the server never waits for a reader.
        let log = Some(std::thread::spawn(move || lines.collect::<Vec<_>>().join("\n")));
        Server { process, address: address.expect("the server listens"), log }
    }

    fn token(&self, user: &str, role: &str) -> String {
        String::from_utf8(self.run(&["token", "--user", user, "--role", role]).stdout).unwrap().trim().to_owned()
    }

    async fn db(&self) -> DatabaseConnection {
        Database::connect(&self.0).await.unwrap()
    }

    /// A database with so many people, each with an account of their own.
    async fn people(&self, number: u64) -> DatabaseConnection {
        let seeded = self.run(&["seed", "--users", &number.to_string()]);
        assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
        self.db().await
    }
}

impl Server {
    /// Ends it, and gives all that it logged.
    fn logged(mut self) -> String {
        self.process.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }

    /// The whole reply, as it came over the wire.
    fn ask(&self, headers: &str, query: &str, variables: &Value) -> String {
        let body = json!({"query": query, "variables": variables}).to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn data(&self, token: &str, query: &str, variables: &Value) -> Value {
        let reply = self.ask(&format!("authorization: Bearer {token}\r\n"), query, variables);
        let mut json: Value = serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert!(json.get("errors").is_none(), "{json}");
        json["data"].take()
    }
}

async fn count(db: &DatabaseConnection, condition: &str) -> i64 {
    sql::number(db, &format!("SELECT COUNT(*) FROM license_keys WHERE {condition}")).await
}

/// The condition of the accounts that get a licence.
const PEOPLE: &str = "SELECT COUNT(*) FROM accounts AS a JOIN users AS u ON u.id = a.owner_id \
    WHERE a.kind = 'individual' AND u.erased_at IS NULL";

/// Each individual account has one licence, and no other account has any, nor has that of someone who was erased.
async fn each_has_one(db: &DatabaseConnection) {
    let wrong = "SELECT COUNT(*) FROM accounts AS a JOIN users AS u ON u.id = a.owner_id WHERE \
        (SELECT COUNT(*) FROM license_keys AS l WHERE l.account_id = a.id) \
        <> CASE WHEN a.kind = 'individual' AND u.erased_at IS NULL THEN 1 ELSE 0 END";
    assert_eq!(sql::number(db, wrong).await, 0);
}

async fn everyone_who_has_none_gets_one(place: &Place) {
    let db = place.people(40).await;
    let people = sql::number(&db, PEOPLE).await;
    let table = |first: &str, second: &str, third: &str| {
        format!("{first:>10}  individual accounts\n{second:>10}  had a licence already\n{third}")
    };
    let all = people.to_string();

    let dry = place.run(&["licences", "issue-missing", "--dry-run"]);
    let would = format!("{all:>10}  would get one, for 3 devices each\n");
    assert_eq!(String::from_utf8_lossy(&dry.stdout), table(&all, "0", &would));
    assert_eq!(count(&db, "TRUE").await, 0);

    let issued = place.run(&["licences", "issue-missing", "--max-devices", "5"]);
    let got = format!("{all:>10}  got one, for 5 devices each\n");
    assert_eq!(String::from_utf8_lossy(&issued.stdout), table(&all, "0", &got), "{issued:?}");
    each_has_one(&db).await;
    let as_told = "source = 'backfill' AND max_devices = 5 AND hash IS NULL AND status = 'active'";
    assert_eq!(count(&db, as_told).await, people);
    let deeds = "SELECT COUNT(*) FROM audit_log WHERE action = 'license_keys.issue' AND actor = 'system:licences'";
    assert_eq!(sql::number(&db, deeds).await, people);

    let again = place.run(&["licences", "issue-missing"]);
    let none = format!("{:>10}  got one, for 3 devices each\n", 0);
    assert_eq!(String::from_utf8_lossy(&again.stdout), table(&all, &all, &none));
    each_has_one(&db).await;
    let teams = place.run(&["licences", "issue-missing", "--kind", "team"]);
    assert!(teams.status.success(), "{teams:?}");
    let wrong = place.run(&["licences", "issue-missing", "--kind", "nobody"]);
    assert_eq!(wrong.status.code(), Some(2));
    db.close().await.unwrap();
}

async fn a_backfill_that_was_killed_goes_on_and_gives_nobody_two(place: &Place) {
    let db = place.people(1_600).await;
    let people = sql::number(&db, PEOPLE).await;
    let mut process = place.command(&["licences", "issue-missing"]).stdout(Stdio::null()).spawn().unwrap();
    // Killed as soon as some licences are there, at whatever point that is.
    while count(&db, "TRUE").await == 0 && process.try_wait().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let before = count(&db, "TRUE").await;
    assert!(before > 0 && before % 500 == 0, "{before} were there: whole batches alone are");
    assert!(before < people, "it was killed too late to show anything");
    let finished = place.run(&["licences", "issue-missing"]);
    let out = String::from_utf8_lossy(&finished.stdout);
    assert!(out.contains(&format!("{before:>10}  had a licence already")), "{out}");
    assert!(out.contains(&format!("{:>10}  got one", people - before)), "{out}");
    each_has_one(&db).await;
    db.close().await.unwrap();
}

async fn two_backfills_at_once_give_nobody_two(test: &TestApp) {
    let mut accounts = Vec::new();
    for number in 0..40 {
        let query = "{ viewer { account { id } } }";
        let id = test.user(&format!("user-{number}")).data(query, json!({})).await["viewer"]["account"]["id"].take();
        accounts.push(local_id(id.as_str().unwrap()).1);
    }
    let viewer = Viewer::system("licences");
    let plan = Backfill { kind: AccountKind::Individual, max_devices: 2, dry_run: false };
    let runs = (0..6).map(|_| licences::issue_missing(&test.app, &viewer, &plan, |_, _| {}));
    let done: Vec<Issued> = futures_util::future::join_all(runs).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().map(|done| done.issued).sum::<u64>(), 40);
    let db = test.app.db.schema();
    each_has_one(db).await;
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM audit_log").await, 40);
    // A licence that was revoked is one that the account had; people who were erased get none.
    sql::execute(db, "UPDATE license_keys SET status = 'revoked', revoked_by = 'admin', revoked_at = created_at").await;
    let again = licences::issue_missing(&test.app, &viewer, &plan, |_, _| {}).await.unwrap();
    assert_eq!(again, Issued { accounts: 40, missing: 0, issued: 0 });
    test.user("erased").data("{ viewer { account { id } } }", json!({})).await;
    sql::execute(
        db,
        "UPDATE users SET erased_at = created_at WHERE id IN (SELECT user_id FROM user_identities \
        WHERE subject = 'erased')",
    )
    .await;
    let again = licences::issue_missing(&test.app, &viewer, &plan, |_, _| {}).await.unwrap();
    assert_eq!(again, Issued { accounts: 40, missing: 0, issued: 0 });
    let nobody = Viewer::anonymous();
    assert!(licences::issue_missing(&test.app, &nobody, &plan, |_, _| {}).await.is_err());
}

async fn no_key_is_in_the_log(place: &Place) {
    let server = place.serve(&[("TOLLGATE_LOG", "trace")]);
    let (alice, admin) = (place.token("alice", "user"), place.token("admin", "admin"));
    let account = server.data(&alice, "{ viewer { account { id } } }", &json!({}))["viewer"]["account"]["id"].take();
    let issue = "mutation($account: ID!) { issueLicenseKey(input: {accountId: $account, idempotencyKey: \"k\"}) {
        key licenseKey { id keyPrefix } } }";
    let issued = server.data(&admin, issue, &json!({"account": account}))["issueLicenseKey"].take();
    let key = issued["key"].as_str().unwrap().to_owned();
    let register = "mutation($key: String!) { registerDevice(input: {key: $key, fingerprint: \"a\"}) {
        registration { devicesUsed } } }";
    server.data(&alice, register, &json!({"key": key}));
    let status = "query($key: String!) { licenseStatus(key: $key, fingerprint: \"a\") { valid } }";
    assert_eq!(server.data(&alice, status, &json!({"key": key}))["licenseStatus"]["valid"], true);
    let replace = "mutation($id: ID!) { replaceLicenseKey(input: {licenseKeyId: $id}) { key } }";
    let replaced = server.data(&alice, replace, &json!({"id": issued["licenseKey"]["id"]}));
    let other = replaced["replaceLicenseKey"]["key"].as_str().unwrap().to_owned();
    let log = server.logged();
    assert!(log.contains("DEBUG") && log.contains("/graphql"), "the log is a full one: {log}");
    for key in [key, other] {
        assert!(!log.contains(&key[15..]) && !log.contains(&key.replace('-', "")[12..]));
    }
}

async fn the_connection_says_where_a_request_comes_from(place: &Place) {
    let limit = ("TOLLGATE_LICENSE_CHECKS_PER_MINUTE", "2");
    let status = "{ licenseStatus(key: \"TG\", fingerprint: \"a\") { status } }";
    let heads = |server: &Server| {
        let ask = |number: u32| server.ask(&format!("x-forwarded-for: 203.0.113.{number}\r\n"), status, &json!({}));
        [1, 2, 3].map(|number| ask(number).lines().next().unwrap().to_owned())
    };
    let ours = "HTTP/1.1 200 OK";
    let direct = place.serve(&[limit]);
    assert_eq!(heads(&direct), [ours, ours, "HTTP/1.1 429 Too Many Requests"]);
    let refused = direct.ask("", status, &json!({}));
    assert!(refused.contains("\r\nretry-after: ") && refused.contains("\"RATE_LIMITED\""), "{refused}");
    drop(direct);
    let behind = place.serve(&[limit, ("TOLLGATE_TRUSTED_PROXIES", "127.0.0.1")]);
    assert_eq!(heads(&behind), [ours, ours, ours]);
}
