//! The schema as a client reads it, so that a test covers what is added later.

use super::TestApp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const QUERY: &str = "{ __schema { types {
    kind name
    possibleTypes { name }
    enumValues { name }
    fields { name type { ...T } args { name defaultValue type { ...T } } }
    inputFields { name defaultValue type { ...T } }
} } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Every type there is, by name.
pub(crate) struct Schema(BTreeMap<String, Value>);

/// A field or an argument.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) name: String,
    /// Its type as in the definition language, e.g. `[ID!]!`.
    pub(crate) ty: String,
    /// It must be given.
    pub(crate) required: bool,
    pub(crate) args: Vec<Slot>,
}

impl Slot {
    fn read(slot: &Value) -> Slot {
        let ty = spelled(&slot["type"]);
        let args = slot["args"].as_array().map(Vec::as_slice).unwrap_or_default();
        Slot {
            name: slot["name"].as_str().unwrap().to_owned(),
            required: ty.ends_with('!') && slot["defaultValue"].is_null(),
            ty,
            args: args.iter().map(Slot::read).collect(),
        }
    }

    /// The name of its type without lists and exclamation marks.
    pub(crate) fn named(&self) -> &str {
        self.ty.trim_matches(['[', ']', '!'])
    }
}

fn spelled(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", spelled(&ty["ofType"])),
        "LIST" => format!("[{}]", spelled(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

impl Schema {
    /// Asks for it.
    pub(crate) async fn of(test: &TestApp) -> Schema {
        let data = test.admin().data(QUERY, json!({})).await;
        let types = data["__schema"]["types"].as_array().unwrap().iter();
        Schema(types.map(|ty| (ty["name"].as_str().unwrap().to_owned(), ty.clone())).collect())
    }

    /// The fields of a type that is read.
    pub(crate) fn fields(&self, ty: &str) -> Vec<Slot> {
        self.slots(ty, "fields")
    }

    /// The fields of an input.
    pub(crate) fn inputs(&self, ty: &str) -> Vec<Slot> {
        self.slots(ty, "inputFields")
    }

    /// `OBJECT`, `SCALAR`, `INPUT_OBJECT` and so on.
    pub(crate) fn kind(&self, ty: &str) -> &str {
        self.0[ty]["kind"].as_str().unwrap()
    }

    /// The types behind an interface.
    pub(crate) fn implementors(&self, ty: &str) -> Vec<String> {
        self.names(ty, "possibleTypes")
    }

    /// The values of an enum.
    pub(crate) fn values(&self, ty: &str) -> Vec<String> {
        self.names(ty, "enumValues")
    }

    /// The enum of the codes that a mutation can refuse with.
    pub(crate) fn error_codes(&self) -> Vec<(String, String)> {
        let enums = self.0.keys().filter_map(|name| Some((name, name.strip_suffix("ErrorCode")?)));
        let codes = enums.flat_map(|(name, verb)| self.values(name).into_iter().map(move |code| (verb, code)));
        codes.map(|(verb, code)| (format!("{}{}", verb[..1].to_lowercase(), &verb[1..]), code)).collect()
    }

    fn slots(&self, ty: &str, list: &str) -> Vec<Slot> {
        let slots = self.0[ty][list].as_array().map(Vec::as_slice).unwrap_or_default();
        slots.iter().map(Slot::read).collect()
    }

    fn names(&self, ty: &str, list: &str) -> Vec<String> {
        let values = self.0[ty][list].as_array().map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value["name"].as_str().unwrap().to_owned()).collect()
    }
}
