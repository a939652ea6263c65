//! Loaders of entitlements, and of the products that would unlock them.

use crate::app::App;
use crate::auth::Viewer;
use crate::entitlements::{self, Answer, Asked, Offer};
use crate::error::Result;
use crate::graphql::common::Batch;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A loader of entitlements, by account and feature.
pub struct EntitlementsOf;

impl Batch for EntitlementsOf {
    type Key = Asked;
    type Value = Arc<Answer>;

    fn rows(answer: &Arc<Answer>) -> usize {
        answer.len()
    }

    async fn load(app: &App, viewer: &Viewer, asked: &[Asked]) -> Result<HashMap<Asked, Arc<Answer>>> {
        let answers = entitlements::read(app, viewer, asked).await?;
        Ok(answers.into_iter().map(|(asked, answer)| (asked, Arc::new(answer))).collect())
    }
}

/// A loader of the products on sale that grant a feature.
pub struct OffersOf;

impl Batch for OffersOf {
    type Key = Uuid;
    type Value = Arc<Vec<Offer>>;

    fn rows(offers: &Arc<Vec<Offer>>) -> usize {
        offers.len()
    }

    async fn load(app: &App, _: &Viewer, features: &[Uuid]) -> Result<HashMap<Uuid, Arc<Vec<Offer>>>> {
        let found = entitlements::offers(app.db.read(), features).await?;
        Ok(found.into_iter().map(|(feature, offers)| (feature, Arc::new(offers))).collect())
    }
}
