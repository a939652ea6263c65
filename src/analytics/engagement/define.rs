//! The definition of scores of engagement.

use super::weight::Weight;
use crate::analytics::events::check_names;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::plans::{check_code, check_name, code_taken};
use entity::engagement_scores::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use std::collections::BTreeSet;

/// The maximum number of weights of a score.
const MAX_WEIGHTS: usize = 20;
/// The greatest weight.
const MAX_WEIGHT: i64 = 1_000;

/// A score to be created.
#[derive(Debug, Clone)]
pub struct NewEngagementScore {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// The weights of events.
    pub weights: Vec<Weight>,
}

/// Creates a score of engagement. Its weights never change.
pub async fn create_engagement_score(app: &App, viewer: &Viewer, new: NewEngagementScore) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = check_code(&new.code, &["code"])?;
    let name = check_name(&new.name, &["name"])?;
    check_weights(&new.weights)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    name: Set(name),
                    weights: Set(json!(new.weights)),
                    created_at: Set(txn.now().fixed_offset()),
                };
                let made = Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let after = json!({"code": made.code, "name": made.name, "weights": made.weights});
                let entry = AuditEntry::new("engagement_scores.create", "EngagementScore", made.id).after(after);
                txn.audit(&actor, entry).await?;
                Ok(made)
            })
        })
        .await
}

fn check_weights(weights: &[Weight]) -> Result<()> {
    let names: Vec<String> = weights.iter().map(|weight| weight.event_name.clone()).collect();
    let are_different = names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let are_weights = weights.iter().all(|weight| (1..=MAX_WEIGHT).contains(&weight.weight));
    if (1..=MAX_WEIGHTS).contains(&names.len()) && are_different && are_weights && check_names(&names).is_ok() {
        return Ok(());
    }
    let message = "`weights` must have 1 to 20 different names of events, with weights of 1 to 1,000.";
    Err(Error::refused("WEIGHTS_INVALID", &["weights"], message))
}
