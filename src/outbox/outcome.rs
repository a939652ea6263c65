//! Outcomes of calls.

use crate::error::{Error, Result};
use crate::providers::stripe::{RefusalCode, Refused};
use entity::outbox_calls::Model;
use serde_json::Value;

/// The outcome of a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Stripe made the change, and our records show it.
    Done(Done),
    /// Stripe refused the change.
    Refused(Refused),
}

/// A change that Stripe made.
#[derive(Debug, Clone)]
pub struct Done {
    /// The id at Stripe of the object in the answer.
    pub object_id: String,
    /// The page at which the customer continues; `None` for an object without one.
    pub url: Option<String>,
    /// The object itself, secrets included; `None` if Stripe answered an earlier execution.
    pub object: Option<Value>,
}

impl Outcome {
    /// Reads the outcome of a call that is done, without the object of the answer.
    pub(super) fn done(call: &Model) -> Result<Outcome> {
        let object_id = call.object_id.clone();
        let object_id = object_id.ok_or_else(|| Error::internal(anyhow::anyhow!("Stripe answered without an id.")))?;
        Ok(Outcome::Done(Done { object_id, url: call.url.clone(), object: None }))
    }

    /// Reads the outcome of a call that was refused. The HTTP status is not stored, and reads 0.
    pub(super) fn refused(call: &Model) -> Outcome {
        Outcome::Refused(Refused {
            code: call.error_code.as_deref().map(RefusalCode::from).unwrap_or_default(),
            decline_code: call.decline_code.clone(),
            param: call.error_param.clone(),
            ..Refused::default()
        })
    }
}
