use std::time::Duration;

use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{Limits, tests::run};
use crate::graphql::engine::{
    execute::{Engine, Outcome},
    test_schema,
};

/// Writes random valid documents over the test schema.
struct Writer {
    state: u64,
    spread: [bool; 4],
    variables: [bool; 2],
}

/// The types that fragments are on, and the types within which each may stand.
const FRAGMENTS: [(&str, &[&str]); 4] = [
    ("User", &["User", "Node", "Thing", "Named"]),
    ("Node", &["User", "Plan", "Node", "Thing", "Named"]),
    ("Plan", &["Plan", "Node", "Thing"]),
    ("Named", &["User", "Node", "Thing", "Named"]),
];

impl Writer {
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % bound
    }

    fn directive(&mut self) -> String {
        let index = usize::from(self.below(2) == 1);
        match self.below(8) {
            0 => format!("@skip(if:{})", self.below(2) == 1),
            1 => {
                self.variables[index] = true;
                format!("@include(if:$v{index})")
            }
            2 => {
                self.variables[index] = true;
                format!("@skip(if:$v{index})")
            }
            _ => String::new(),
        }
    }

    fn set(&mut self, ty: &str, depth: u64, first_fragment: usize) -> String {
        let fields: &[(&str, Option<&str>)] = match ty {
            "User" => &[
                ("id", None),
                ("name", None),
                ("n:name(upper:true)", None),
                ("late", None),
                ("friend", Some("User")),
                ("friends", Some("User")),
                ("f:friends(first:3)", Some("User")),
                ("things", Some("Thing")),
            ],
            "Plan" => &[("id", None), ("price", None), ("owner", Some("User")), ("friend", Some("Plan"))],
            "Node" => &[("id", None)],
            "Named" => &[("id", None), ("late", None)],
            "Query" => &[("viewer", Some("User")), ("nodes", Some("Node")), ("things", Some("Thing"))],
            _ => &[("__typename", None)],
        };
        let mut text = "{__typename ".to_owned();
        for _ in 0..1 + self.below(4) {
            let choice = self.below(8);
            let fragment = usize::try_from(self.below(4)).unwrap_or_default();
            if choice < 2 && fragment >= first_fragment && FRAGMENTS[fragment].1.contains(&ty) {
                self.spread[fragment] = true;
                text += &format!("...F{fragment} {} ", self.directive());
            } else if choice < 4 && FRAGMENTS[fragment].1.contains(&ty) && depth > 0 {
                let on = FRAGMENTS[fragment].0;
                text += &format!("...on {on} {} {} ", self.directive(), self.set(on, depth - 1, first_fragment));
            } else if choice == 4 && depth > 0 {
                text += &format!("...{} {} ", self.directive(), self.set(ty, depth - 1, first_fragment));
            } else {
                let at = usize::try_from(self.below(fields.len().try_into().unwrap_or(1))).unwrap_or_default();
                match fields[at] {
                    (field, None) => text += &format!("{field} {} ", self.directive()),
                    (field, Some(of)) if depth > 0 => {
                        text += &format!("{field} {} {} ", self.directive(), self.set(of, depth - 1, first_fragment));
                    }
                    _ => {}
                }
            }
        }
        text + "}"
    }

    fn document(&mut self) -> String {
        let mut text = self.set("Query", 4, 0);
        for (fragment, (on, _)) in FRAGMENTS.iter().enumerate() {
            if self.spread[fragment] {
                text += &format!(" fragment F{fragment} on {on} {}", self.set(on, 2, fragment + 1));
            }
        }
        let declared: String = (0..2).filter(|&n| self.variables[n]).map(|n| format!("$v{n}:Boolean! ")).collect();
        if declared.is_empty() { text } else { format!("query({declared}){text}") }
    }
}

proptest! {
    #[test]
    fn a_merged_document_answers_like_the_original_and_resolves_each_path_once(seed: u64, a: bool, b: bool) {
        let query = Writer { state: seed, spread: [false; 4], variables: [false; 2] }.document();
        let vars = json!({ "v0": a, "v1": b });
        let limits = Limits { depth: 40, aliases: 1_000, ..Limits::default() };
        let engine = Engine::new(test_schema::schema(), &limits, Duration::from_secs(5)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (reply, calls) = runtime.block_on(run(&engine, &query, vars.clone()));
        prop_assert_eq!(reply.outcome, Outcome::Executed, "{}: {:?}", query, reply);
        let plain = async_graphql::Request::new(&query).variables(async_graphql::Variables::from_json(vars));
        let plain = serde_json::to_value(runtime.block_on(test_schema::schema().execute(plain))).unwrap();
        prop_assert_eq!(&serde_json::to_value(&reply).unwrap()["data"], &plain["data"], "{}", query);
        let calls = calls.0.lock().unwrap();
        prop_assert!(calls.values().all(|&count| count == 1), "{}: {:?}", query, calls);
    }
}
