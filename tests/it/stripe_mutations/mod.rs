//! Every mutation at Stripe: each of its refusals, and the repetition of its requests.

mod audit;
mod cast;
mod keys;
mod messages;
mod operators;
mod refusals;
mod repeated;
mod states;

use crate::support::{self, Client, Shop};
use serde_json::{Value, json};

/// A mutation with an input, and the subject of its caller (`admin` is an admin).
struct Request {
    mutation: &'static str,
    caller: &'static str,
    input: Value,
}

impl Request {
    fn caller<'a>(&self, shop: &'a Shop) -> Client<'a> {
        if self.caller == "admin" { shop.test.admin() } else { shop.test.user(self.caller) }
    }

    fn query(&self, payload: &str) -> String {
        support::mutation(self.mutation, payload)
    }

    /// Sends the request, and returns the whole reply.
    async fn reply(&self, shop: &Shop) -> Value {
        let query = self.query("userErrors { code field message }");
        self.caller(shop).post(&query, json!({"input": self.input})).await.json()
    }

    /// Sends the request, which must reach its payload, and returns the codes of its user errors.
    async fn codes(&self, shop: &Shop) -> Vec<String> {
        let reply = self.reply(shop).await;
        let errors = reply["data"][self.mutation]["userErrors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("{} {}: {reply}", self.mutation, self.input));
        errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
    }
}
