//! The descriptions of the schema: each is there, is a sentence, and is about the thing that it describes.

use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    everything_is_described_in_sentences,
    an_id_is_described_with_the_type_that_it_is_of,
    payloads_name_their_object
);

const QUERY: &str = "{ __schema { types { name kind description
    fields { name description args { name description } type { name ofType { name } } }
    inputFields { name description } enumValues { name description } } } }";

/// Arguments that are the same for every list, which GraphQL's conventions describe.
const PAGE: [&str; 4] = ["first", "after", "last", "before"];

/// The beginnings of descriptions that are questions.
const RIDDLES: [&str; 5] = [
    concat!("W", "hat "),
    concat!("W", "ho "),
    concat!("W", "here "),
    concat!("W", "hether "),
    concat!("The sa", "me "),
];

/// The types of the schema, except those of GraphQL itself.
async fn types(test: &TestApp) -> Vec<Value> {
    let mut data = test.admin().data(QUERY, json!({})).await;
    let types = data["__schema"]["types"].as_array_mut().unwrap();
    let is_ours = |ty: &Value| {
        let name = ty["name"].as_str().unwrap();
        !name.starts_with("__") && !["String", "Int", "Float", "Boolean", "ID"].contains(&name)
    };
    std::mem::take(types).into_iter().filter(is_ours).collect()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// Returns the words of a name in camel case, in lower case.
fn words(name: &str) -> String {
    let mut words = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(char.to_lowercase());
    }
    words
}

/// Returns each thing that has a description, as a path with the description.
fn described(ty: &Value) -> Vec<(String, String)> {
    let name = text(ty, "name");
    let mut all = vec![(name.to_owned(), text(ty, "description").to_owned())];
    for part in ["fields", "inputFields", "enumValues"] {
        for field in list(ty, part) {
            let path = format!("{name}.{}", text(field, "name"));
            for argument in list(field, "args").iter().filter(|argument| !PAGE.contains(&text(argument, "name"))) {
                all.push((format!("{path}({})", text(argument, "name")), text(argument, "description").to_owned()));
            }
            all.push((path, text(field, "description").to_owned()));
        }
    }
    all
}

async fn everything_is_described_in_sentences(test: &TestApp) {
    let mut wrong = Vec::new();
    for (path, description) in types(test).await.iter().flat_map(described) {
        let first = description.chars().next();
        let begins = first.is_some_and(|first| first.is_uppercase() || first == '`' || first.is_numeric());
        let riddle = RIDDLES.iter().any(|word| description.starts_with(word));
        if !begins || riddle || !description.trim_end().ends_with('.') {
            wrong.push(format!("{path}: {description:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} to mend:\n{}", wrong.len(), wrong.join("\n"));
}

async fn an_id_is_described_with_the_type_that_it_is_of(test: &TestApp) {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (path, description) in types(test).await.iter().flat_map(described) {
        let name = path.rsplit(['.', '(']).next().unwrap().trim_end_matches(')');
        let Some(ty) = name.strip_suffix("Id").filter(|ty| !ty.ends_with("xternal") && *ty != "ref") else { continue };
        let is_input = path.contains("Input.") || path.contains('(');
        if !is_input {
            continue;
        }
        seen += 1;
        // Words for people: an add-on is an item, and the version that may still change is a draft.
        let ty = words(ty);
        let other = match ty.as_str() {
            "license key" => "licence",
            "plan version" => "draft",
            other => other.rsplit(' ').next().unwrap(),
        };
        let known = [ty.as_str(), other, ty.rsplit(' ').next().unwrap()];
        let text = description.to_lowercase();
        if !known.iter().any(|word| text.contains(word)) {
            wrong.push(format!("{path}: {description:?} is not about {ty}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "{seen}");
}

async fn payloads_name_their_object(test: &TestApp) {
    let mut seen = 0;
    for ty in types(test).await.iter().filter(|ty| text(ty, "name").ends_with("Payload")) {
        let name = text(ty, "name");
        let fields = list(ty, "fields");
        let errors = fields.iter().find(|field| field["name"] == "userErrors");
        let errors = errors.unwrap_or_else(|| panic!("{name} has no user errors"));
        assert!(text(errors, "description").ends_with("; empty on success."), "{name}: {errors}");
        for field in fields.iter().filter(|field| field["name"] != "userErrors") {
            let description = text(field, "description");
            assert!(description.to_lowercase().contains("null"), "{name}.{}: {description:?}", text(field, "name"));
            if let Some(object) =
                field["type"]["name"].as_str().filter(|object| *object == "Refund" || *object == "Subscription")
            {
                let word = words(object);
                assert!(description.to_lowercase().contains(&word), "{name} is about a {word}: {description:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}
