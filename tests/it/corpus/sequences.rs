//! The sequences as they lie in the fixtures.

use serde_json::Value;
use std::path::{Path, PathBuf};
use tollgate::providers::Provider;

/// One body to be delivered, byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) provider: Provider,
    pub(crate) file: String,
    pub(crate) body: String,
}

impl Event {
    /// The id of the object that it is about.
    pub(crate) fn object_id(&self) -> String {
        let event: Value = serde_json::from_str(&self.body).unwrap();
        event["data"]["object"]["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// A life of a customer, and what it must end in.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) name: String,
    pub(crate) provider: Provider,
    /// In the order of delivery.
    pub(crate) events: Vec<Event>,
    pub(crate) expected: Value,
}

impl Sequence {
    /// The users of the host application that it is about.
    pub(crate) fn users(&self) -> Vec<String> {
        self.expected["derived"]["users"].as_object().unwrap().keys().cloned().collect()
    }

    /// Returns the sequence for other people: every id that could be shared contains `seed`.
    pub(crate) fn renamed(self, seed: u64) -> Sequence {
        // Ids of the catalogue stay, because all sequences buy the same products.
        const PREFIXES: [&str; 25] = [
            "user_1", "user_2", "cus_", "sub_", "si_", "in_", "pi_", "ch_", "re_", "du_", "dp_", "cs_test_", "evt_",
            "inpay_", "di_", "promo_", "pm_", "ctm_", "txn_", "adj_", "txnitm_", "ntf_", "add_", "adjitm_", "paymtd_",
        ];
        let rename = |text: &str| {
            PREFIXES.iter().fold(text.to_owned(), |text, prefix| {
                text.replace(&format!("\"{prefix}"), &format!("\"{prefix}{seed}x"))
            })
        };
        let events = self.events.iter().map(|event| Event { body: rename(&event.body), ..event.clone() });
        Sequence {
            name: self.name,
            provider: self.provider,
            events: events.collect(),
            expected: serde_json::from_str(&rename(&self.expected.to_string())).unwrap(),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/corpus")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every sequence; the catalogue comes first.
pub(crate) fn all() -> Vec<Sequence> {
    let index = read(&folder().join("index.json"));
    index["sequences"].as_array().unwrap().iter().map(|entry| sequence(entry["dir"].as_str().unwrap())).collect()
}

/// Returns Stripe's objects at the end of each sequence, by version and id.
pub(crate) fn objects() -> Vec<Value> {
    let folders = all().into_iter().filter(|sequence| sequence.provider == Provider::Stripe);
    folders.map(|sequence| read(&folder().join(sequence.name).join("objects.json"))).collect()
}

/// Returns Stripe's objects at the end of one sequence.
pub(crate) fn objects_of(sequence: &Sequence) -> Vec<Value> {
    vec![read(&folder().join(&sequence.name).join("objects.json"))]
}

fn sequence(name: &str) -> Sequence {
    let folder = folder().join(name);
    let told = read(&folder.join("sequence.json"));
    let provider = Provider::named(told["provider"].as_str().unwrap()).unwrap();
    let events = told["events"].as_array().unwrap().iter().map(|event| {
        let file = event["file"].as_str().unwrap();
        let body = std::fs::read_to_string(folder.join(file)).unwrap();
        Event { provider, file: format!("{name}/{file}"), body }
    });
    Sequence {
        name: name.to_owned(),
        provider,
        events: events.collect(),
        expected: read(&folder.join("expected.json")),
    }
}
