//! Reading from Stripe's API: single objects, and lists page by page.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::connection::{Call, CallError, Connection, Reply};
use crate::config::StripeConfig;

/// Maximum number of objects in a page.
const PAGE_SIZE: &str = "100";

/// The client of Stripe's API.
pub struct Client(pub(super) Connection);

/// An object in its current state.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The object.
    pub object: Value,
    /// The time of the response by Stripe's clock; `None` if it has none.
    pub at: Option<DateTime<Utc>>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The objects, newest first.
    pub objects: Vec<Value>,
    /// True if there are more objects after the last one.
    pub has_more: bool,
    /// The time of the response by Stripe's clock; `None` if it has none.
    pub at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.0.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client that sends requests through `http`; `None` if no API key is configured.
    pub fn new(config: &StripeConfig, http: reqwest::Client) -> Option<Client> {
        let key = config.api_key.clone()?;
        Some(Client(Connection::new(http, config.api_base.clone(), key, config.api_timeout)))
    }

    /// Fetches an object of a collection, such as `checkout/sessions`, with the references at these paths expanded.
    pub async fn get(&self, collection: &str, id: &str, expand: &[&str]) -> Result<Answer, CallError> {
        let query: Vec<(&str, &str)> = expand.iter().map(|path| ("expand[]", *path)).collect();
        let reply = self.read(self.0.url(&format!("v1/{collection}"), Some(id), &query)).await?;
        Ok(Answer { object: reply.value, at: reply.at })
    }

    /// Fetches the first page of a list below an object, such as the payment methods of a customer.
    pub async fn read_below(&self, collection: &str, id: &str, list: &str) -> Result<Value, CallError> {
        let mut url = self.0.url(&format!("v1/{collection}"), Some(id), &[]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(list);
        }
        Ok(self.read(url).await?.value)
    }

    /// Fetches a page of a collection, newest objects first: those that pass the filters and come after the object with
    /// the id `after`.
    pub async fn list(
        &self,
        collection: &str,
        filters: &[(&str, &str)],
        after: Option<&str>,
    ) -> Result<Page, CallError> {
        let mut query = vec![("limit", PAGE_SIZE)];
        query.extend(filters);
        query.extend(after.map(|after| ("starting_after", after)));
        let mut reply = self.read(self.0.url(&format!("v1/{collection}"), None, &query)).await?;
        let has_more = reply.value["has_more"].as_bool().unwrap_or(false);
        match reply.value["data"].take() {
            Value::Array(objects) => Ok(Page { has_more: has_more && !objects.is_empty(), objects, at: reply.at }),
            _ => Err(CallError::Unavailable("the response is not a list".to_owned())),
        }
    }

    async fn read(&self, url: Url) -> Result<Reply, CallError> {
        self.0.call(&Call { method: Method::GET, url, form: None, idempotency_key: None, answer_before: None }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_key_is_not_shown() {
        let env = [("TOLLGATE_STRIPE_API_KEY".to_owned(), "sk_test_1".to_owned())];
        let config = Config::load(None, env.into_iter()).unwrap();
        let http = crate::providers::http::client(&config.outgoing).unwrap();
        let client = Client::new(&config.providers.stripe, http).unwrap();
        assert!(!format!("{client:?}").contains("sk_test_1"));
    }
}
