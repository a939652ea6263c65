//! The demo, as a process: a person who looks at it for the first time buys a plan in it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time limit for the demo to start, and for a purchase to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A demo that runs, and what it printed.
struct Demo {
    process: Child,
    welcome: String,
    _directory: tempfile::TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Demo {
    fn start(env: &[(&str, &str)]) -> Demo {
        let directory = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["demo", "--users", "40", "--listen", "127.0.0.1:0"]).env_clear().envs(env.iter().copied());
        command.current_dir(directory.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut welcome = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            welcome.push_str(&line);
            welcome.push('\n');
            if line.starts_with("ctrl-c stops") {
                break;
            }
        }
        Demo { process, welcome, _directory: directory }
    }

    /// The text between the first `before` and the next `after`.
    fn told(&self, before: &str, after: &str) -> &str {
        let rest = self.welcome.split_once(before).unwrap_or_else(|| panic!("no {before}: {}", self.welcome)).1;
        rest.split(after).next().unwrap()
    }

    fn address(&self) -> &str {
        self.told("at http://", "/graphql")
    }

    /// The tokens of the customer, of who has just come, and of the admin.
    fn tokens(&self) -> Vec<&str> {
        self.welcome.split("Bearer ").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    /// Sends a request like a browser; its status, the address that it leads to, and its body.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let address = self.address();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\
             {headers}\r\n{body}"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let location = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
        (head[9..12].parse().unwrap(), location.to_owned(), body.to_owned())
    }

    fn ask(&self, token: &str, query: &str) -> Value {
        let headers = format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
        let (status, _, body) = self.send("POST", "/graphql", &headers, &json!({"query": query}).to_string());
        let reply: Value = serde_json::from_str(&body).unwrap();
        assert!(status == 200 && reply.get("errors").is_none(), "{reply}");
        reply["data"].clone()
    }

    /// Asks until the answer is right.
    fn wait_for(&self, token: &str, query: &str, right: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        let mut answer = self.ask(token, query);
        while !right(&answer) {
            assert!(start.elapsed() < PATIENCE, "{query}: {answer}");
            answer = self.ask(token, query);
        }
    }

    /// Sends the mutations of a part of the welcome, which nothing refuses, and returns their payloads.
    fn paste(&self, token: &str, before: &str, after: &str) -> Vec<Value> {
        let mutations = self.told(before, after).replace("demo-", "test-");
        let paste = |mutation: &str| {
            let mutation = mutation.split('#').next().unwrap();
            let done = self.ask(token, &format!("mutation {mutation}"));
            let payload = done.as_object().unwrap().values().next().unwrap();
            assert_eq!(payload["userErrors"], json!([]), "{mutation}: {done}");
            payload.clone()
        };
        mutations.split("mutation ").skip(1).map(paste).collect()
    }

    fn form(&self, url: &str, fields: &str) -> (u16, String, String) {
        let path = url.strip_prefix("http://").unwrap_or(url).trim_start_matches(self.address());
        let method = if fields.is_empty() { "GET" } else { "POST" };
        self.send(method, path, "content-type: application/x-www-form-urlencoded\r\n", fields)
    }

    fn stop(mut self) -> i32 {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap().code().unwrap()
    }
}

const PLAN: &str = "{ viewer { trialAvailable plan { status plan { code } } } }";

#[test]
fn what_the_demo_sells_can_be_bought() {
    let demo = Demo::start(&[]);
    let tokens = demo.tokens();
    let [customer, newcomer, admin] = tokens[..] else { panic!("{}", demo.welcome) };
    assert_eq!(demo.ask(newcomer, PLAN), json!({"viewer": {"trialAvailable": true, "plan": null}}));
    // The page, as a browser sees it, and its form.
    let url = format!("http://{}/pay/{}", demo.address(), demo.told("/pay/", "\n"));
    let (status, _, page) = demo.form(&url, "");
    assert!(status == 200 && page.contains("No money moves") && page.contains("Free for 14 days"), "{page}");
    let (status, _, page) = demo.form(&url, "card=declined");
    assert!(status == 402 && page.contains("Your card was declined."), "{page}");
    let (status, location, _) = demo.form(&url, "card=good");
    assert_eq!(status, 303);
    assert!(demo.form(&location, "").2.contains("Thank you"), "{location}");
    demo.wait_for(newcomer, PLAN, |answer| answer["viewer"]["plan"]["status"] == "TRIALING");
    assert_eq!(demo.ask(newcomer, PLAN)["viewer"]["trialAvailable"], false);
    demo.paste(customer, "Mutations to paste (customer):", "ctrl-c stops");
    let plan = demo.ask(customer, "{ viewer { plan { status cancelAt plan { code } } } }");
    assert!(plan["viewer"]["plan"]["cancelAt"].is_string(), "{plan}");
    // The reconciliation compared Stripe's objects and changed nothing of the company.
    let inbox = "{ webhookEvents(first: 100) { nodes { eventType state } } }";
    let found = |answer: &Value| {
        let mut nodes = answer["webhookEvents"]["nodes"].as_array().unwrap().iter();
        nodes.any(|event| event["eventType"] == "tollgate.fetched" && event["state"] == "APPLIED")
    };
    demo.wait_for(admin, inbox, found);
    let products = demo.ask(admin, "{ plans { nodes { code currentVersion { prices { id } } } } }");
    let nodes = products["plans"]["nodes"].as_array().unwrap();
    let prices = |code: &str| {
        let node = nodes.iter().find(|node| node["code"] == code);
        node.map(|node| node["currentVersion"]["prices"].as_array().unwrap().len())
    };
    assert_eq!((prices("pro"), prices("starter")), (Some(4), Some(4)), "{products}");
    assert_eq!(demo.stop(), 0);
}

#[test]
fn who_has_a_key_of_stripe_is_not_sold_to_by_the_stand_in() {
    let base = [("TOLLGATE_STRIPE_API_KEY", "rk_test_own"), ("TOLLGATE_STRIPE_API_BASE", "http://127.0.0.1:9")];
    let demo = Demo::start(&base);
    assert_eq!(demo.tokens().len(), 2, "{}", demo.welcome);
    assert!(!demo.welcome.contains("/pay/"), "{}", demo.welcome);
    let [customer, admin] = demo.tokens()[..] else { panic!("{}", demo.welcome) };
    // A spend and a use, and what the customer sees of them.
    let entitlements = demo.told("# My entitlements (customer)\n", "\n\n");
    let used = || {
        let found = demo.ask(customer, entitlements)["viewer"]["entitlements"].take();
        let mut found = found.as_array().unwrap().clone().into_iter();
        let messages = found.find(|answer| answer["feature"]["code"] == "ai_messages").unwrap();
        assert_eq!(messages["reason"], "INCLUDED");
        messages["used"].as_str().unwrap().parse::<i64>().unwrap()
    };
    let before = used();
    let done = demo.paste(admin, "Mutations to paste (admin), as your back end sends them:", "ctrl-c stops");
    assert_eq!((&done[0]["transaction"]["operation"], &done[1]["consumed"]), (&json!("SPEND"), &json!("1")));
    assert_eq!(used(), before + 1);
    assert_eq!(demo.form("/paid", "").0, 404);
    assert_eq!(demo.stop(), 0);
}
