//! Reading from Stripe, which changes nothing and is recorded nowhere.

use crate::app::App;
use crate::error::{Error, Result};
use crate::providers::stripe::{CallError, Client};
use serde_json::Value;

/// Returns the connection to Stripe; an error if none is configured.
pub fn client(app: &App) -> Result<&Client> {
    app.stripe.as_ref().ok_or(Error::NotConfigured("stripe_api_key"))
}

/// Fetches an object from Stripe, with the fields that `expand` names as whole objects.
pub async fn fetch_object(app: &App, collection: &str, id: &str, expand: &[&str]) -> Result<Value> {
    match client(app)?.get(collection, id, expand).await {
        Ok(answer) => Ok(answer.object),
        Err(CallError::Unavailable(reason)) => Err(Error::Unavailable("Stripe", anyhow::anyhow!(reason))),
        Err(error) => Err(Error::internal(error)),
    }
}
